r"""Trading towards an aim: the closed form of Garleanu and Pedersen.

The value is :math:`V(x, f) = -\tfrac12 x'A_{xx}x + x'A_{xf}f + \tfrac12 f'A_{ff}f + A_0`, the policy
:math:`\Delta x_t = \Lambda^{-1} A_{xx} (\mathrm{aim}_t - x_{t-1})` with
:math:`\mathrm{aim}_t = A_{xx}^{-1} A_{xf} f_t`. Above `trading_problem`.
"""

from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from portfolio.dynamic.checked_arrays import finite_array
from portfolio.dynamic.linear_quadratic import solve_regulator
from portfolio.dynamic.trading_problem import TradingProblem
from tsgen.errors import ConfigError

Matrix = NDArray[np.float64]
Method = Literal["explicit", "riccati"]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TradingSolution:
    """Value function of a trading problem, and the trades that follow from it.

    Parameters
    ----------
    problem : TradingProblem
    position_value : ndarray of shape (asset, asset)
        ``A_xx``.
    factor_loading : ndarray of shape (asset, factor)
        ``A_xf``.
    factor_value : ndarray of shape (factor, factor)
        ``A_ff``.

    Examples
    --------
    >>> solution = garleanu_pedersen(loadings=[[1.0]], mean_reversion=[0.2], covariance=[[1.0]], costs=[[10.0]],
    ...                              risk_aversion=5.0, discount=0.98)
    >>> solution.trading_rate.round(10).tolist()
    [[0.4932587005]]
    >>> bool(np.isclose(solution.trade([0.0], [0.1]), 0.4932587005 * solution.aim([0.1]))[0])
    True
    """

    problem: TradingProblem
    position_value: Matrix
    factor_loading: Matrix
    factor_value: Matrix

    @property
    def trading_rate(self) -> Matrix:
        """``Lambda^-1 A_xx`` of shape (asset, asset): share of the way to the aim that is traded in one period."""
        return np.asarray(np.linalg.solve(self.problem.costs, self.position_value), dtype=np.float64)

    def aim(self, factors: ArrayLike) -> Matrix:
        """Position at which one would not trade.

        Parameters
        ----------
        factors : array of shape (factor,) or (..., factor)

        Returns
        -------
        ndarray of shape (asset,) or (..., asset)
        """
        f = _last_axis(factors, self.problem.n_factors, "factors")
        return f @ np.linalg.solve(self.position_value, self.factor_loading).T

    def trade(self, position: ArrayLike, factors: ArrayLike) -> Matrix:
        """Trade of this period: what to add to the position held.

        Parameters
        ----------
        position : array of shape (asset,) or (..., asset)
            Held before the trade.
        factors : array of shape (factor,) or (..., factor)
            Known now; they predict the return of the next period.

        Returns
        -------
        ndarray of shape (asset,) or (..., asset)

        Raises
        ------
        ShapeError, DataError
            If lengths do not fit or values are not finite.
        """
        x = _last_axis(position, self.problem.n_assets, "position")
        f = _last_axis(factors, self.problem.n_factors, "factors")
        return (f @ self.factor_loading.T - x @ self.position_value) @ np.linalg.inv(self.problem.costs)

    def value(
        self, position: ArrayLike, factors: ArrayLike, *, factor_noise: ArrayLike | None = None
    ) -> NDArray[np.float64] | float:
        r"""Expected discounted utility from now on, before this period's trade.

        Parameters
        ----------
        position, factors : arrays
            As in `trade`.
        factor_noise : array of shape (factor, factor), optional
            Covariance of :math:`\varepsilon`; adds the constant
            :math:`A_0 = \tfrac{1-\rho}{2\rho} \mathrm{tr}(A_{ff} \Omega)` of the infinite horizon. Without it the
            constant, on which no decision depends, is left out.

        Raises
        ------
        ConfigError
            If noise is given and nothing is discounted: the value is infinite.
        """
        x = _last_axis(position, self.problem.n_assets, "position")
        f = _last_axis(factors, self.problem.n_factors, "factors")
        quadratic = -0.5 * np.einsum("...i,ij,...j", x, self.position_value, x)
        quadratic = quadratic + np.einsum("...i,ij,...j", x, self.factor_loading, f)
        total = quadratic + 0.5 * np.einsum("...i,ij,...j", f, self.factor_value, f)
        if factor_noise is not None:
            noise = finite_array(factor_noise, (self.problem.n_factors,) * 2, "factor_noise (factor, factor)")
            delta = self.problem.discount
            if delta == 1.0:
                raise ConfigError("with discount=1 and noisy factors the value is infinite. Use a discount below 1.")
            total = total + 0.5 * delta / (1.0 - delta) * float(np.trace(self.factor_value @ noise))
        return float(total) if np.ndim(total) == 0 else total


