"""Settings of `fit_nearly_lq_policy` that have a default."""

from dataclasses import dataclass, field
from typing import Literal, final, get_args

from portfolio.constraints import finite_number
from portfolio.dynamic.descent_record import DescentSettings
from portfolio.dynamic.feature_maps import FeatureMap
from tsgen.errors import ConfigError
from tsgen.whole_numbers import whole_number

Start = Literal["lifted", "shock"]
Earnings = Literal["identified", "realised"]

FEWEST_PATHS = 10


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PolicyTraining:
    """How a policy is fitted.

    Parameters
    ----------
    features : FeatureMap, "saturating" or None
        Of the factors. ``"saturating"``: tanh of every factor in units of its root mean square. ``None``: none, the
        policy is affine.
    horizon : int
        Length of the paths asked from a generator, or into which a history is cut.
    n_scenarios : int
        Number of paths asked from a generator.
    start : {"lifted", "shock"}
        Surrogate from which the descent starts: with features foreseen (`lifted_surrogate`) or as a surprise
        (`lq_surrogate`).
    earnings : tuple of {"identified", "realised"}
        Stages of the descent by what positions earn: the identified mean of returns given factors and features, on the
        factors' actual paths (hardly any noise, but believes the regression), or the realised returns (much noise,
        assumes nothing). Each stage starts where the last one ended, and is judged on held-out scenarios.
    held_out : float
        Share of the scenarios kept for judging the descent, between 0 and 0.5.
    descent : DescentSettings

    Raises
    ------
    ConfigError
        If a setting is outside its range.

    Examples
    --------
    >>> PolicyTraining(features=None).start
    'lifted'
    """

    features: FeatureMap | Literal["saturating"] | None = "saturating"
    horizon: int = 250
    n_scenarios: int = 1000
    start: Start = "lifted"
    earnings: tuple[Earnings, ...] = ("identified", "realised")
    held_out: float = 0.25
    descent: DescentSettings = field(default_factory=lambda: DescentSettings(max_iterations=10, tolerance=1e-6))

    def __post_init__(self) -> None:
        whole_number(self.horizon, "horizon", least=2)
        whole_number(self.n_scenarios, "n_scenarios", least=FEWEST_PATHS)
        if self.start not in get_args(Start):
            raise ConfigError(f"start must be 'lifted' or 'shock': got {self.start!r}.")
        object.__setattr__(self, "earnings", tuple(self.earnings))
        if not set(self.earnings) <= set(get_args(Earnings)):
            raise ConfigError(f"earnings must be stages out of 'identified' and 'realised': got {self.earnings!r}.")
        if not 0.0 < finite_number(self.held_out, "held_out") <= 0.5:
            raise ConfigError(f"held_out must be a share between 0 and 0.5: got {self.held_out!r}.")
        if isinstance(self.features, str) and self.features != "saturating":
            raise ConfigError(f"features must be a feature map, 'saturating' or None: got {self.features!r}.")
