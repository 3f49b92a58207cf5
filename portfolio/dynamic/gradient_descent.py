r"""Policy gradient: descent on the gains with line search and a stability safeguard.

Gradients are exact along the paths (adjoint), or estimated from costs alone: antithetic pairs of orthogonal
directions on common paths. Steps are measured in the metric of the problem (curvature in the control, second moments
of the inputs), in which the Hessian of a linear-quadratic problem is near the identity; or plainly. Above
`control_problem` and `descent_record`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from portfolio.dynamic.control_problem import ControlProblem, Visit
from portfolio.dynamic.descent_record import ROUNDING, DescentResult, DescentSettings, DescentStatus, DescentStep
from tsgen.errors import ConfigError, DataError

Array = NDArray[np.float64]

_ARMIJO = 1e-4
_HALVINGS = 50
# a promised decrease (the squared gradient in the metric) below this share of the cost: the gradient is rounding
_SLOPE_FLOOR = 1e-24
# inputs whose second moments are smaller, relative to the largest, never move: they get no step
_RANK = 1e-12


class _Metric(NamedTuple):
    """Whitened coordinates Z of a step: ``step = left Z right``, on the active inputs."""

    left: Array
    right: Array
    active: NDArray[np.intp]
    size: float

    def step(self, coordinates: Array, shape: tuple[int, int]) -> Array:
        whole = np.zeros(shape)
        whole[:, self.active] = self.left @ coordinates @ self.right
        return whole


def descend(
    problem: ControlProblem,
    start: Array,
    settings: DescentSettings | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> DescentResult:
    r"""Lower the cost from given gains.

    Parameters
    ----------
    problem : ControlProblem
    start : ndarray of shape (control, state + feature)
        For example from `lq_surrogate`; its closed loop must be stable enough for a finite cost.
    settings : DescentSettings, optional
    rng : numpy Generator, optional
        Needed for ``gradient="zeroth_order"``.

    Returns
    -------
    DescentResult

    Raises
    ------
    ConfigError
        If a generator is missing.
    DataError
        If the start is not stable, or the paths explode under it.

    Notes
    -----
    With ``preconditioned`` the direction is :math:`\tfrac12 (R + \delta B'PB)^{-1} \nabla C\, G^{-1}` with G the second
    moments of the inputs: for a linear-quadratic problem one full step is one policy iteration. The cost is not
    convex; from the surrogate start convergence to the global optimum is linear where the features' Lipschitz
    constant is small.

    References
    ----------
    Han, Razaviyayn and Xu (2023), arXiv 2303.08431 (zeroth-order descent, linear rate); Fazel et al. (2018), "Global
    convergence of policy gradient methods for the linear quadratic regulator" (Gauss-Newton step).

    Examples
    --------
    >>> from portfolio.dynamic.feature_maps import NoFeatures
    >>> from portfolio.dynamic.nearly_linear_system import NearlyLinearSystem, QuadraticObjective
    >>> system = NearlyLinearSystem(transition=[[1.0]], control=[[1.0]], nonlinear=np.zeros((1, 0)),
    ...                             features=NoFeatures(n_inputs=1))
    >>> problem = ControlProblem(
    ...     system=system, objective=QuadraticObjective(state_cost=[[1.0]], control_cost=[[1.0]]),
    ...     initial_states=[[1.0]], horizon=20, terminal=[[1.618034]],
    ... )
    >>> descend(problem, np.array([[0.9]])).gains.round(6).tolist()
    [[0.618034]]
    """
    chosen = DescentSettings() if settings is None else settings
    if chosen.gradient == "zeroth_order" and rng is None:
        raise ConfigError("a zeroth-order gradient draws directions: pass rng=numpy.random.default_rng(seed).")
    gains, steps, length = np.array(start, dtype=np.float64), [], 1.0
    if not problem.radius(gains) < chosen.stability_limit:
        raise DataError(
            f"the start must be stable: its discounted closed-loop radius is {problem.radius(gains):.6g}, the limit "
            f"{chosen.stability_limit:.6g}. Start from lq_surrogate(...)."
        )
    status: DescentStatus = "iterations"
    while True:
        visit = problem.visit(gains, gradient=chosen.gradient == "pathwise")
        if len(steps) >= chosen.max_iterations:
            break
        direction, slope = _direction(problem, gains, visit, chosen, rng)
        if slope <= _SLOPE_FLOOR * abs(visit.cost):
            status = "converged"
            break
        trial = 1.0 if chosen.preconditioned else 2.0 * length
        length, refused, unstable = _line_search(problem, gains, visit.cost, direction, slope, trial, chosen)
        if length == 0.0:
            # at the optimum, too, no step lowers the cost by more than rounding
            status = "converged" if slope <= ROUNDING * max(abs(visit.cost), 1e-300) else "no_progress"
            break
        steps.append(DescentStep(gains, visit.cost, slope, length, refused, unstable))
        move = length * direction
        gains = gains - move
        if np.linalg.norm(move) <= chosen.tolerance * (1.0 + np.linalg.norm(gains)):
            status, visit = "converged", problem.visit(gains, gradient=False)
            break
    steps.append(DescentStep(gains, visit.cost, 0.0, 0.0, 0, 0))
    return DescentResult(gains=gains, cost=visit.cost, status=status, steps=tuple(steps))


def zeroth_order_gradient(
    problem: ControlProblem, gains: Array, *, n_directions: int, radius: float, rng: np.random.Generator
) -> Array:
    r"""Gradient of the cost from costs alone, :math:`\frac{D}{2 r n} \sum_i (C(K + rU_i) - C(K - rU_i)) U_i`.

    Parameters
    ----------
    problem : ControlProblem
    gains : ndarray of shape (control, state + feature)
    n_directions : int
        Antithetic pairs n. Directions are orthogonal in groups of D, the number of free gains; each is uniform on the
        unit sphere.
    radius : float
        r, in units of the gains.
    rng : numpy Generator

    Returns
    -------
    ndarray of shape (control, state + feature)

    Notes
    -----
    Unbiased for the gradient of the cost averaged over a sphere of radius r; with n = D the only error is that
    smoothing, of order r squared.

    References
    ----------
    Han, Razaviyayn and Xu (2023), arXiv 2303.08431; Flaxman, Kalai and McMahan (2005), lemma 2.1.

    Examples
    --------
    >>> from portfolio.dynamic.feature_maps import NoFeatures
    >>> from portfolio.dynamic.nearly_linear_system import NearlyLinearSystem, QuadraticObjective
    >>> system = NearlyLinearSystem(transition=[[1.0]], control=[[1.0]], nonlinear=np.zeros((1, 0)),
    ...                             features=NoFeatures(n_inputs=1))
    >>> problem = ControlProblem(
    ...     system=system, objective=QuadraticObjective(state_cost=[[1.0]], control_cost=[[1.0]]),
    ...     initial_states=[[1.0]], horizon=1, terminal=[[1.0]],
    ... )
    >>> rng = np.random.default_rng(0)
    >>> zeroth_order_gradient(problem, np.array([[0.9]]), n_directions=1, radius=1e-3, rng=rng).round(6).tolist()
    [[1.6]]
    """
    metric = _plain(problem, size=radius)
    whitened = _estimate(problem, gains, metric, n_directions, rng)
    return metric.step(whitened, problem.shape)


def _direction(
    problem: ControlProblem, gains: Array, visit: Visit, settings: DescentSettings, rng: np.random.Generator | None
) -> tuple[Array, float]:
    """Step to subtract, and the decrease it promises per unit length."""
    metric = _natural(problem, visit, settings.radius) if settings.preconditioned else _plain(
        problem, size=settings.radius * (1.0 + float(np.linalg.norm(gains)))
    )  # fmt: skip
    if rng is not None and settings.gradient == "zeroth_order":
        count = settings.n_directions or metric.left.shape[1] * metric.right.shape[0]
        whitened = _estimate(problem, gains, metric, count, rng)
    else:
        whitened = metric.left.T @ visit.gradient[:, metric.active] @ metric.right.T
    return metric.step(whitened, problem.shape), float((whitened**2).sum())


def _plain(problem: ControlProblem, size: float) -> _Metric:
    active = problem.active
    return _Metric(np.eye(problem.shape[0]), np.eye(len(active)), active, size)


def _natural(problem: ControlProblem, visit: Visit, radius: float) -> _Metric:
    active = problem.active
    gram = visit.gram[np.ix_(active, active)]
    scale = np.sqrt(np.maximum(np.diag(gram), np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    kept = values > _RANK * values[-1]
    right = (vectors[:, kept] / np.sqrt(values[kept])).T / scale
    values, vectors = np.linalg.eigh(2.0 * problem.curvature)
    return _Metric(vectors / np.sqrt(values), right, active, radius * float(np.sqrt(abs(visit.cost))))


def _estimate(
    problem: ControlProblem, gains: Array, metric: _Metric, n_directions: int, rng: np.random.Generator
) -> Array:
    shape = (metric.left.shape[1], metric.right.shape[0])
    dimension = shape[0] * shape[1]
    total, left = np.zeros(dimension), n_directions
    while left > 0:
        frame = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0][:, : min(left, dimension)]
        for unit in frame.T:
            move = metric.step(metric.size * unit.reshape(shape), problem.shape)
            total += (problem.cost(gains + move) - problem.cost(gains - move)) / (2.0 * metric.size) * unit
        left -= dimension
    return (dimension / n_directions * total).reshape(shape)


def _line_search(
    problem: ControlProblem, gains: Array, cost: float, direction: Array, slope: float, trial: float,
    settings: DescentSettings,
) -> tuple[float, int, int]:  # fmt: skip
    """Longest of the halved steps that is stable and lowers the cost enough; 0 if none does."""
    unstable = 0
    for refused in range(_HALVINGS):
        candidate = gains - trial * direction
        if problem.radius(candidate) >= settings.stability_limit:
            unstable += 1
        else:
            wanted = cost - _ARMIJO * trial * slope + ROUNDING * abs(cost)
            if problem.cost(candidate) <= wanted:
                return trial, refused, unstable
        trial *= 0.5
    return 0.0, _HALVINGS, unstable
