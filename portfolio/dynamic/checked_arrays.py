"""Checks of matrices and settings that all of `portfolio.dynamic` shares. Bottom of the folder."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from portfolio.asset_vector import asset_vector
from portfolio.constraints import finite_number
from portfolio.costs import Cost, QuadraticCost
from tsgen.errors import ConfigError, DataError, ShapeError

# symmetric up to the rounding of a few products
_ROUNDING = 1e-9


def finite_array(value: ArrayLike, shape: tuple[int | None, ...], what: str) -> NDArray[np.float64]:
    """Read-only float64 copy of the given shape; ``None`` in ``shape`` is any length.

    Raises
    ------
    ShapeError
        If the shape differs.
    DataError
        If entries are not finite numbers.

    Examples
    --------
    >>> finite_array([[1, 2]], (None, 2), "loadings").shape
    (1, 2)
    """
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be an array of numbers: got {type(value).__name__}.") from error
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = tuple("any" if n is None else n for n in shape)
        raise ShapeError(f"{what} must have shape {wanted}: got {array.shape}. Check the order of its axes.")
    if not np.isfinite(array).all():
        raise DataError(f"{what} must be finite: {int((~np.isfinite(array)).sum())} values are not. Repair its source.")
    array.flags.writeable = False
    return array


def positive_definite(value: ArrayLike, size: int | None, what: str) -> NDArray[np.float64]:
    """Read-only symmetric positive definite matrix of shape (size, size).

    Raises
    ------
    ShapeError, DataError
        If it is not square of that size, not symmetric or not positive definite.

    Examples
    --------
    >>> positive_definite([[2.0]], 1, "covariance").tolist()
    [[2.0]]
    """
    array = finite_array(value, (size, size), what)
    if array.shape[0] != array.shape[1]:
        raise ShapeError(f"{what} must be square: got shape {array.shape}.")
    gap, largest = float(np.abs(array - array.T).max()), float(np.abs(array).max())
    if gap > _ROUNDING * largest:
        raise DataError(f"{what} must be symmetric: entries differ from their mirror image by up to {gap:.3g}.")
    symmetric = (array + array.T) / 2
    values = np.linalg.eigvalsh(symmetric)
    if values[0] <= len(values) * np.finfo(np.float64).eps * values[-1]:
        raise DataError(
            f"{what} must be positive definite: its smallest eigenvalue is {values[0]:.3g}. "
            "Estimate it from more rows, or shrink it towards its diagonal."
        )
    symmetric.flags.writeable = False
    return symmetric


def cost_matrix(
    costs: "ArrayLike | Cost", n_assets: int | None = None, assets: tuple[str, ...] | None = None
) -> NDArray[np.float64]:
    r"""The matrix :math:`\Lambda` of the trading cost :math:`\tfrac12 \Delta x' \Lambda \Delta x`.

    Parameters
    ----------
    costs : array of shape (asset, asset) or QuadraticCost
        A `QuadraticCost` charges ``rate_i * trade_i**2``, so that its matrix is ``2 * diag(rate)``.
    n_assets : int
    assets : tuple of str, optional
        Needed where rates are given by name.

    Raises
    ------
    ConfigError
        If the cost is not quadratic, or names cannot be matched.
    ShapeError, DataError
        If the matrix is unusable.

    Examples
    --------
    >>> cost_matrix(QuadraticCost(0.01), 2).tolist()
    [[0.02, 0.0], [0.0, 0.02]]
    """
    if isinstance(costs, QuadraticCost):
        if assets is None and not isinstance(costs.rate, float):
            raise ConfigError("cost rates by name need the names of the assets: give one rate for all, or a matrix.")
        names = assets if assets is not None else tuple(str(i) for i in range(n_assets or 0))
        return positive_definite(np.diag(2.0 * asset_vector(costs.rate, names, what="cost rates", scalar=True)), None,
                                 "the cost matrix")  # fmt: skip
    if isinstance(costs, Cost) or np.ndim(costs) == 0:
        raise ConfigError(
            "dynamic trading in closed form needs quadratic costs: a matrix Lambda of the cost 1/2 dx' Lambda dx (for "
            f"costs proportional to risk, lambda * covariance) or a QuadraticCost. Got {costs!r}."
        )
    return positive_definite(costs, n_assets, "the cost matrix")


def checked_discount(value: float, *, below_one: bool = False) -> float:
    """The discount factor per period, ``1 - rho``; between 0.5 and 1.

    Raises
    ------
    ConfigError
        If it is outside; the rate ``rho`` given by mistake lands there.

    Examples
    --------
    >>> checked_discount(0.98)
    0.98
    """
    factor = finite_number(value, "discount")
    if not 0.5 <= factor <= 1.0 or (below_one and factor == 1.0):
        upper = "below 1" if below_one else "at most 1"
        raise ConfigError(
            f"discount is the factor 1 - rho by which the next period counts less, at least 0.5 and {upper}: got "
            f"{factor:g}. A discount rate of 2 % per period is discount=0.98."
        )
    return factor
