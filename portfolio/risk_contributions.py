"""Which asset causes how much of the risk: Euler contributions, which add up to it."""

import numpy as np
import pandas as pd

from portfolio.asset_vector import AssetValues, asset_vector
from portfolio.moments import HorizonMoments
from portfolio.outlook import outlook_of
from portfolio.risk_measures import RiskMeasure, TrackingError
from portfolio.wealth import LinearConvention
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet


def risk_contributions(
    weights: AssetValues,
    scenarios: ScenarioSet | HorizonMoments,
    measure: RiskMeasure,
    *,
    wealth: LinearConvention = "buy_and_hold",
) -> pd.Series:
    r"""Contribution :math:`w_i\,\partial \rho / \partial w_i` of each asset (divided by the degree of homogeneity).

    Parameters
    ----------
    weights : Series, mapping or array of shape (asset,)
        Matched by name.
    scenarios : ScenarioSet or HorizonMoments
        Moments alone are enough for `Variance`, `Volatility` and `TrackingError`.
    measure : RiskMeasure
    wealth : {"buy_and_hold", "rebalanced"}
        See `portfolio.wealth`.

    Returns
    -------
    Series, index asset, float64
        Sums to the risk; negative for a hedge. For `TrackingError` the active weights count.

    Raises
    ------
    ConfigError, DataError, ShapeError
        If the measure, the convention or the weights are unusable.

    Notes
    -----
    For CVaR it is the mean loss of the position in the tail, for EVaR under the tilted law, for drawdowns what the
    position lost between the peak and the trough. Where the measure has a kink, one subgradient of several.

    References
    ----------
    Tasche (1999), "Risk contributions and performance measurement", definition 4.1 and proposition 2.1.

    Examples
    --------
    >>> m = HorizonMoments(mean=np.zeros(2), covariance=np.diag([0.09, 0.16]), assets=("A", "B"), horizon=1)
    >>> from portfolio.risk_measures import Volatility
    >>> risk_contributions([1.0, 1.0], m, Volatility()).round(6).tolist()
    [0.18, 0.32]
    """
    if isinstance(measure, type) or not isinstance(measure, RiskMeasure):
        raise ConfigError(
            f"measure must be a risk measure such as Volatility() or ConditionalValueAtRisk(): got {measure!r}."
        )
    outlook = outlook_of(scenarios, wealth)
    w = asset_vector(weights, outlook.assets, what="weights")
    position = measure.active(w, outlook.assets) if isinstance(measure, TrackingError) else w
    shares = position * measure.gradient(w, outlook) / measure.degree
    return pd.Series(np.asarray(shares), index=pd.Index(outlook.assets, name="asset"), name="contribution")
