"""The part of a Newton step that belongs to bounds, size pairs and one-sided rows."""

from typing import final

import numpy as np

from portfolio.fast_solvers.direct_form import Array, DirectForm, Multipliers


@final
class LinearBlock:
    """Inequalities ``J x <= h`` with slack and price; J is never formed for bounds and pairs.

    Order of the entries: lower bounds, upper bounds, pairs, lower sides of rows, upper sides of rows.

    Parameters
    ----------
    form : DirectForm
    floors : ndarray of shape (extra column,)
        Lower bounds of unknowns beyond the columns of the form.
    x : ndarray of shape (unknown,)
        Start.
    product : float
        Complementarity product of every entry at the start.
    """

    def __init__(self, form: DirectForm, floors: Array, x: Array, product: float) -> None:
        free = np.append(~form.fixed, np.ones(len(floors), dtype=bool))
        lower, upper = np.append(form.lower, floors), np.append(form.upper, np.full(len(floors), np.inf))
        self.low, self.high = np.flatnonzero(free & np.isfinite(lower)), np.flatnonzero(free & np.isfinite(upper))
        sided = ~form.equal
        self.below = np.flatnonzero(sided & np.isfinite(form.row_lower))
        self.above = np.flatnonzero(sided & np.isfinite(form.row_upper))
        self.first, self.second = form.pairs
        matrix = np.concatenate([-form.matrix[self.below], form.matrix[self.above]])
        self.matrix = np.concatenate([matrix, np.zeros((len(matrix), len(floors)))], axis=1)
        self.bound = np.concatenate(
            [
                -lower[self.low],
                upper[self.high],
                -form.origins,
                -form.row_lower[self.below],
                form.row_upper[self.above],
            ]
        )
        # a start at least this far inside; rows may be missed at first
        self.slack = np.maximum(self.bound - self.apply(x), 1e-2)
        self.price = product / self.slack

    def apply(self, x: Array) -> Array:
        """``J x``."""
        return np.concatenate([-x[self.low], x[self.high], -x[self.first] - x[self.second], self.matrix @ x])

    def _parts(self, by_entry: Array) -> list[Array]:
        sizes = [len(self.low), len(self.high), len(self.first)]
        return np.split(by_entry, np.cumsum(sizes))

    def adjoint(self, by_entry: Array, out: Array) -> None:
        """Add ``J' y``."""
        low, high, pair, rows = self._parts(by_entry)
        out[self.low] -= low
        out[self.high] += high
        np.subtract.at(out, self.first, pair)
        out[self.second] -= pair
        out += rows @ self.matrix if len(rows) else 0.0

    def residuals(self, x: Array) -> None:
        """Errors of the linear equations at x."""
        self.miss = self.bound - self.apply(x) - self.slack

    def products(self) -> tuple[float, int]:
        """Sum of all complementarity products and their number."""
        return float(self.price @ self.slack), len(self.slack)

    def condense(self, system: Array) -> None:
        """Add ``J' (price / slack) J`` to the system."""
        self.stiffness = self.price / self.slack
        low, high, pair, rows = self._parts(self.stiffness)
        diagonal = np.zeros(self.matrix.shape[1])
        diagonal[self.low] += low
        diagonal[self.high] += high
        np.add.at(diagonal, self.first, pair)
        diagonal[self.second] += pair
        index = np.arange(len(diagonal))
        system[index, index] += diagonal
        system[self.first, self.second] += pair
        system[self.second, self.first] += pair
        if len(rows):
            n = len(diagonal)
            system[:n, :n] += (self.matrix.T * rows) @ self.matrix

    def right_side(self, out: Array, target: float, correct: bool) -> None:
        """Add the part of the right side for a step towards products of ``target``."""
        wanted = target - self.slack * self.price
        if correct:
            wanted -= self.d_slack * self.d_price
        self.alpha = (wanted - self.price * self.miss) / self.slack
        self.adjoint(-self.alpha, out)

    def recover(self, step: Array) -> None:
        """Steps of slack and price from that of the unknowns."""
        moved = self.apply(step)
        self.d_price = self.alpha + self.stiffness * moved
        self.d_slack = self.miss - moved

    def pairs(self) -> list[tuple[Array, Array, Array, Array]]:
        """(slack, its step, price, its step)."""
        return [(self.slack, self.d_slack, self.price, self.d_price)]

    def multipliers(self, form: DirectForm, equalities: Array, fixed: Array) -> Multipliers:
        """Prices by limit of the form; those of equal rows and fixed columns come from the caller."""
        low, high, pair, rows = self._parts(self.price)
        n = form.n_columns
        lower, upper, by_row = np.zeros(n), np.zeros(n), np.zeros(len(form.rows))
        inside_low, inside_high = self.low < n, self.high < n
        lower[self.low[inside_low]] = low[inside_low]
        upper[self.high[inside_high]] = high[inside_high]
        lower[form.fixed], upper[form.fixed] = np.maximum(-fixed, 0.0), np.maximum(fixed, 0.0)
        np.subtract.at(by_row, self.below, rows[: len(self.below)])
        np.add.at(by_row, self.above, rows[len(self.below) :])
        by_row[form.equal] = equalities
        return Multipliers(lower=lower, upper=upper, rows=by_row, pairs=pair.copy())
