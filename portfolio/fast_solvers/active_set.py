"""Quadratic forms solved by guessing which bounds hold: a few small Cholesky factors, exact when the guess settles.

Primal-dual active sets: free columns solve the equations, those that leave the box go to its edge, those whose
multiplier has the wrong sign come back. It need not settle, and knows bounds and equalities only; `quadratic_engine`
takes the rest.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv, dpotrs  # pyright: ignore[reportAttributeAccessIssue]  (made when it is loaded)

from portfolio.fast_solvers.direct_form import Array, DirectForm, Multipliers

NAME = "active set"
MAX_STEPS = 20
# rounding of columns (fractions of wealth), of multipliers (gradients of order one) and of other rows
_TOUCH, _SIGN = 1e-13, 1e-12


def solve_by_active_sets(form: DirectForm) -> tuple[Array, Multipliers, int] | None:
    """Columns, multipliers and number of steps, or ``None`` if that does not give the optimum.

    Parameters
    ----------
    form : DirectForm
        Without sizes and risks. Rows that are not equalities must not bind at the optimum.

    Returns
    -------
    tuple or None

    References
    ----------
    Hintermuller, Ito and Kunisch (2002), "The primal-dual active set strategy as a semismooth Newton method",
    section 2.

    Examples
    --------
    >>> from portfolio.fast_solvers.form_builder import Affine, FormBuilder
    >>> builder = FormBuilder(2)
    >>> builder.limit_weights("Bounds upper 0.7", 1, np.arange(2), np.full(2, 0.7))
    >>> builder.equality(Affine(on_weights=np.ones(2)), 1.0, "Budget total 1")
    >>> form = builder.build(np.diag([1.0, 3.0]), Affine(on_weights=np.zeros(2)), scale=1.0, risk_unit=1.0)
    >>> solve_by_active_sets(form)[0].round(6).tolist()
    [0.7, 0.3]
    """
    equal = form.equal
    matrix, target = (form.matrix, form.row_upper) if equal.all() else (form.matrix[equal], form.row_upper[equal])
    low, high = form.lower - _TOUCH, form.upper + _TOUCH
    # right sides of the equations: what the gradient lacks at zero, and the equalities
    right = np.empty((1 + len(matrix), form.n_columns))
    np.negative(form.linear, out=right[0])
    right[1:] = matrix
    side = _guess(form, right, target, low, high)
    step = 0
    for step in range(1, MAX_STEPS + 1):  # noqa: B007  (reported)
        found = _on_sides(form, side, right, target)
        if found is None:
            return None
        x, slope, prices = found
        moved = _moved(side, x, slope, low, high)
        if moved.tobytes() == side.tobytes():
            break
        side = moved
    else:
        return None
    level = form.matrix @ x
    if (level > form.row_upper + _SIGN).any() or (level < form.row_lower - _SIGN).any():
        return None
    by_row = np.zeros(len(form.rows))
    by_row[equal] = prices
    multipliers = Multipliers(
        lower=np.maximum(slope, 0.0) * (side < 0),
        upper=np.maximum(-slope, 0.0) * (side > 0),
        rows=by_row,
        pairs=np.zeros(0),
    )
    return x, multipliers, step


def _guess(form: DirectForm, right: Array, target: Array, low: Array, high: Array) -> NDArray[np.int8]:
    """Sides of the minimum without bounds, where a factor is at hand; else all columns free."""
    if form.root is not None:
        solved = dpotrs(form.root, right.T)[0] / form.root_weight
        mix = _mix(right[1:] @ solved, target)
        if mix is not None:
            return _outside(solved @ mix, low, high)
    return np.zeros(form.n_columns, dtype=np.int8)


def _on_sides(
    form: DirectForm, side: NDArray[np.int8], right: Array, target: Array
) -> tuple[Array, Array, Array] | None:
    """Minimum with some columns on their bounds and rows equal; columns, gradient with prices of rows, those prices."""
    free = (side == 0).nonzero()[0]
    if not len(free):
        return None
    x = np.where(side < 0, form.lower, form.upper)
    x[free] = 0.0
    if x.any():
        target = target - right[1:] @ x
        right = right.copy()
        right[0] -= form.quadratic @ x
    rows, own = form.quadratic.take(free, axis=0), right.take(free, axis=1)
    # the transpose of rows is what the routine calls columns, and a symmetric matrix is its own
    _, solved, failed = dposv(rows.take(free, axis=1).T, own.T, lower=0, overwrite_a=1)
    if failed:
        return None
    mix = _mix(own[1:] @ solved, target)
    if mix is None:
        return None
    x[free] = found = solved @ mix
    slope = found @ rows
    slope -= mix @ right
    return x, slope, -mix[1:]


def _outside(x: Array, low: Array, high: Array) -> NDArray[np.int8]:
    """The side on which each column is out of the box."""
    return (x > high).view(np.int8) - (x < low).view(np.int8)


def _moved(side: NDArray[np.int8], x: Array, slope: Array, low: Array, high: Array) -> NDArray[np.int8]:
    """Sides after this step: out of the box onto it, off it where the multiplier has the wrong sign."""
    # columns on a side are inside of low and high
    moved = _outside(x, low, high) + side * (side * slope <= _SIGN)
    if moved.all():
        # rows need a free column to hold: the one least out of the box
        moved[np.where(side == 0, np.maximum(x - high, low - x), np.inf).argmin()] = 0
    return moved


def _mix(levels: Array, target: Array) -> Array | None:
    """One and minus the prices at which rows, at ``levels`` for each right side, reach their targets."""
    if not len(target):
        return np.ones(1)
    if len(target) == 1:
        # the usual case: one budget
        without, per_price = levels[0].tolist()
        return np.array([1.0, (target[0] - without) / per_price]) if per_price > 0.0 else None
    try:
        return np.append(1.0, np.linalg.solve(levels[:, 1:], target - levels[:, 0]))
    except np.linalg.LinAlgError:
        return None
