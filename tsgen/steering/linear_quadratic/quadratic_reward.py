r"""Rewards that are quadratic in the whole path: :math:`r(x) = x'Qx/2 + c'x + k`."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import DataError, ShapeError
from tsgen.marketdata.known_processes.covariance_matrix import checked_symmetric

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class QuadraticReward:
    """A quadratic reward of the finished path, flattened time-major (assets vary fastest).

    Parameters
    ----------
    hessian : ndarray of shape (state, state), float64
        Symmetric; negative semi-definite for a concave reward.
    gradient : ndarray of shape (state,), float64
    constant : float

    Raises
    ------
    ShapeError, DataError
        If shapes disagree, values are not finite, or the Hessian is not symmetric.

    Examples
    --------
    >>> QuadraticReward.linear([1.0, -1.0]).value(np.array([3.0, 1.0]))
    2.0
    """

    hessian: Floats
    gradient: Floats
    constant: float = 0.0

    def __post_init__(self) -> None:
        hessian = checked_symmetric(self.hessian, name="hessian")
        gradient = np.array(self.gradient, dtype=np.float64)
        if hessian.ndim != 2 or gradient.shape != (hessian.shape[0],):
            raise ShapeError(
                f"hessian and gradient must belong together: got shapes {hessian.shape} and {gradient.shape}."
            )
        if not np.isfinite(gradient).all() or not np.isfinite(self.constant):
            raise DataError("gradient and constant must be finite.")
        object.__setattr__(self, "hessian", hessian)
        object.__setattr__(self, "gradient", gradient)
        object.__setattr__(self, "constant", float(self.constant))

    @classmethod
    def linear(cls, gradient: ArrayLike) -> Self:
        """The reward ``c'x``."""
        c = np.asarray(gradient, dtype=np.float64)
        return cls(hessian=np.zeros((c.size, c.size)), gradient=c.reshape(-1))

    @classmethod
    def near(cls, target: float, *, direction: ArrayLike, weight: float = 1.0) -> Self:
        r"""The concave reward :math:`-w (a'x - c)^2 / 2`: a linear statistic of the path near a target.

        Examples
        --------
        >>> QuadraticReward.near(1.0, direction=[1.0, 1.0], weight=2.0).value(np.array([0.0, 0.0]))
        -1.0
        """
        a = np.asarray(direction, dtype=np.float64).reshape(-1)
        return cls(hessian=-weight * np.outer(a, a), gradient=weight * target * a, constant=-0.5 * weight * target**2)

    def value(self, path: Floats) -> float:
        """The reward of one path of shape (state,)."""
        return float(0.5 * path @ self.hessian @ path + self.gradient @ path + self.constant)
