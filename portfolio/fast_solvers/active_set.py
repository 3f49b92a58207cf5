"""Quadratic forms solved by guessing which bounds hold: a few small Cholesky factors, exact when the guess settles.

Primal-dual active sets: free columns solve the equations, those that leave the box go to its edge, those whose
multiplier has the wrong sign come back. It need not settle, and knows bounds and equalities only; `quadratic_engine`
takes the rest.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv  # pyright: ignore[reportAttributeAccessIssue]  (made when it is loaded)

from portfolio.fast_solvers.direct_form import Array, DirectForm, Multipliers

NAME = "active set"
MAX_STEPS = 12
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
    matrix, target = form.matrix[equal], form.row_upper[equal]
    side = np.zeros(form.n_columns, dtype=np.int8)
    step = 0
    for step in range(1, MAX_STEPS + 1):  # noqa: B007  (reported)
        found = _on_sides(form, side, matrix, target)
        if found is None:
            return None
        x, prices = found
        slope = form.quadratic @ x
        slope += form.linear
        slope += prices @ matrix
        moved = _moved(form, side, x, slope)
        if (moved == side).all():
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
        lower=np.where(side < 0, np.maximum(slope, 0.0), 0.0),
        upper=np.where(side > 0, np.maximum(-slope, 0.0), 0.0),
        rows=by_row,
        pairs=np.zeros(0),
    )
    return x, multipliers, step


def _on_sides(form: DirectForm, side: NDArray[np.int8], matrix: Array, target: Array) -> tuple[Array, Array] | None:
    """Minimum with some columns on their bounds and the rows of ``matrix`` equal; columns and prices of rows."""
    free = np.flatnonzero(side == 0)
    if not len(free):
        return None
    if len(free) == len(side):
        x, slope, block = np.zeros(len(side)), form.linear, form.quadratic
    else:
        x = np.where(side < 0, form.lower, form.upper)
        x[free] = 0.0
        slope = (form.linear + form.quadratic @ x if x.any() else form.linear)[free]
        block = form.quadratic[free][:, free]
    on_free = matrix[:, free]
    right = np.empty((1 + len(matrix), len(free)))
    right[0] = -slope
    right[1:] = on_free
    # the transpose of rows is what the routine calls columns, and a symmetric matrix is its own
    _, solved, failed = dposv(block.T, right.T, lower=0)
    if failed:
        return None
    if not len(matrix):
        x[free] = solved[:, 0]
        return x, np.zeros(0)
    needed, missed = on_free @ solved[:, 1:], on_free @ solved[:, 0] + matrix @ x - target
    prices = _solved(needed, missed)
    if prices is None:
        return None
    x[free] = solved[:, 0] - solved[:, 1:] @ prices
    return x, prices


def _moved(form: DirectForm, side: NDArray[np.int8], x: Array, slope: Array) -> NDArray[np.int8]:
    """Sides after this step: out of the box onto it, off it where the multiplier has the wrong sign."""
    moved = (x > form.upper + _TOUCH).astype(np.int8)
    moved -= x < form.lower - _TOUCH
    keep = side * slope <= _SIGN
    return np.where(side == 0, moved, side * keep)


def _solved(needed: Array, missed: Array) -> Array | None:
    if len(missed) == 1:
        # the usual case: one budget
        return missed / needed[0] if needed[0, 0] > 0.0 else None
    try:
        return np.asarray(np.linalg.solve(needed, missed), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
