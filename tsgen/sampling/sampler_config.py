"""Which reverse scheme, how many steps, and the block size that is part of the seed contract."""

from dataclasses import dataclass
from typing import Literal

from tsgen.errors import ConfigError
from tsgen.whole_numbers import settle_whole_numbers


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How one period's coordinate is generated.

    Parameters
    ----------
    scheme : {"deterministic", "stochastic"}
        Probability flow (fewest steps), or the Gaussian chain whose path likelihoods exist.
    n_steps : int
        Network evaluations per period. Eight of the probability flow reproduce variance and 0.1 % quantiles of heavy
        tails to 0.3 %; the stochastic chain needs 16 for 1 %.
    block_size : int
        Paths computed together. Part of the seed contract: another block size gives other scenarios.

    Examples
    --------
    >>> SamplerConfig(n_steps=4).scheme
    'deterministic'
    """

    scheme: Literal["deterministic", "stochastic"] = "deterministic"
    n_steps: int = 8
    block_size: int = 512

    def __post_init__(self) -> None:
        if self.scheme not in ("deterministic", "stochastic"):
            raise ConfigError(f"scheme must be 'deterministic' or 'stochastic': got {self.scheme!r}.")
        settle_whole_numbers(self, {"n_steps": 2, "block_size": 1})
