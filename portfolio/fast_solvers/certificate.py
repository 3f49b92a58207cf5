"""Proof that an answer is optimal, from the form and the multipliers alone, whatever solver they come from.

A multiplier proves a bound: the Lagrangian at the answer, less what its gradient allows elsewhere in
the box, is a lower bound of the objective. Tail risks enter through one linear minorant each, the loss
under a law of their risk envelope. Accepted is what is feasible and within the gap of that bound.
"""

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
    form: DirectForm, x: Array, multipliers: Multipliers, risks: Sequence[float], slopes: Sequence[Array]
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
    n, w = form.n_assets, x[: form.n_assets]
    full = x.copy()
    full[form.risk_columns] = risks
    prices = form.linear[form.risk_columns] + multipliers.rows @ form.matrix[:, form.risk_columns]
    gradient = form.quadratic @ full + form.linear + multipliers.rows @ form.matrix
    gradient += multipliers.upper - multipliers.lower
    if len(form.origins):
        np.subtract.at(gradient, form.pairs.ravel(), np.tile(multipliers.pairs, 2))
    above = [price * (risk - slope @ w) for price, risk, slope in zip(prices, risks, slopes, strict=True)]
    for price, slope in zip(prices, slopes, strict=True):
        gradient[:n] += price * slope
    gradient[form.risk_columns] = 0.0
    level = form.matrix @ full
    products = np.concatenate([*_slackness(form, full, level, multipliers), above])
    wrong_sign = max(0.0, -float(min(prices, default=0.0)))
    violation = np.concatenate([level - form.row_upper, form.row_lower - level, full - form.upper, form.lower - full])
    residuals = OptimalityResiduals(
        feasibility=max(0.0, float(violation.max())),
        stationarity=float(np.abs(gradient).max()),
        complementarity=max(wrong_sign, float(np.abs(products).max(initial=0.0))),
    )
    gap = float(np.abs(products).sum() + np.abs(gradient) @ _reach(form, full))
    return Certificate(residuals=residuals, gap=gap if wrong_sign <= GAP_LIMIT else np.inf)


def _slackness(form: DirectForm, x: Array, level: Array, multipliers: Multipliers) -> list[Array]:
    """Multiplier times slack of every limit."""

    def product(price: Array, slack: Array) -> Array:
        # the other side of a limit may be infinite: its price is zero
        return np.multiply(price, slack, out=np.zeros_like(price), where=price > 0.0)

    return [
        product(multipliers.rows, form.row_upper - level),
        product(-multipliers.rows, level - form.row_lower),
        product(multipliers.lower, x - form.lower),
        product(multipliers.upper, form.upper - x),
        product(multipliers.pairs, x[form.pairs[0]] + x[form.pairs[1]] - form.origins),
    ]


def _reach(form: DirectForm, x: Array) -> Array:
    """How far each column can be from the answer, at most."""
    away = np.maximum(form.upper - x, x - form.lower)
    largest = float(np.abs(x[: form.n_assets]).max())
    return np.where(np.isfinite(away), np.abs(away), _REACH * max(1.0, largest))
