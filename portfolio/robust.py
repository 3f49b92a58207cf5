"""Uncertain moments: the worst mean of an ellipsoid, the worst covariance of a box.

Both turn the nominal problem into the one against the worst case; they state themselves to a solver
and, the ellipsoid in closed form, evaluate themselves. For shrinkage see `portfolio.shrinkage`.
"""

from dataclasses import dataclass
from typing import final

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from portfolio.constraints import finite_number
from portfolio.decision_model import DecisionModel
from portfolio.moments import HorizonMoments
from tsgen.errors import ConfigError, DataError, ShapeError


@final
@dataclass(frozen=True, eq=False)
class MeanEllipsoid:
    r"""Expected returns anywhere in an ellipsoid around the estimate; the worst one counts.

    :math:`\min_{(m-\mu)'S^{-1}(m-\mu) \le \kappa^2} m'w = \mu'w - \kappa \sqrt{w'Sw}`.

    Parameters
    ----------
    radius : float
        :math:`\kappa \ge 0`: size of the ellipsoid in standard errors. The chi-square quantile root
        ``sqrt(chi2.ppf(0.9, n))`` covers all n means at once.
    covariance : ndarray of shape (asset, asset), optional
        S, covariance of the estimation error in the order of the assets; by default diagonal, from
        ``moments.mean_standard_error``.

    Raises
    ------
    ConfigError
        If the radius is negative or not finite; when used, if there is no S and no standard error.
    ShapeError, DataError
        When used, if S has the wrong shape or is not positive semi-definite.

    References
    ----------
    Ben-Tal and Nemirovski (1999), "Robust solutions of uncertain linear programs", section 3.

    Examples
    --------
    >>> m = HorizonMoments(mean=np.zeros(2), covariance=np.eye(2), assets=("A", "B"), horizon=1)
    >>> MeanEllipsoid(2.0, covariance=np.diag([0.09, 0.16])).value(np.array([1.0, 1.0]), m)
    1.0
    """

    radius: float
    covariance: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        radius = finite_number(self.radius, "radius")
        if radius < 0:
            raise ConfigError(f"radius must not be negative: got {radius:g}. 2 is two standard errors.")
        object.__setattr__(self, "radius", radius)

    def factor(self, moments: HorizonMoments) -> NDArray[np.float64]:
        """Matrix F of shape (asset, rank) with ``F F' = S``."""
        if self.covariance is not None:
            shaped = HorizonMoments(
                mean=moments.mean, covariance=self.covariance, assets=moments.assets, horizon=moments.horizon
            )
            return shaped.factor()
        if moments.mean_standard_error is None:
            raise ConfigError("the moments carry no mean_standard_error: pass MeanEllipsoid(radius, covariance=...).")
        return np.diag(moments.mean_standard_error)

    def value(self, weights: NDArray[np.float64], moments: HorizonMoments) -> float:
        """Expected return lost in the worst case, decimals."""
        return self.radius * float(np.linalg.norm(self.factor(moments).T @ weights))

    def expression(self, model: DecisionModel) -> cp.Expression:
        """Expected return lost in the worst case, convex in the model's variables."""
        factor = self.factor(model.outlook("an uncertain mean").moments)
        if not self.radius or not factor.any():
            return cp.Constant(0.0)
        return self.radius * model.norm(factor.T @ model.weights)


@final
@dataclass(frozen=True, eq=False)
class CovarianceBox:
    r"""Covariance anywhere in :math:`|\Sigma - \hat\Sigma| \le \Delta`, entry by entry, and positive semi-definite.

    The worst variance :math:`\max_\Sigma w'\Sigma w` is stated through its dual, a semidefinite programme;
    weights may be of any sign.

    Parameters
    ----------
    half_width : float, or ndarray of shape (asset, asset)
        :math:`\Delta`, not negative; a number d means :math:`\Delta_{ij} = d \hat\sigma_i \hat\sigma_j`.

    Raises
    ------
    ConfigError, DataError
        If it is negative, not finite or not symmetric.
    ShapeError
        When used, if its shape does not fit the assets.

    References
    ----------
    Halldorsson and Tutuncu (2003), "An interior-point method for a class of saddle-point problems", section 2;
    Lobo and Boyd (2000), "The worst-case risk of a portfolio", section 3.

    Examples
    --------
    >>> CovarianceBox(0.1).half_width
    0.1
    """

    half_width: float | NDArray[np.float64]

    def __post_init__(self) -> None:
        if isinstance(self.half_width, np.ndarray):
            array = np.array(self.half_width, dtype=np.float64)
            symmetric = array.ndim == 2 and array.shape[0] == array.shape[1] and np.array_equal(array, array.T)
            if not symmetric or not np.isfinite(array).all() or (array < 0).any():
                raise DataError("half_width must be a symmetric matrix of finite numbers that are not negative.")
            array.flags.writeable = False
            object.__setattr__(self, "half_width", array)
            return
        width = finite_number(self.half_width, "half_width")
        if width < 0:
            raise ConfigError(f"half_width must not be negative: got {width:g}. 0.1 is a tenth of sigma_i sigma_j.")
        object.__setattr__(self, "half_width", width)

    def widths(self, moments: HorizonMoments) -> NDArray[np.float64]:
        """Delta, shape (asset, asset)."""
        if not isinstance(self.half_width, np.ndarray):
            deviation = np.sqrt(np.diag(moments.covariance))
            return self.half_width * np.outer(deviation, deviation)
        if self.half_width.shape != moments.covariance.shape:
            raise ShapeError(
                f"half_width must have one row and column per asset: expected {moments.covariance.shape}, "
                f"got {self.half_width.shape}."
            )
        return self.half_width

    def worst_variance(self, model: DecisionModel) -> cp.Expression:
        """``max_Sigma w' Sigma w`` in the model's variables."""
        spread, unit = self._spread(model, cp.Constant(1.0))
        return unit * spread

    def worst_volatility(self, model: DecisionModel) -> cp.Expression:
        """Square root of `worst_variance`."""
        # Lambda / t instead of Lambda: w w' / t <= Lambda / t makes <Lambda / t, Sigma> <= t mean variance <= t^2
        deviation = cp.Variable(name="worst_deviation")
        spread, unit = self._spread(model, deviation)
        model.definitions.append(spread - deviation <= 0.0)
        return np.sqrt(unit) * deviation

    def _spread(self, model: DecisionModel, corner: cp.Expression) -> tuple[cp.Expression, float]:
        """Dual value with ``[[P - N, w], [w', corner]]`` positive semi-definite, in units of the largest variance."""
        moments = model.outlook("an uncertain covariance").moments
        widths = self.widths(moments)
        n = len(model.assets)
        unit = float(np.diag(moments.covariance + widths).max()) or 1.0
        above = cp.Variable((n, n), symmetric=True, name="price_of_upper_entries")
        below = cp.Variable((n, n), symmetric=True, name="price_of_lower_entries")
        w = cp.reshape(model.weights, (n, 1), order="F")
        block = cp.bmat([[above - below, w], [w.T, cp.reshape(corner, (1, 1), order="F")]])
        model.definitions += [-above <= 0.0, -below <= 0.0, cp.PSD(block)]
        upper, lower = (moments.covariance + widths) / unit, (moments.covariance - widths) / unit
        first, second = cp.multiply(upper, above), cp.multiply(lower, below)
        return np.ones(n) @ (first - second) @ np.ones(n), unit
