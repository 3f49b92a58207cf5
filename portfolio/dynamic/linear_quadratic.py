r"""The linear-quadratic regulator with discounting, solved by its Riccati equation.

Minimise :math:`\sum_t \delta^t (x_t'Q x_t + u_t'R u_t + 2 x_t' S u_t)` over controls of
:math:`x_{t+1} = A x_t + B u_t` plus noise. The value is :math:`x'Px` plus a constant, the optimal control
:math:`u = -Kx`. Q may be indefinite, as long as the problem has a minimum: trading problems pay for positions
and earn from them. Above `checked_arrays`; knows no trading.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_are

from tsgen.errors import DataError

Matrix = NDArray[np.float64]

_SETTLED = 1e-9


class Regulator(NamedTuple):
    """Solution of a linear-quadratic problem."""

    gain: Matrix
    """K of shape (control, state): the control is ``-K x``."""
    value: Matrix
    """P of shape (state, state), symmetric: the cost to go is ``x' P x`` plus a constant."""


def bellman_step(
    value: Matrix, transition: Matrix, control: Matrix, stage: tuple[Matrix, Matrix, Matrix], discount: float
) -> Regulator:
    """One step of dynamic programming backwards from a quadratic cost to go.

    Parameters
    ----------
    value : ndarray of shape (state, state)
        Cost to go of the next period.
    transition, control : ndarrays of shape (state, state) and (state, control)
    stage : tuple of ndarrays
        Q (state, state), R (control, control) and S (state, control).
    discount : float

    Returns
    -------
    Regulator

    Examples
    --------
    >>> one = np.eye(1)
    >>> bellman_step(one, one, one, (one, one, 0 * one), 1.0).gain.tolist()
    [[0.5]]
    """
    q, r, s = stage
    curvature = r + discount * control.T @ value @ control
    coupling = discount * control.T @ value @ transition + s.T
    gain = np.asarray(np.linalg.solve(curvature, coupling), dtype=np.float64)
    updated = q + discount * transition.T @ value @ transition - coupling.T @ gain
    return Regulator(gain=gain, value=(updated + updated.T) / 2)


def solve_regulator(
    transition: Matrix, control: Matrix, state_cost: Matrix, control_cost: Matrix, *, discount: float,
    cross_cost: Matrix | None = None,
) -> Regulator:  # fmt: skip
    r"""Infinite-horizon gain and value.

    Parameters
    ----------
    transition, control : ndarrays of shape (state, state) and (state, control)
    state_cost, control_cost : ndarrays of shape (state, state) and (control, control)
    discount : float
        Factor per period.
    cross_cost : ndarray of shape (state, control), optional

    Returns
    -------
    Regulator

    Raises
    ------
    DataError
        If the Riccati equation has no stabilising solution.

    References
    ----------
    Bertsekas (2017), "Dynamic programming and optimal control", volume I, section 3.1; discounting enters as
    :math:`\sqrt\delta A, \sqrt\delta B`.

    Examples
    --------
    >>> one = np.eye(1)
    >>> solution = solve_regulator(one, one, one, one, discount=1.0)
    >>> round(float(solution.value[0, 0]), 6), round(float(solution.gain[0, 0]), 6)  # golden ratio and its inverse
    (1.618034, 0.618034)
    """
    cross = np.zeros(control.shape) if cross_cost is None else cross_cost
    root = np.sqrt(discount)
    stage = (state_cost, control_cost, cross)
    try:
        value = np.asarray(solve_discrete_are(root * transition, root * control, state_cost, control_cost, s=cross))
        solution = bellman_step(value, transition, control, stage, discount)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise DataError(f"{_NO_SOLUTION} ({error}).") from error
    moved = float(np.abs(solution.value - value).max())
    # a stationary point of a cost without minimum has negative curvature in some control
    curvature = control_cost + discount * control.T @ value @ control
    if np.linalg.eigvalsh((curvature + curvature.T) / 2)[0] <= 0:
        raise DataError(f"{_NO_SOLUTION} (more control always costs less).")
    closed = root * np.abs(np.linalg.eigvals(transition - control @ solution.gain)).max()
    if not moved <= _SETTLED * float(np.abs(value).max()) or not closed < 1.0:
        raise DataError(f"{_NO_SOLUTION} (residual {moved:.2g}, closed-loop radius {closed:.4g}).")
    return solution


_NO_SOLUTION = (
    "the linear-quadratic problem has no stabilising solution: some part of the state grows, cannot be controlled and "
    "is not discounted enough, or the cost has no minimum. Lower the discount, or check the signals for a trend"
)
