"""What a decision is based on: moments over the horizon, and wealth paths where there are scenarios."""

from dataclasses import dataclass
from typing import final

import numpy as np

from portfolio.moments import HorizonMoments, scenario_moments
from portfolio.wealth import LinearConvention, LinearWealth, linear_wealth
from tsgen.errors import ConfigError, DataError
from tsgen.scenario_set import ScenarioSet


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Outlook:
    """Moments, and the wealth paths they come from if they come from scenarios.

    Parameters
    ----------
    moments : HorizonMoments
    wealth : LinearWealth, optional
        ``None`` if only moments are known; measures that look at scenarios then refuse.

    Examples
    --------
    >>> m = HorizonMoments(mean=np.zeros(1), covariance=np.eye(1), assets=("A",), horizon=1)
    >>> Outlook(moments=m).assets
    ('A',)
    """

    moments: HorizonMoments
    wealth: LinearWealth | None = None

    @property
    def assets(self) -> tuple[str, ...]:
        """Names of the assets."""
        return self.moments.assets

    def scenario_wealth(self, purpose: str) -> LinearWealth:
        """The wealth paths; raises `ConfigError` naming ``purpose`` if only moments are known."""
        if self.wealth is None:
            raise ConfigError(
                f"{purpose} looks at scenarios, but only moments were given. "
                "Pass a ScenarioSet instead of HorizonMoments."
            )
        return self.wealth


def outlook_of(scenarios: ScenarioSet | HorizonMoments, wealth: LinearConvention = "buy_and_hold") -> Outlook:
    """Outlook over the whole horizon of the scenarios, or of moments alone.

    Parameters
    ----------
    scenarios : ScenarioSet or HorizonMoments
    wealth : {"buy_and_hold", "rebalanced"}
        Convention of all numbers, the expected return included.

    Returns
    -------
    Outlook

    Raises
    ------
    ConfigError
        If ``scenarios`` is neither, or the convention is not linear.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1], [0.1]], [[0.0], [0.0]]], assets=["A"], kind="simple")
    >>> [outlook_of(s, w).moments.mean.round(4).tolist() for w in ("buy_and_hold", "rebalanced")]
    [[0.105], [0.1]]
    """
    if isinstance(scenarios, HorizonMoments):
        return Outlook(moments=scenarios)
    if not isinstance(scenarios, ScenarioSet):
        raise ConfigError(
            f"scenarios must be a ScenarioSet or HorizonMoments: got {type(scenarios).__name__}. "
            "For past returns pass historical_moments(panel, horizon=21)."
        )
    paths = linear_wealth(scenarios, wealth)
    if wealth == "buy_and_hold":
        return Outlook(moments=scenario_moments(scenarios), wealth=paths)
    return Outlook(moments=_moments_of(paths, scenarios.horizon), wealth=paths)


def _moments_of(wealth: LinearWealth, horizon: int) -> HorizonMoments:
    x, p = wealth.outcomes, wealth.probabilities
    if len(p) < 2:
        raise DataError("moments need at least two scenarios of positive probability. Sample more scenarios.")
    mean = p @ x
    centred = x - mean
    return HorizonMoments(
        mean=mean,
        covariance=(centred * p[:, None]).T @ centred,
        assets=wealth.assets,
        horizon=horizon,
        mean_standard_error=np.sqrt((p**2) @ centred**2),
    )
