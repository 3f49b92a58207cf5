"""All settings of a generator in one frozen, validated object, with three presets."""

from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from tsgen.errors import ConfigError
from tsgen.networks.history_encoder import ContextKind
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.training.head_selection import HeadConfig
from tsgen.training.training_config import TrainingConfig, require
from tsgen.whole_numbers import settle_whole_numbers

PresetName = Literal["default", "paper", "fast"]


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Settings of an adapted diffusion generator.

    Parameters
    ----------
    whitening : {"conditional", "factor", "identity"}
        ``"conditional"``: closed-form location, scale and correlation given the past (linear prediction for paths
        from a common start, volatility and correlation dynamics for a panel, and ``"factor"`` for one of more than 40
        assets). ``"factor"``: the same volatility with a constant correlation of common factors, linear in the number
        of assets (panels only). ``"identity"``: constants only; the network must learn everything (the published
        model).
    head : HeadConfig
        Anchor, contexts, size, acceptance rule.
    training : TrainingConfig
    sampler : SamplerConfig
        Default scheme of `AdaptedDiffusionGenerator.sample`.

    Examples
    --------
    >>> GeneratorConfig.preset("paper").whitening
    'identity'
    """

    whitening: Literal["conditional", "factor", "identity"] = "conditional"
    head: HeadConfig = field(default_factory=HeadConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)

    def __post_init__(self) -> None:
        require(
            self.whitening in ("conditional", "factor", "identity"),
            f"whitening must be 'conditional', 'factor' or 'identity': got {self.whitening!r}.",
        )
        for name, kind in (("head", HeadConfig), ("training", TrainingConfig), ("sampler", SamplerConfig)):
            value = getattr(self, name)
            require(isinstance(value, kind), f"{name} must be a {kind.__name__}: got {type(value).__name__}.")
        check_head(self.head)

    @classmethod
    def preset(cls, name: PresetName) -> Self:
        """Return a named configuration.

        Parameters
        ----------
        name : {"default", "paper", "fast"}
            ``"default"``: conditional whitening, mixture anchor, SiLU network accepted only if it helps.
            ``"paper"``: the published model: identity whitening, ReLU network on a truncated history, no anchor.
            ``"fast"``: the closed-form part of the default without a network; fits in seconds.

        Raises
        ------
        ConfigError
            For another name.

        References
        ----------
        Cao, Chen, Han, Xu (2026), "Diffusion Models for Adaptive Sequential Data Generation", arXiv 2606.06007.
        """
        if name == "default":
            return cls()
        if name == "fast":
            return cls(head=HeadConfig(contexts=()))
        if name == "paper":
            return cls(
                whitening="identity",
                head=HeadConfig(
                    n_components=0,
                    contexts=("window",),
                    lookback=16,
                    width=128,
                    n_blocks=3,
                    activation="relu",
                    anchor_is_floor=False,
                ),
                training=TrainingConfig(max_steps=4000, learning_rate=1e-3, weight_decay=1e-4, average_decay=0.995),
                sampler=SamplerConfig(scheme="stochastic", n_steps=32),
            )
        raise ConfigError(f"unknown preset {name!r}: known are 'default', 'paper' and 'fast'.")


def check_head(head: HeadConfig) -> None:
    """Validate the head's settings; raises `ConfigError`."""
    settle_whole_numbers(head, {"n_components": 0, "lookback": 1, "width": 1, "n_blocks": 0})
    require(head.activation in ("silu", "relu"), f"activation must be 'silu' or 'relu': got {head.activation!r}.")
    require(head.acceptance >= 0, f"acceptance must not be negative: got {head.acceptance!r}.")
    unknown = [c for c in head.contexts if c not in get_args(ContextKind)]
    require(not unknown, f"contexts must be among {get_args(ContextKind)}: got {unknown}.")
    require(
        head.anchor_is_floor or bool(head.contexts),
        "anchor_is_floor=False trains the last context whatever it scores: name at least one in contexts.",
    )
