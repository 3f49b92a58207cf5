"""`EvaluationConfig`: how much an evaluation samples, and over which dates."""

from dataclasses import dataclass, field
from typing import final

from tsgen.errors import ConfigError
from tsgen.evaluation.world_comparison import ComparisonEffort
from tsgen.whole_numbers import settle_whole_numbers


@final
@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Settings of `tsgen.evaluate`.

    Parameters
    ----------
    horizon : int, default 20
        Periods of the windows on which path laws are compared.
    n_scenarios : int, default 32
        Scenarios per window.
    n_daily_scenarios : int, default 500
        Scenarios of each daily one-step forecast; value at risk at 99 % needs 99, its error falls with more.
    max_daily_dates : int, default 2500
        Daily forecasts are made for the last so many dates of the evaluation period.
    daily : bool, default True
        Whether daily forecasts are made at all: calibration, value at risk and expected shortfall rest on them.
    warm_up : float, default 0.5
        Share of the data kept as history where neither a training cut-off nor a history says where evaluation starts.
    effort : ComparisonEffort
        Null worlds and resamples behind floors and errors.

    Raises
    ------
    ConfigError
        If a number is out of range.

    Examples
    --------
    >>> EvaluationConfig(horizon=10).n_daily_scenarios
    500
    """

    horizon: int = 20
    n_scenarios: int = 32
    n_daily_scenarios: int = 500
    max_daily_dates: int = 2500
    daily: bool = True
    warm_up: float = 0.5
    effort: ComparisonEffort = field(default_factory=ComparisonEffort)

    def __post_init__(self) -> None:
        settle_whole_numbers(self, {"horizon": 1, "n_scenarios": 2, "n_daily_scenarios": 99, "max_daily_dates": 50})
        if not 0.0 < self.warm_up < 1.0:
            raise ConfigError(f"warm_up must be a share between 0 and 1, for example 0.5: got {self.warm_up!r}.")
