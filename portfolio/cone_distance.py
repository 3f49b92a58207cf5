"""How far points are outside the cones of curved terms, and multipliers outside the dual cones."""

import math
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

CONES = (cp.SOC, cp.PowCone3D, cp.ExpCone, cp.PSD)
Vectors = list[NDArray[np.float64]]


def primal_violation(cone: Any, values: Vectors) -> float:
    """Largest violation of the defining inequalities, zero inside.

    Parameters
    ----------
    cone : cvxpy SOC, PowCone3D, ExpCone or PSD
    values : list of ndarray
        Values of its arguments, flattened column by column.

    Returns
    -------
    float

    Examples
    --------
    >>> x = cp.Variable(2)
    >>> primal_violation(cp.SOC(cp.Variable(), x), [np.array([4.0]), np.array([3.0, 4.0])])
    1.0
    """
    if isinstance(cone, cp.SOC):
        return max(float(np.linalg.norm(values[1]) - values[0][0]), 0.0)
    if isinstance(cone, cp.PSD):
        return max(-_smallest_eigenvalue(values[0]), 0.0)
    x, y, z = values
    if isinstance(cone, cp.PowCone3D):
        alpha = np.broadcast_to(np.asarray(cone.alpha.value, dtype=np.float64).ravel(), x.shape)
        reach = np.maximum(x, 0.0) ** alpha * np.maximum(y, 0.0) ** (1.0 - alpha)
        return _largest(np.abs(z) - reach, -x, -y)
    return _largest(_exponential(x, y) - z, -y, np.where(y > 0, 0.0, x))


def dual_violation(cone: Any, duals: Vectors) -> float:
    """As `primal_violation`, of multipliers and the dual cone.

    Examples
    --------
    >>> x = cp.Variable(2)
    >>> dual_violation(cp.SOC(cp.Variable(), x), [np.array([5.0]), np.array([3.0, 4.0])])
    0.0
    """
    if isinstance(cone, (cp.SOC, cp.PSD)):
        return primal_violation(cone, duals)
    u, v, w = duals
    if isinstance(cone, cp.PowCone3D):
        alpha = np.broadcast_to(np.asarray(cone.alpha.value, dtype=np.float64).ravel(), u.shape)
        reach = (np.maximum(u, 0.0) / alpha) ** alpha * (np.maximum(v, 0.0) / (1.0 - alpha)) ** (1.0 - alpha)
        return _largest(np.abs(w) - reach, -u, -v)
    # -u exp(v/u - 1) <= w for u < 0
    return _largest(_exponential(v - u, u, sign=-1.0) - w, u, np.where(u < 0, 0.0, -v))


def _exponential(x: NDArray[np.float64], y: NDArray[np.float64], sign: float = 1.0) -> NDArray[np.float64]:
    """``|y| exp(x / y)`` where y has the sign, else 0; the exponent is kept within float range."""
    inside = sign * y > 0
    ratio = np.divide(x, y, out=np.full_like(x, -700.0), where=inside)
    return np.where(inside, np.abs(y) * np.exp(np.clip(ratio, -700.0, 700.0)), 0.0)


def _smallest_eigenvalue(flat: NDArray[np.float64]) -> float:
    size = math.isqrt(len(flat))
    matrix = flat.reshape(size, size, order="F")
    return float(np.linalg.eigvalsh((matrix + matrix.T) / 2.0)[0])


def _largest(*violations: NDArray[np.float64]) -> float:
    return max(0.0, *(float(one.max()) for one in violations))
