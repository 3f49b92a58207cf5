"""Wealth along scenario paths, with the rebalancing convention as part of the type.

Wealth starts at 1. With fixed weights ``w``, what is missing to 1 lies in cash that earns nothing:

- ``"buy_and_hold"``: positions drift; ``W_t = 1 + sum_i w_i (G_ti - 1)``, G the gross growth. Linear in w.
- ``"rebalanced"``: weights are restored each period and gains are paid out, not reinvested;
  ``W_t = 1 + sum_{u<=t} w'R_u``. Linear in w.
- ``"rebalanced_compounded"``: weights are restored each period, gains stay invested;
  ``W_t = prod_{u<=t} (1 + w'R_u)``. A product, not linear: it can be evaluated, not optimised.
"""

from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np
from numpy.typing import NDArray

from portfolio.asset_vector import AssetValues, asset_vector
from tsgen.errors import ConfigError, DataError
from tsgen.scenario_set import ScenarioSet

LinearConvention = Literal["buy_and_hold", "rebalanced"]
WealthConvention = Literal["buy_and_hold", "rebalanced", "rebalanced_compounded"]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class LinearWealth:
    """Cumulative gain per unit of weight, so that wealth is ``1 + gains @ w`` on every path.

    Parameters
    ----------
    gains : ndarray of shape (scenario, time, asset), float64
        Decimals of initial wealth; entry ``t`` is after period ``t``.
    probabilities : ndarray of shape (scenario,), float64
        Positive, summing to one: impossible scenarios have been left out.
    assets : tuple of str
    convention : {"buy_and_hold", "rebalanced"}

    Examples
    --------
    >>> s = ScenarioSet([[[0.1], [0.1]]], assets=["A"], kind="simple")
    >>> linear_wealth(s, "buy_and_hold").paths(np.array([1.0])).round(4).tolist()
    [[1.1, 1.21]]
    >>> linear_wealth(s, "rebalanced").paths(np.array([1.0])).round(4).tolist()
    [[1.1, 1.2]]
    """

    gains: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    assets: tuple[str, ...]
    convention: LinearConvention

    @property
    def outcomes(self) -> NDArray[np.float64]:
        """Gain at the end of the horizon per unit of weight, shape (scenario, asset)."""
        return self.gains[:, -1, :]

    def paths(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Wealth after each period, shape (scenario, time); the start, 1, is not repeated."""
        return 1.0 + self.gains @ weights


def linear_wealth(scenarios: ScenarioSet, convention: LinearConvention = "buy_and_hold") -> LinearWealth:
    """Wealth of fixed weights as a linear function of them.

    Parameters
    ----------
    scenarios : ScenarioSet
    convention : {"buy_and_hold", "rebalanced"}
        See the description of the module.

    Returns
    -------
    LinearWealth

    Raises
    ------
    ConfigError
        If the convention is unknown, or is the compounded one, which is not linear.
    DataError
        If a simple return is below -1.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1]], [[-0.1]]], assets=["A"], kind="simple", probabilities=[1.0, 0.0])
    >>> linear_wealth(s).gains.shape
    (1, 1, 1)
    """
    _check_convention(convention)
    if convention not in get_args(LinearConvention):
        raise ConfigError(
            "wealth 'rebalanced_compounded' is a product over periods and not linear in the weights, so it can be "
            "evaluated but not optimised. Optimise with 'rebalanced' or 'buy_and_hold' and evaluate with this one."
        )
    _check_returns(scenarios)
    possible = scenarios.weights > 0
    if convention == "buy_and_hold":
        gains = scenarios.growth() - 1.0
    else:
        gains = np.cumsum(scenarios.to_kind("simple").returns, axis=1)
    probabilities = scenarios.weights[possible]
    return LinearWealth(
        gains=np.ascontiguousarray(gains[possible]),
        probabilities=probabilities / probabilities.sum(),
        assets=scenarios.assets,
        convention=convention,
    )


def wealth_paths(
    weights: AssetValues, scenarios: ScenarioSet, *, wealth: WealthConvention = "buy_and_hold"
) -> NDArray[np.float64]:
    """Wealth after each period for every scenario, starting from 1.

    Parameters
    ----------
    weights : Series, mapping or array of shape (asset,)
        Fractions of wealth, matched by name.
    scenarios : ScenarioSet
    wealth : {"buy_and_hold", "rebalanced", "rebalanced_compounded"}
        See the description of `portfolio.wealth`.

    Returns
    -------
    ndarray of shape (scenario, time), float64

    Raises
    ------
    ConfigError
        If the convention is unknown.
    DataError, ShapeError
        If weights do not match the assets, or a simple return is below -1.

    Examples
    --------
    >>> s = ScenarioSet([[[0.5], [-0.5]]], assets=["A"], kind="simple")
    >>> wealth_paths([1.0], s, wealth="rebalanced_compounded").tolist()
    [[1.5, 0.75]]
    """
    _check_convention(wealth)
    _check_returns(scenarios)
    w = asset_vector(weights, scenarios.assets, what="weights")
    if wealth == "buy_and_hold":
        return 1.0 + (scenarios.growth() - 1.0) @ w
    earned = scenarios.to_kind("simple").returns @ w
    if wealth == "rebalanced":
        return 1.0 + np.cumsum(earned, axis=1)
    return np.cumprod(1.0 + earned, axis=1, dtype=np.float64)


def _check_convention(convention: str) -> None:
    known = get_args(WealthConvention)
    if convention not in known:
        raise ConfigError(f"wealth must be one of {', '.join(map(repr, known))}: got {convention!r}.")


def _check_returns(scenarios: ScenarioSet) -> None:
    if scenarios.kind == "simple" and float(scenarios.returns.min()) < -1.0:
        raise DataError(
            f"a simple return below -1 loses more than everything and cannot be compounded: the smallest is "
            f"{scenarios.returns.min():.6g}. Model log returns, or repair the scenarios."
        )
