"""Proof that an answer is optimal, from the form and the multipliers alone, whatever solver they come from.

A multiplier proves a bound: the Lagrangian at the answer, less what its gradient allows elsewhere in
the box, is a lower bound of the objective. Tail risks enter through one linear minorant each, the loss
under a law of their risk envelope. Accepted is what is feasible and within the gap of that bound.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from portfolio.fast_solvers.direct_form import Array, DirectForm, Multipliers
from portfolio.optimality import OptimalityResiduals

# of the scaled form, whose gradient is of order one: ten times tighter than what the engines are compared at
GAP_LIMIT = 1e-8
# fractions of wealth
FEASIBILITY_LIMIT = 1e-8
# weights without bounds are taken to lie within this many times the largest weight of the answer
_REACH = 10.0


@final
@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Residuals and gap of one answer.

    Parameters
    ----------
    residuals : OptimalityResiduals
        Of the scaled form.
    gap : float
        Objective less its proven lower bound, in units of the scaled form.
    """

    residuals: OptimalityResiduals
    gap: float

    @property
    def feasible(self) -> bool:
        """Whether the limits hold, up to rounding."""
        return self.residuals.feasibility <= FEASIBILITY_LIMIT


def certify(
    form: DirectForm,
    x: Array,
    multipliers: Multipliers,
    risks: Sequence[float],
    slopes: Sequence[Array],
    slope_errors: Sequence[float] = (),
) -> Certificate:
    """Check an answer.

    Parameters
    ----------
    form : DirectForm
    x : ndarray of shape (column,)
    multipliers : Multipliers
    risks : sequence of float
        True values of the measures at the weights, in risk units.
    slopes : sequence of ndarray of shape (asset,)
        Per measure a vector with ``rho(w) >= slope @ w`` for all w, in risk units.
    slope_errors : sequence of float
        Per measure what that may be missed by, for weights of absolute sum 1; none by default.

    Returns
    -------
    Certificate

    References
    ----------
    Boyd and Vandenberghe (2004), "Convex Optimization", equations 5.49 and 5.1 (weak duality).

    Examples
    --------
    >>> from portfolio.fast_solvers.form_builder import Affine, FormBuilder
    >>> builder = FormBuilder(1)
    >>> builder.limit_weights("Bounds lower 0", -1, np.arange(1), np.zeros(1))
    >>> form = builder.build(np.eye(1), Affine(on_weights=np.ones(1)), scale=1.0, risk_unit=1.0)
    >>> zero = Multipliers(lower=np.ones(1), upper=np.zeros(1), rows=np.zeros(0), pairs=np.zeros(0))
    >>> certify(form, np.zeros(1), zero, [], []).gap
    0.0
    """
    full = x
    if form.measures:
        full = x.copy()
        full[form.risk_columns] = risks
    # one price per side of a limit, in the order of the slacks; those of the wrong sign prove nothing
    rows = multipliers.rows
    price = np.maximum(np.concatenate((rows, -rows, multipliers.upper, multipliers.lower, multipliers.pairs)), 0.0)
    slack = _slacks(form, full)
    positive = price > 0.0
    # the other side of a limit may be infinite: its price is zero
    products = np.abs(np.multiply(price, slack, out=np.zeros(len(price)), where=positive))
    gradient = _linear_part(form, price, rows)
    gradient += form.quadratic @ full
    above, wrong_sign = 0.0, 0.0
    if form.measures:
        errors = [error * float(np.abs(full[: form.n_assets]).sum()) for error in slope_errors] or [0.0] * len(risks)
        above, wrong_sign = _tail_part(form, gradient, risks, slopes, errors, full)
    gradient = np.abs(gradient)
    residuals = OptimalityResiduals(
        feasibility=max(0.0, -float(slack.min())),
        stationarity=float(gradient.max()),
        complementarity=max(wrong_sign, above, float(products.max())),
    )
    gap = float(products.sum() + gradient @ _reach(form, slack, full)) + above
    return Certificate(residuals=residuals, gap=gap if wrong_sign <= GAP_LIMIT else np.inf)


def _slacks(form: DirectForm, x: Array) -> Array:
    """Upper and lower sides of rows, upper and lower bounds, pairs."""
    level = form.matrix @ x
    sides = (form.row_upper - level, level - form.row_lower, form.upper - x, x - form.lower)
    if not len(form.origins):
        return np.concatenate(sides)
    return np.concatenate((*sides, x[form.pairs[0]] + x[form.pairs[1]] - form.origins))


def _linear_part(form: DirectForm, price: Array, rows: Array) -> Array:
    """Gradient of the Lagrangian without its quadratic part, shape (column,)."""
    m, n = len(rows), form.n_columns
    gradient = form.linear + rows @ form.matrix
    gradient += price[2 * m : 2 * m + n]
    gradient -= price[2 * m + n : 2 * (m + n)]
    if len(form.origins):
        np.subtract.at(gradient, form.pairs.ravel(), np.tile(price[2 * (m + n) :], 2))
    return gradient


def _tail_part(
    form: DirectForm,
    gradient: Array,
    risks: Sequence[float],
    slopes: Sequence[Array],
    errors: Sequence[float],
    x: Array,
) -> tuple[float, float]:
    """Move the prices of the risks onto the weights; losses above the minorants, and the worst wrong sign."""
    columns, n = form.risk_columns, form.n_assets
    above, wrong_sign = 0.0, 0.0
    for column, risk, slope, error in zip(columns, risks, slopes, errors, strict=True):
        price = float(gradient[column])
        above += abs(price) * (abs(risk - float(slope @ x[:n])) + error)
        wrong_sign = max(wrong_sign, -price)
        gradient[:n] += price * slope
        gradient[column] = 0.0
    return above, wrong_sign


def _reach(form: DirectForm, slack: Array, x: Array) -> Array:
    """How far each column can be from the answer, at most."""
    start, n = 2 * len(form.rows), form.n_columns
    away = np.maximum(slack[start : start + n], slack[start + n : start + 2 * n])
    if math.isfinite(away.max()):
        return np.abs(away)
    largest = float(np.abs(x[: form.n_assets]).max())
    return np.where(np.isfinite(away), np.abs(away), _REACH * max(1.0, largest))