def garleanu_pedersen(
    *,
    loadings: ArrayLike,
    mean_reversion: ArrayLike,
    covariance: ArrayLike,
    costs: ArrayLike,
    risk_aversion: float,
    discount: float,
    method: Method = "explicit",
) -> TradingSolution:
    r"""Optimal trading with predictable returns and quadratic costs, for ever.

    With :math:`\bar\Lambda = \Lambda/(1-\rho)` and :math:`N = \gamma\bar\Lambda^{-1/2}\Sigma\bar\Lambda^{-1/2}`:
    :math:`A_{xx} = \bar\Lambda^{1/2} [(\tfrac14 (N + \rho I)^2 + (1-\rho)N)^{1/2} - \tfrac12 (N + \rho I)]
    \bar\Lambda^{1/2}`, and :math:`A_{xf} = (1-\rho)\bar\Lambda J^{-1}(B + A_{xf}(I - \Phi))` with
    :math:`J = \gamma\Sigma + \bar\Lambda + A_{xx}`.

    Parameters
    ----------
    loadings : array of shape (asset, factor)
        B of :math:`r_{t+1} = B f_t + u_{t+1}`, decimals per period and unit of factor.
    mean_reversion : array of shape (factor, factor) or (factor,)
        :math:`\Phi` of :math:`f_{t+1} = (I - \Phi) f_t + \varepsilon_{t+1}`; a vector is its diagonal.
    covariance : array of shape (asset, asset)
        :math:`\Sigma` of u, per period.
    costs : array of shape (asset, asset) or QuadraticCost
        :math:`\Lambda` of the cost :math:`\tfrac12 \Delta x'\Lambda\Delta x`; positive definite.
    risk_aversion : float
        :math:`\gamma`, positive.
    discount : float
        The **factor** :math:`1 - \rho` per period: 0.98 for a rate of 2 %.
    method : {"explicit", "riccati"}
        The formula above, or the general Riccati equation with state (position, factors). They agree to rounding.

    Returns
    -------
    TradingSolution
        With ``trading_rate``, ``aim(factors)``, ``trade(position, factors)`` and ``value(position, factors)``.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If an input is unusable.

    Notes
    -----
    Positions are amounts that returns do not move; limits on positions are ignored. With limits use `plan_trades`.

    References
    ----------
    Garleanu and Pedersen (2013), "Dynamic trading with predictable returns and transaction costs", propositions 1-3
    and equations A.12-A.20.

    Examples
    --------
    Costs proportional to risk, the case of the paper's equation 12:

    >>> solution = garleanu_pedersen(loadings=[[1.0]], mean_reversion=[0.2], covariance=[[1.0]], costs=[[10.0]],
    ...                              risk_aversion=5.0, discount=0.98)
    >>> round(float(solution.position_value[0, 0]), 10)
    4.9325870053
    """
    if method not in get_args(Method):
        raise ConfigError(f"method must be one of {', '.join(map(repr, get_args(Method)))}: got {method!r}.")
    problem = TradingProblem(
        loadings=loadings,  # pyright: ignore[reportArgumentType]  (converted and checked there)
        mean_reversion=mean_reversion,  # pyright: ignore[reportArgumentType]
        covariance=covariance,  # pyright: ignore[reportArgumentType]
        costs=costs,  # pyright: ignore[reportArgumentType]
        risk_aversion=risk_aversion,
        discount=discount,
    )
    return _explicit(problem) if method == "explicit" else _riccati(problem)


def _explicit(problem: TradingProblem) -> TradingSolution:
    delta, rho = problem.discount, 1.0 - problem.discount
    scale, axes = np.linalg.eigh(problem.costs / delta)
    root = (axes * np.sqrt(scale)) @ axes.T
    inverse_root = (axes / np.sqrt(scale)) @ axes.T
    n, modes = np.linalg.eigh(problem.risk_aversion * inverse_root @ problem.covariance @ inverse_root)
    half = 0.5 * (n + rho)
    # the difference sqrt(half^2 + (1 - rho) n) - half without cancellation
    y = delta * n / (np.sqrt(half**2 + delta * n) + half)
    basis = root @ modes
    position_value = (basis * y) @ basis.T
    # in this basis (1 - rho) Lbar J^-1 is diagonal: one small linear system per mode
    kept = delta / (n + 1.0 + y)
    earned = kept[:, None] * (modes.T @ inverse_root @ problem.loadings)
    systems = np.eye(problem.n_factors) - kept[:, None, None] * problem.persistence.T
    rows = np.asarray(np.linalg.solve(systems, earned[:, :, None])[:, :, 0], dtype=np.float64)
    return _with_factor_value(problem, position_value, basis @ rows)


def _riccati(problem: TradingProblem) -> TradingSolution:
    transition, control, state_cost, control_cost, cross = problem.regulator_form()
    solution = solve_regulator(
        transition, control, state_cost, control_cost, discount=problem.discount, cross_cost=cross
    )
    n = problem.n_assets
    return TradingSolution(
        problem=problem,
        position_value=2.0 * solution.value[:n, :n],
        factor_loading=-2.0 * solution.value[:n, n:],
        factor_value=-2.0 * solution.value[n:, n:],
    )


def _with_factor_value(problem: TradingProblem, position_value: Matrix, factor_loading: Matrix) -> TradingSolution:
    delta, keep = problem.discount, problem.persistence
    curvature = problem.risk_aversion * problem.covariance + problem.costs / delta + position_value
    pull = problem.loadings + factor_loading @ keep
    source = delta * pull.T @ np.linalg.solve(curvature, pull)
    # A_ff = source + (1 - rho) keep' A_ff keep
    k = problem.n_factors
    system = np.eye(k * k) - delta * np.kron(keep.T, keep.T)
    factor_value = np.asarray(np.linalg.solve(system, source.reshape(-1)), dtype=np.float64).reshape(k, k)
    return TradingSolution(
        problem=problem, position_value=position_value, factor_loading=factor_loading, factor_value=factor_value
    )


def _last_axis(value: ArrayLike, length: int, what: str) -> Matrix:
    array = np.asarray(value, dtype=np.float64)
    rows = array.reshape(-1, array.shape[-1]) if array.ndim and array.size else array
    return finite_array(rows, (None, length), what).reshape(array.shape)
