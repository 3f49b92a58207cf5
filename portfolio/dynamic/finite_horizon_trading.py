"""Trading towards an aim over a finite number of periods: the recursion of Garleanu and Pedersen backwards from zero.

Above `garleanu_pedersen`, whose solution it approaches as the horizon grows.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from portfolio.dynamic.garleanu_pedersen import TradingSolution
from portfolio.dynamic.trading_problem import TradingProblem
from tsgen.errors import ConfigError

Matrix = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class FiniteHorizonTrading:
    """Optimal trading when the last return is earned after ``horizon`` periods.

    Parameters
    ----------
    steps : tuple of TradingSolution
        One per period; entry t holds the value with ``horizon - t`` periods to go.

    Examples
    --------
    >>> solution = finite_horizon_trading(loadings=[[1.0]], mean_reversion=[0.2], covariance=[[1.0]], costs=[[10.0]],
    ...                                   risk_aversion=5.0, discount=0.98, horizon=3)
    >>> [round(float(step.trading_rate[0, 0]), 4) for step in solution.steps]  # less eager towards the end
    [0.4817, 0.4482, 0.3289]
    """

    steps: tuple[TradingSolution, ...]

    @property
    def horizon(self) -> int:
        """Number of periods."""
        return len(self.steps)

    def at(self, period: int) -> TradingSolution:
        """Solution for the trade of one period, counted from 0.

        Raises
        ------
        ConfigError
            If the period is not between 0 and ``horizon - 1``.
        """
        if isinstance(period, bool) or not isinstance(period, (int, np.integer)) or not 0 <= period < self.horizon:
            raise ConfigError(f"period must be an integer from 0 to {self.horizon - 1}: got {period!r}.")
        return self.steps[int(period)]

    def trade(self, period: int, position: ArrayLike, factors: ArrayLike) -> Matrix:
        """Trade of one period; see `TradingSolution.trade`."""
        return self.at(period).trade(position, factors)


def finite_horizon_trading(
    *,
    loadings: ArrayLike,
    mean_reversion: ArrayLike,
    covariance: ArrayLike,
    costs: ArrayLike,
    risk_aversion: float,
    discount: float,
    horizon: int,
) -> FiniteHorizonTrading:
    r"""As `garleanu_pedersen`, for a finite number of periods: the Riccati recursion backwards from zero.

    Parameters
    ----------
    loadings, mean_reversion, covariance, costs, risk_aversion, discount
        As in `garleanu_pedersen`.
    horizon : int
        Number of trades, each followed by one return.

    Returns
    -------
    FiniteHorizonTrading

    Raises
    ------
    ShapeError, DataError, ConfigError
        If an input is unusable.

    References
    ----------
    Garleanu and Pedersen (2013), equations A.12-A.15, iterated from zero.

    Examples
    --------
    One period is the myopic trade, ``(1 - rho) B f / (gamma Sigma (1 - rho) + Lambda)`` from a position of zero:

    >>> solution = finite_horizon_trading(loadings=[[1.0]], mean_reversion=[0.2], covariance=[[1.0]], costs=[[10.0]],
    ...                                   risk_aversion=5.0, discount=0.98, horizon=1)
    >>> bool(np.isclose(solution.trade(0, [0.0], [0.1])[0], 0.98 * 0.1 / (0.98 * 5.0 + 10.0)))
    True
    """
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or horizon < 1:
        raise ConfigError(f"horizon must be a positive number of periods: got {horizon!r}.")
    problem = TradingProblem(
        loadings=loadings,  # pyright: ignore[reportArgumentType]  (converted and checked there)
        mean_reversion=mean_reversion,  # pyright: ignore[reportArgumentType]
        covariance=covariance,  # pyright: ignore[reportArgumentType]
        costs=costs,  # pyright: ignore[reportArgumentType]
        risk_aversion=risk_aversion,
        discount=discount,
    )
    n, k = problem.n_assets, problem.n_factors
    following = TradingSolution(
        problem=problem,
        position_value=np.zeros((n, n)),
        factor_loading=np.zeros((n, k)),
        factor_value=np.zeros((k, k)),
    )
    steps = []
    for _ in range(int(horizon)):
        following = _one_period_earlier(problem, following)
        steps.append(following)
    return FiniteHorizonTrading(steps=tuple(reversed(steps)))


def _one_period_earlier(problem: TradingProblem, later: TradingSolution) -> TradingSolution:
    delta, keep, spread = problem.discount, problem.persistence, problem.costs / problem.discount
    curvature = problem.risk_aversion * problem.covariance + spread + later.position_value
    pull = problem.loadings + later.factor_loading @ keep
    answer = np.linalg.solve(curvature, np.hstack([spread, pull]))
    n = problem.n_assets
    position_value = delta * (spread - spread @ answer[:, :n])
    return TradingSolution(
        problem=problem,
        position_value=(position_value + position_value.T) / 2,
        factor_loading=delta * spread @ answer[:, n:],
        factor_value=delta * (pull.T @ answer[:, n:] + keep.T @ later.factor_value @ keep),
    )
