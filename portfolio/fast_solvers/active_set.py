"""Quadratic forms solved by guessing which bounds hold: a few small Cholesky factors, exact when the guess settles.

Primal-dual active sets: free columns solve the equations, those that leave the box go to its edge, those whose
multiplier has the wrong sign come back. It need not settle, and knows bounds and equalities only; `quadratic_engine`
takes the rest.
"""

from collections.abc import Callable

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
    side = _guess(form, matrix, target, low, high)
    step = 0
    for step in range(1, MAX_STEPS + 1):  # noqa: B007  (reported)
        found = _on_sides(form, side, matrix, target)
        if found is None:
            return None
        x, prices = found
        slope = form.quadratic @ x
        slope += form.linear
        slope += prices @ matrix
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


def _guess(form: DirectForm, matrix: Array, target: Array, low: Array, high: Array) -> NDArray[np.int8]:
    """Sides of the minimum without bounds, where a factor is at hand; else all columns free."""
    side = np.zeros(form.n_columns, dtype=np.int8)
    if form.root is None:
        return side
    found = _priced(form.root_weight, form.linear, matrix, target, lambda right: dpotrs(form.root, right))
    return side if found is None else _outside(found[0], low, high)


def _priced(
    weight: float, slope: Array, matrix: Array, missing: Array, solve: Callable[[Array], tuple[Array, int]]
) -> tuple[Array, Array] | None:
    """Minimum of ``1/2 x'Hx + slope @ x`` where ``matrix @ x = missing``, from a solver with ``H / weight``."""
    right = np.empty((1 + len(matrix), len(slope)))
    np.negative(slope, out=right[0])
    right[1:] = matrix
    # the transpose of rows is what the routines call columns
    solved, failed = solve(right.T)
    if failed:
        return None
    if weight != 1.0:
        solved /= weight
    if not len(matrix):
        return solved[:, 0], np.zeros(0)
    prices = _solved(matrix @ solved[:, 1:], matrix @ solved[:, 0] - missing)
    return None if prices is None else (solved[:, 0] - solved[:, 1:] @ prices, prices)


def _on_sides(form: DirectForm, side: NDArray[np.int8], matrix: Array, target: Array) -> tuple[Array, Array] | None:
    """Minimum with some columns on their bounds and the rows of ``matrix`` equal; columns and prices of rows."""
    free = (side == 0).nonzero()[0]
    if not len(free):
        return None
    slope, missing = form.linear, target
    x = np.where(side < 0, form.lower, form.upper)
    x[free] = 0.0
    if x.any():
        slope = slope + form.quadratic @ x
        missing = target - matrix @ x
    block = form.quadratic.take(free, axis=0).take(free, axis=1)
    found = _priced(
        1.0,
        slope[free],
        matrix.take(free, axis=1),
        missing,
        # a symmetric matrix is its own transpose; both are ours to overwrite
        lambda right: dposv(block.T, right, lower=0, overwrite_a=1, overwrite_b=1)[1:],
    )
    if found is None:
        return None
    x[free], prices = found
    return x, prices


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


def _solved(needed: Array, missed: Array) -> Array | None:
    if len(missed) == 1:
        # the usual case: one budget
        return missed / needed[0] if needed[0, 0] > 0.0 else None
    try:
        return np.asarray(np.linalg.solve(needed, missed), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
