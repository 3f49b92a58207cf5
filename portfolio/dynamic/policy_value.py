r"""What a trading rule is worth on paths: discounted utility with its standard error.

:math:`\sum_t [\delta^{t+1}(x_t' r_{t+1} - \tfrac{\gamma}{2} x_t'\Sigma x_t) - \tfrac12\delta^t \Delta x_t'\Lambda
\Delta x_t]` from a position of zero, truncated at the end of the paths. Above `trading_paths`.
"""

from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from portfolio.dynamic.checked_arrays import checked_discount, cost_matrix, positive_definite
from portfolio.dynamic.trading_paths import Sampling, TradingPaths, trading_paths
from portfolio.mean_risk_problem import checked_risk_aversion
from tsgen.errors import ConfigError, ShapeError
from tsgen.scenario_set import ScenarioSet

Array = NDArray[np.float64]


@runtime_checkable
class TradingRule(Protocol):
    """Anything that says what to trade; works on many positions at once."""

    def trade(self, position: Array, factors: Array) -> Array:
        """Trades of shape (scenario, asset) for positions (scenario, asset) and factors (scenario, factor)."""
        ...


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PolicyValue:
    """Average utility and its error.

    Parameters
    ----------
    mean, standard_error : float
        Over scenarios; the error assumes that they are independent.
    per_scenario : ndarray of shape (scenario,)
        For paired comparisons on the same paths.
    probabilities : ndarray of shape (scenario,)
    """

    mean: float
    standard_error: float
    per_scenario: Array
    probabilities: Array

    def better_than(self, other: "PolicyValue") -> tuple[float, float]:
        """Mean and standard error of the difference, path by path.

        Raises
        ------
        ShapeError
            If the two were not valued on the same number of paths.
        """
        if self.per_scenario.shape != other.per_scenario.shape:
            raise ShapeError("values can be compared on the same paths only: the numbers of scenarios differ.")
        return mean_and_error(self.per_scenario - other.per_scenario, self.probabilities)

    def __repr__(self) -> str:
        return f"PolicyValue({self.mean:.6g} +- {self.standard_error:.2g}, {len(self.per_scenario)} scenarios)"


def policy_value(
    rule: TradingRule,
    scenarios: ScenarioSet,
    *,
    signals: Any,
    covariance: ArrayLike,
    costs: Any,
    risk_aversion: float,
    discount: float,
    lag: int = 0,
) -> PolicyValue:
    """Value of a rule on scenarios.

    Parameters
    ----------
    rule : TradingRule
        For example a `TradingSolution` or a `NearlyLQPolicy`.
    scenarios : ScenarioSet
    signals : SignalRule or array
        See `trading_paths`.
    covariance, costs, risk_aversion, discount
        As in `garleanu_pedersen`.
    lag : int
        0 or 1.

    Returns
    -------
    PolicyValue

    Raises
    ------
    ConfigError, DataError, ShapeError
        If an input is unusable.

    Examples
    --------
    Doing nothing is worth nothing:

    >>> class Nothing:
    ...     def trade(self, position, factors):
    ...         return 0.0 * position
    >>> s = ScenarioSet([[[0.1]] * 3, [[-0.1]] * 3], assets=["A"], kind="simple")
    >>> policy_value(Nothing(), s, signals=np.zeros((2, 3, 1)), covariance=[[0.01]], costs=[[0.1]], risk_aversion=5.0,
    ...              discount=0.98).mean
    0.0
    """
    if isinstance(rule, type) or not isinstance(rule, TradingRule):
        raise ConfigError(f"a trading rule needs trade(position, factors): got {rule!r}.")
    if not isinstance(scenarios, ScenarioSet):
        raise ConfigError(f"scenarios must be a ScenarioSet: got {type(scenarios).__name__}.")
    paths = trading_paths(scenarios, signals, lag=lag, sampling=Sampling(scenarios.n_scenarios, 2, 0))
    n = len(paths.assets)
    sigma = positive_definite(covariance, n, "covariance")
    charged = cost_matrix(costs, n, paths.assets)
    gamma, delta = checked_risk_aversion(risk_aversion), checked_discount(discount)
    per_scenario = _utilities(rule, paths, gamma * sigma, charged, delta)
    mean, error = mean_and_error(per_scenario, paths.probabilities)
    return PolicyValue(mean=mean, standard_error=error, per_scenario=per_scenario, probabilities=paths.probabilities)


def _utilities(rule: TradingRule, paths: TradingPaths, risk: Array, charged: Array, delta: float) -> Array:
    position = np.zeros((paths.n_scenarios, len(paths.assets)))
    total = np.zeros(paths.n_scenarios)
    for t in range(paths.n_decisions):
        trade = np.asarray(rule.trade(position, paths.signals[:, t]), dtype=np.float64)
        if trade.shape != position.shape:
            raise ShapeError(f"a trading rule must return shape {position.shape} for as many positions: {trade.shape}.")
        position = position + trade
        earned = (position * (paths.returns[:, t] - 0.5 * position @ risk)).sum(axis=1)
        total += delta ** (t + 1) * earned - 0.5 * delta**t * (trade * (trade @ charged)).sum(axis=1)
    return total


def mean_and_error(values: Array, probabilities: Array) -> tuple[float, float]:
    """Weighted mean and its standard error over independent scenarios.

    Examples
    --------
    >>> mean_and_error(np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    (2.0, 1.0)
    """
    mean = float(probabilities @ values)
    squares = float((probabilities**2) @ (values - mean) ** 2)
    # one over n - 1 instead of n where probabilities are equal
    concentration = float((probabilities**2).sum())
    return mean, float(np.sqrt(squares / max(1.0 - concentration, np.finfo(np.float64).tiny)))
