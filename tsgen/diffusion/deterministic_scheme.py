r"""Probability-flow scheme: Adams predictor and corrector in ``y = -cos(tau)``, one evaluation per step.

The flow is ``du/dtau = F(u, tau)``. Near ``tau = 0`` the velocity vanishes like ``sin(tau)``, so the smooth
thing to extrapolate is ``H = F / sin(tau)``, and ``du = H dy`` with ``y = -cos(tau)``. At every level

    1. the velocity ``H_k`` is evaluated at the predicted state,
    2. the step that led there is taken again, through ``H_k, H_{k-1}, H_{k-2}`` (interpolation, Adams-Moulton),
    3. the next state is predicted from there through the same velocities (extrapolation, Adams-Bashforth).

The second step costs no evaluation and divides the error by three to ten. If ``F = 0`` the scheme is exact at any
number of steps; if the law is a point at ``m``, ``H = -m`` is constant and it is exact again. The integration runs to
``tau = 0``: never end by denoising, which shrinks the variance, nor at the last level, which leaves noise in.

References
----------
Hairer, Norsett, Wanner (1993), "Solving Ordinary Differential Equations I", III.1 (PEC mode).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tsgen.diffusion.angle_grid import Angles, check_angles
from tsgen.errors import ConfigError

Velocity = Callable[[Tensor, int], Tensor]
"""``velocity(u, k)`` at the k-th angle of a plan; ``k = 0`` is pi/2 where the plan evaluates it."""


class DeterministicPlan(NamedTuple):
    """Host-side coefficients of one reverse pass, computed once in float64."""

    angles: Angles
    """Angles at which the velocity is evaluated, decreasing; starts with pi/2 if ``evaluate_start``."""
    predictor: NDArray[np.float64]
    """(step, order): weight of the newest, the previous, ... velocity in the step that follows it."""
    corrector: NDArray[np.float64]
    """(step, order): the same in the step that led to it; zeros in the first row, which no step precedes."""


def _lagrange_integrals(nodes: NDArray[np.float64], lower: float, upper: float) -> NDArray[np.float64]:
    """Integrals over [lower, upper] of the Lagrange basis polynomials through ``nodes``."""
    values = np.empty(len(nodes))
    for i, node in enumerate(nodes):
        others = np.delete(nodes, i)
        basis = np.atleast_1d(np.poly(others)) / np.prod(node - others)
        primitive = np.polyint(basis)
        values[i] = np.polyval(primitive, upper) - np.polyval(primitive, lower)
    return values


def deterministic_plan(angles: Angles, *, order: int = 3, evaluate_start: bool = False) -> DeterministicPlan:
    """Coefficients of the scheme of the given order on the given levels.

    Parameters
    ----------
    angles : ndarray of shape (K,), float64
        Decreasing levels strictly between pi/2 and 0.
    order : {1, 2, 3}
        Number of velocities combined in one step.
    evaluate_start : bool
        ``False``: start at the first level with standard normal noise and take ``H = 0`` at pi/2 as free
        history, right when the coordinate is whitened. ``True``: evaluate at pi/2 too (one evaluation more),
        right when the conditional mean may be far from zero.

    Raises
    ------
    ConfigError
        If the levels are not strictly decreasing inside (0, pi/2) or the order is unknown.
    """
    levels = check_angles(angles)
    if order not in (1, 2, 3):
        raise ConfigError(f"order must be 1, 2 or 3: got {order!r}.")
    evaluated = np.concatenate([[np.pi / 2], levels]) if evaluate_start else levels
    known = np.concatenate([[np.pi / 2], levels])  # pi/2 is a node in both cases: there H is 0 or evaluated
    y = -np.cos(known)
    y[0] = 0.0
    ends = np.append(y[1:], -1.0)
    first = 0 if evaluate_start else 1
    predictor, corrector = np.zeros((2, len(evaluated), order))
    for step in range(len(evaluated)):
        newest = step + first
        nodes = y[max(0, newest - order + 1) : newest + 1][::-1]
        predictor[step, : len(nodes)] = _lagrange_integrals(nodes, y[newest], ends[newest])
        if step > 0:
            corrector[step, : len(nodes)] = _lagrange_integrals(nodes, y[newest - 1], y[newest])
    return DeterministicPlan(evaluated, _of_velocities(predictor, evaluated), _of_velocities(corrector, evaluated))


def _of_velocities(weights: NDArray[np.float64], evaluated: Angles) -> NDArray[np.float64]:
    """Weights of ``F`` from those of ``H = F / sin(tau)``; none for the free node, where ``H = 0``."""
    sines = np.sin(evaluated)
    folded = np.zeros_like(weights)
    for back in range(min(weights.shape[1], len(weights))):
        folded[back:, back] = weights[back:, back] / sines[: len(sines) - back]
    return folded


def deterministic_pass(velocity: Velocity, start: Tensor, plan: DeterministicPlan) -> Tensor:
    """Carry standard normal noise to a clean sample along the probability flow.

    Parameters
    ----------
    velocity : callable ``(u, k) -> F``
        Velocity at ``plan.angles[k]``; shapes as ``start``.
    start : Tensor of shape (batch, asset)
        Standard normal noise.
    plan : DeterministicPlan
        From `deterministic_plan`.

    Returns
    -------
    Tensor of shape (batch, asset)
        Clean sample, a deterministic function of ``start``.
    """
    u = corrected = start
    recent: list[Tensor] = []
    order = plan.predictor.shape[1]
    for k, (ahead, behind) in enumerate(zip(plan.predictor.tolist(), plan.corrector.tolist(), strict=True)):
        recent = [velocity(u, k), *recent[: order - 1]]
        if k > 0:
            corrected = _moved(corrected, behind, recent)
        u = _moved(corrected, ahead, recent)
    return u


def _moved(state: Tensor, weights: list[float], velocities: list[Tensor]) -> Tensor:
    """State plus weighted velocities."""
    for weight, velocity in zip(weights, velocities, strict=False):
        state = state.add(velocity, alpha=weight)
    return state
