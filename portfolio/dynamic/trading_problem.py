r"""The linear-quadratic trading problem: predictable returns, risk, quadratic costs of trading.

:math:`r_{t+1} = B f_t + u_{t+1}`, :math:`\mathrm{Var}\,u = \Sigma`,
:math:`f_{t+1} = (I - \Phi) f_t + \varepsilon_{t+1}`; maximise
:math:`E \sum_t [(1-\rho)^{t+1} (x_t' r_{t+1} - \tfrac{\gamma}{2} x_t'\Sigma x_t) - \tfrac12 (1-\rho)^t \Delta x_t'
\Lambda \Delta x_t]`. Positions are amounts, trades change them one to one. Above `linear_quadratic`.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from portfolio.dynamic.checked_arrays import checked_discount, cost_matrix, finite_array, positive_definite
from portfolio.mean_risk_problem import checked_risk_aversion
from tsgen.errors import DataError

Matrix = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TradingProblem:
    """Checked inputs of a trading problem.

    Parameters
    ----------
    loadings : array of shape (asset, factor)
        B: expected return of the next period per unit of each factor, decimals.
    mean_reversion : array of shape (factor, factor) or (factor,)
        Phi; a vector is its diagonal.
    covariance : array of shape (asset, asset)
        Sigma, of the unpredictable part of one period's returns.
    costs : array of shape (asset, asset) or QuadraticCost
        Lambda of the cost ``1/2 dx' Lambda dx``.
    risk_aversion : float
    discount : float
        Factor ``1 - rho`` per period.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If an input is unusable, or factors grow faster than the discount.

    Examples
    --------
    >>> problem = TradingProblem(loadings=[[1.0]], mean_reversion=[0.2], covariance=[[0.04]], costs=[[0.4]],
    ...                          risk_aversion=5.0, discount=0.98)
    >>> problem.n_assets, problem.persistence.tolist()
    (1, [[0.8]])
    """

    loadings: Matrix
    mean_reversion: Matrix
    covariance: Matrix
    costs: Matrix
    risk_aversion: float
    discount: float

    def __post_init__(self) -> None:
        covariance = positive_definite(self.covariance, None, "covariance")
        n_assets = len(covariance)
        loadings = finite_array(self.loadings, (n_assets, None), "loadings (asset, factor)")
        n_factors = loadings.shape[1]
        given = np.asarray(self.mean_reversion, dtype=object)
        if given.ndim == 1:
            reversion = np.diag(finite_array(self.mean_reversion, (n_factors,), "mean_reversion"))
        else:
            reversion = finite_array(self.mean_reversion, (n_factors, n_factors), "mean_reversion (factor, factor)")
        fields = {
            "loadings": loadings,
            "mean_reversion": reversion,
            "covariance": covariance,
            "costs": cost_matrix(self.costs, n_assets),
            "risk_aversion": checked_risk_aversion(self.risk_aversion),
            "discount": checked_discount(self.discount),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        radius = float(np.abs(np.linalg.eigvals(self.persistence)).max()) if n_factors else 0.0
        if np.sqrt(self.discount) * radius >= 1.0:
            raise DataError(
                f"factors must die out faster than the future is discounted: the largest eigenvalue of I - Phi is "
                f"{radius:.6g} in size and the discount {self.discount:g}. Is mean_reversion positive (it is 1 minus "
                "the autoregressive coefficient)?"
            )

    @property
    def n_assets(self) -> int:
        """Number of assets."""
        return self.loadings.shape[0]

    @property
    def n_factors(self) -> int:
        """Number of factors."""
        return self.loadings.shape[1]

    @property
    def persistence(self) -> Matrix:
        """``I - Phi``, shape (factor, factor)."""
        return np.eye(self.n_factors) - self.mean_reversion

    def regulator_form(self) -> tuple[Matrix, Matrix, Matrix, Matrix, Matrix]:
        """A, B, Q, R, S of the regulator with state (position, factors) and control trade."""
        n, k = self.n_assets, self.n_factors
        transition = np.zeros((n + k, n + k))
        transition[:n, :n], transition[n:, n:] = np.eye(n), self.persistence
        control = np.vstack([np.eye(n), np.zeros((k, n))])
        risk = 0.5 * self.discount * self.risk_aversion * self.covariance
        earned = 0.5 * self.discount * self.loadings
        state_cost = np.block([[risk, -earned], [-earned.T, np.zeros((k, k))]])
        return transition, control, state_cost, 0.5 * self.costs + risk, np.vstack([risk, -earned.T])
