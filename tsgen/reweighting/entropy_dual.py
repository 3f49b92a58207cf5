r"""Newton's method on the dual of minimum relative entropy.

:math:`\min_q KL(q|p)` subject to :math:`E_q z_j = 0` (or :math:`\le`, :math:`\ge`) has the solution
:math:`q_s = p_s \exp(\lambda' z_s - \psi(\lambda))`, where :math:`\lambda` minimises the smooth convex
:math:`\psi(\lambda) = \ln \sum_s p_s \exp(\lambda' z_s)` over the signs that the relations allow. Its gradient is
:math:`E_q z`, its Hessian :math:`Cov_q z`, and :math:`KL(q^*|p) = -\psi(\lambda^*)`. Pure arrays: knows no views.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

Floats = NDArray[np.float64]
# below this predicted decrease psi's own rounding (1e-16 of its size) hides the truth: take the full Newton step
_INVISIBLE_DECREASE = 1e-13
# relative to the largest variance: keeps the Newton system solvable for repeated views and collapsed posteriors
_RIDGE = 1e-13
# of a multiplier of a standardised feature; moves its mean by no more than that
_ROUNDING = 1e-13
# numbers in one block of features: half a megabyte, measured twice as fast as the whole product at once
_BLOCK = 65_536


class Tilt(NamedTuple):
    """The exponential tilt at one multiplier."""

    log_partition: float
    probabilities: Floats
    gradient: Floats


class DualSolution(NamedTuple):
    """Where Newton's method ended.

    ``status`` is "converged", "infeasible" (with a proof: see `solve_dual`) or "stalled".
    """

    multipliers: Floats
    log_partition: float
    probabilities: Floats
    residual: float
    iterations: int
    status: Literal["converged", "infeasible", "stalled"]


def tilted(features: Floats, prior: Floats, multipliers: Floats) -> Tilt:
    """Probabilities ``p exp(lambda'z - psi)``, their log-partition psi and the means of the features.

    Parameters
    ----------
    features : ndarray of shape (view, scenario), float64
    prior : ndarray of shape (scenario,), float64
        Positive, summing to one.
    multipliers : ndarray of shape (view,), float64

    Examples
    --------
    >>> t = tilted(np.array([[0.0, 1.0]]), np.array([0.5, 0.5]), np.array([np.log(3.0)]))
    >>> t.probabilities.round(6).tolist(), round(t.log_partition, 6)
    ([0.25, 0.75], 0.693147)
    """
    exponent = multipliers @ features
    top = float(exponent.max())
    exponent -= top
    weights = np.exp(exponent, out=exponent)
    weights *= prior
    total = float(weights.sum())
    weights /= total
    return Tilt(top + float(np.log(total)), weights, features @ weights)


def solve_dual(
    features: Floats,
    prior: Floats,
    *,
    lower: Floats,
    upper: Floats,
    start: Floats,
    tolerance: float,
    max_iterations: int,
) -> DualSolution:
    """Minimise the log-partition function over a box of multipliers.

    Parameters
    ----------
    features : ndarray of shape (view, scenario), float64
        Features less their targets, in units of their prior standard deviation.
    prior : ndarray of shape (scenario,), float64
        Positive, summing to one.
    lower, upper : ndarray of shape (view,), float64
        Signs allowed for the multipliers: 0 or infinite.
    start : ndarray of shape (view,), float64
        First guess; moved into the box.
    tolerance : float
        Largest mean of a feature; where the multiplier is at its bound, only of the wrong sign.
    max_iterations : int

    Returns
    -------
    DualSolution

    Notes
    -----
    Weak duality gives ``KL(q|p) >= -psi(lambda)`` for every feasible q and every allowed multiplier, while no q on
    these scenarios is further from p than ``max_s ln(1 / p_s)``. A larger ``-psi`` therefore *proves* that the
    conditions contradict. Each step minimises the quadratic model within the box, then backtracks (Armijo).

    References
    ----------
    Csiszar (1975), "I-divergence geometry of probability distributions", theorem 3.1.
    Bertsekas (1982), "Projected Newton methods for optimization problems with simple constraints".

    Examples
    --------
    >>> z = np.array([[0.0, 1.0]]) - 0.75
    >>> free = np.array([np.inf])
    >>> found = solve_dual(z, np.full(2, 0.5), lower=-free, upper=free, start=np.zeros(1), tolerance=1e-9,
    ...                    max_iterations=50)
    >>> round(float(found.multipliers[0]), 6), found.status
    (1.098612, 'converged')
    """
    furthest = -float(np.log(prior.min()))
    point = _inside(start, lower, upper)
    here = tilted(features, prior, point)
    iteration = 0
    while True:
        residual = _residual(here.gradient, point, lower, upper)
        status = "converged" if residual <= tolerance else None
        beyond = -here.log_partition - furthest - 1e-6
        if status is None and beyond > 0 and beyond > _rounding(features, point):
            status = "infeasible"
        if status is None and iteration < max_iterations:
            step = _newton_step(features, here, lower - point, upper - point)
            moved = _backtracked(features, prior, point, step, here, lower, upper)
            if moved is not None:
                point, here = moved
                iteration += 1
                continue
        return DualSolution(point, here.log_partition, here.probabilities, residual, iteration, status or "stalled")


def _rounding(features: Floats, point: Floats) -> float:
    """To what psi at a far point is known: about 1e-16 of the largest exponent, times a margin."""
    return 1e-13 * float(np.abs(point) @ np.abs(features).max(axis=1))


def _residual(gradient: Floats, point: Floats, lower: Floats, upper: Floats) -> float:
    """Largest distance of a multiplier from where a unit gradient step within the box would take it."""
    # not the difference of two points: at multipliers of 1e16 it is zero whatever the gradient
    return float(np.abs(np.clip(gradient, point - upper, point - lower)).max(initial=0.0))


def _inside(point: Floats, lower: Floats, upper: Floats) -> Floats:
    """Moved into the box; a bounded multiplier that only rounding keeps from zero is zero."""
    near = (np.abs(point) < _ROUNDING) & (np.isfinite(lower) | np.isfinite(upper))
    return np.clip(np.where(near, 0.0, point), lower, upper)


def second_moments(features: Floats, probabilities: Floats) -> Floats:
    """``E_q z z'`` of features of shape (view, scenario), in blocks of scenarios that stay in a core's cache.

    Examples
    --------
    >>> second_moments(np.array([[1.0, 3.0]]), np.array([0.5, 0.5])).tolist()
    [[5.0]]
    """
    n_views, n_scenarios = features.shape
    width = max(_BLOCK // max(n_views, 1), 1)
    weighted = np.empty((n_views, min(width, n_scenarios)))
    total = np.zeros((n_views, n_views))
    for first in range(0, n_scenarios, width):
        block = features[:, first : first + width]
        scaled = np.multiply(block, probabilities[first : first + width], out=weighted[:, : block.shape[1]])
        total += scaled @ block.T
    return total


def _newton_step(features: Floats, here: Tilt, lowest: Floats, highest: Floats) -> Floats:
    """Minimiser of the quadratic model over the box ``lowest <= step <= highest``."""
    gradient = here.gradient
    hessian = second_moments(features, here.probabilities) - np.outer(gradient, gradient)
    size = max(float(np.diag(hessian).max()), 1e-14)
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    root = np.sqrt(np.maximum(values, _RIDGE * size))
    # model = |A step + c|^2 / 2 with A = root V', c = root^-1 V' g
    pushed = (vectors.T @ gradient) / root
    step = -vectors @ (pushed / root)
    if np.all(step >= lowest) and np.all(step <= highest):
        return step
    reduced = _step_on_face(hessian + _RIDGE * size * np.eye(len(step)), gradient, lowest, highest)
    if reduced is not None:
        return reduced
    # in units of the gradient: the box solver's tolerances are absolute
    unit = float(np.linalg.norm(gradient))
    solved = lsq_linear(
        root[:, None] * vectors.T, -pushed / unit, bounds=(lowest / unit, highest / unit), method="bvls", tol=1e-14
    )
    return np.clip(solved.x * unit, lowest, highest)


def _step_on_face(hessian: Floats, gradient: Floats, lowest: Floats, highest: Floats) -> Floats | None:
    """Minimiser of the model with the multipliers that are pushed against their bounds held there.

    It is the minimiser over the whole box if no free multiplier leaves the box and no held one wants to come back;
    ``None`` otherwise.
    """
    held = ((lowest >= 0) & (gradient > 0)) | ((highest <= 0) & (gradient < 0))
    free = ~held
    step = np.zeros(len(gradient))
    try:
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], -gradient[free])
    except np.linalg.LinAlgError:
        return None
    pull = gradient + hessian @ step
    stays = np.where(gradient > 0, pull >= 0, pull <= 0) | free
    inside = np.isfinite(step) & (step >= lowest) & (step <= highest)
    return step if bool((stays & inside).all()) else None


def _backtracked(
    features: Floats, prior: Floats, point: Floats, step: Floats, here: Tilt, lower: Floats, upper: Floats
) -> tuple[Floats, Tilt] | None:
    predicted = float(here.gradient @ step)
    if predicted >= 0:
        return None
    size = 1.0
    for _ in range(80):
        there = _inside(point + size * step, lower, upper)
        trial = tilted(features, prior, there)
        invisible = -predicted * size < _INVISIBLE_DECREASE * (1 + abs(here.log_partition))
        if invisible or trial.log_partition <= here.log_partition + 1e-4 * size * predicted:
            return there, trial
        size *= 0.5
    return None
