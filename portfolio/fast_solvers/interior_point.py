"""Primal-dual interior point for a `DirectForm` whose tail risks are given by pieces.

Mehrotra's predictor and corrector. Excess variables of the tail risks are eliminated in `TailBlock`, so the
system to factor has one row per weight, size, risk, quantile and equality, however many scenarios there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.linalg.lapack import dgetrf, dgetrs  # pyright: ignore[reportAttributeAccessIssue]  (made when loaded)

from portfolio.errors import SolverError
from portfolio.fast_solvers.direct_form import Array, DirectForm, Multipliers
from portfolio.fast_solvers.linear_block import LinearBlock
from portfolio.fast_solvers.tail_block import PieceRows, TailBlock

NAME = "tail interior point"
MAX_STEPS = 100
# below this the best point so far is kept, and the iteration ends when it stays the best for some steps
_SETTLED, _IDLE = 1e-2, 6
# products are not pushed further below the tolerance than this: the system would only get stiffer
_FLOOR = 0.05
# of the scaled system: equalities may be redundant; refinement removes its effect
_REGULAR, _REFINEMENTS = 1e-12, 2


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TailStart:
    """Where a tail risk starts: its pieces, whether z is free, the floor of z, and z."""

    pieces: PieceRows
    has_quantile: bool
    floor: float
    quantile: float


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Point:
    """Where the iteration ended.

    Parameters
    ----------
    x : ndarray of shape (column,)
        Of the form: weights, sizes, risks (of the pieces given).
    quantiles : tuple of float
        z per risk.
    multipliers : Multipliers
    slopes : tuple of ndarray of shape (asset,)
        Per risk the mean piece under the law of the prices: a minorant of the risk.
    laws : tuple of ndarray of shape (piece,)
        Per risk the probabilities of the pieces under that law.
    slope_errors : tuple of float
        Per risk a bound on what the slope exceeds a minorant by, for weights of absolute sum 1, in risk units.
    iterations : int
    converged : bool
    """

    x: Array
    quantiles: tuple[float, ...]
    multipliers: Multipliers
    slopes: tuple[Array, ...]
    laws: tuple[Array, ...]
    slope_errors: tuple[float, ...]
    iterations: int
    converged: bool


@final
class InteriorPoint:
    """State of one solve.

    Parameters
    ----------
    form : DirectForm
    tails : sequence of TailStart
        One per risk column.
    weights : ndarray of shape (asset,)
        Start; pulled inside the bounds.
    """

    def __init__(self, form: DirectForm, tails: Sequence[TailStart], weights: Array) -> None:
        self.form = form
        with_z = [k for k, tail in enumerate(tails) if tail.has_quantile]
        n, self.n_unknowns = form.n_columns, form.n_columns + len(with_z)
        columns = [n + with_z.index(k) if k in with_z else None for k in range(len(tails))]
        self.x = np.zeros(self.n_unknowns)
        self.x[: form.n_assets] = _inside(weights, form.lower[: form.n_assets], form.upper[: form.n_assets])
        self.x[form.pairs[1]] = np.maximum(form.origins - self.x[form.pairs[0]], 0.0) + 0.05
        floors = np.array([tails[k].floor for k in with_z])
        for k in with_z:
            self.x[columns[k]] = tails[k].quantile
        prices = np.maximum(form.linear[form.risk_columns], 0.1)
        w = self.x[: form.n_assets]
        self.tails = [
            TailBlock(tail.pieces, column, w, tail.quantile if tail.has_quantile else 0.0, float(price))
            for tail, column, price in zip(tails, columns, prices, strict=True)
        ]
        for block, column, risk in zip(self.tails, columns, form.risk_columns, strict=True):
            self.x[risk] = (0.0 if column is None else self.x[column]) + block.mean_excess
        total, count = map(sum, zip(*(block.products() for block in self.tails), strict=True))
        self.linear = LinearBlock(form, floors, self.x, total / count)
        self._equalities(columns)
        self.duals = np.concatenate([np.zeros(len(self.target) - len(tails)), prices])

    def _equalities(self, columns: Sequence[int | None]) -> None:
        """Equal rows, fixed columns, and one row per risk: ``z + c'e - risk = 0`` without its c'e."""
        form, n_tails = self.form, len(columns)
        fixed = np.flatnonzero(form.fixed)
        rows = np.zeros((int(form.equal.sum()) + len(fixed) + n_tails, self.n_unknowns))
        rows[: int(form.equal.sum()), : form.n_columns] = form.matrix[form.equal]
        rows[int(form.equal.sum()) + np.arange(len(fixed)), fixed] = 1.0
        for k, (column, risk) in enumerate(zip(columns, form.risk_columns, strict=True)):
            rows[len(rows) - n_tails + k, risk] = -1.0
            if column is not None:
                rows[len(rows) - n_tails + k, column] = 1.0
        self.rows, self.columns = rows, columns
        self.target = np.concatenate([form.row_upper[form.equal], form.upper[fixed], np.zeros(n_tails)])

    def run(self, tolerance: float) -> Point:
        """Iterate until residuals and mean product are below the tolerance, or nothing moves.

        Raises
        ------
        SolverError
            If the iteration breaks down.
        """
        best, best_point, idle = np.inf, None, 0
        with np.errstate(all="ignore"):
            for step in range(MAX_STEPS):
                products = self._residuals()
                worst = self._worst(products)
                idle = 0 if worst < best else idle + 1
                if worst < best:
                    best = worst
                    # near the end rounding may spoil what has been reached
                    best_point = self._point(step, worst <= tolerance) if worst < _SETTLED else None
                if worst <= tolerance or (best < _SETTLED and idle >= _IDLE):
                    break
                self._step(products, tolerance)
        if best_point is None:
            best_point = self._point(MAX_STEPS, False)
        return best_point

    def _residuals(self) -> tuple[float, int]:
        form, n = self.form, self.form.n_columns
        gradient = self.rows.T @ self.duals
        gradient[:n] += form.quadratic @ self.x[:n] + form.linear
        self.linear.residuals(self.x)
        self.linear.adjoint(self.linear.price, gradient)
        self.miss = self.target - self.rows @ self.x
        n_tails = len(self.tails)
        for k, block in enumerate(self.tails):
            position = len(self.duals) - n_tails + k
            block.residuals(self.x, self.duals[position])
            block.gradient(gradient)
            self.miss[position] -= block.mean_excess
        self.gradient = gradient
        total, count = map(sum, zip(*(b.products() for b in (self.linear, *self.tails)), strict=True))
        return total, count

    def _worst(self, products: tuple[float, int]) -> float:
        """Largest residual; the sum of products is the duality gap."""
        values = [float(np.abs(self.gradient).max()), float(np.abs(self.miss).max(initial=0.0)), products[0]]
        values.append(float(np.abs(self.linear.miss).max(initial=0.0)))
        for block in self.tails:
            values += block.worst_residual()
        worst = max(values)
        if not np.isfinite(worst):
            raise SolverError("the interior point left the numbers.", status="diverged", solver=NAME)
        return worst

    def _step(self, products: tuple[float, int], tolerance: float) -> None:
        self._factor()
        mean = products[0] / products[1]
        self._direction(0.0, correct=False)
        pairs = self._pairs()
        primal, dual = _longest(pairs)
        if self.form.quadratic.any():
            primal = dual = min(primal, dual)
        after = sum(float((s + primal * ds) @ (y + dual * dy)) for s, ds, y, dy in pairs) / products[1]
        floor = _FLOOR * tolerance / products[1]
        self._direction(max(mean * (after / mean) ** 3, floor), correct=True)
        pairs = self._pairs()
        primal, dual = (min(1.0, 0.995 * one) for one in _longest(pairs))
        if self.form.quadratic.any():
            primal = dual = min(primal, dual)
        for s, ds, y, dy in pairs:
            s += primal * ds
            y += dual * dy
        self.x += primal * self.d_x
        self.duals += dual * self.d_duals

    def _pairs(self) -> list[tuple[Array, Array, Array, Array]]:
        return [pair for block in (self.linear, *self.tails) for pair in block.pairs()]

    def _factor(self) -> None:
        n, total = self.n_unknowns, self.n_unknowns + len(self.duals)
        system = np.zeros((total, total))
        system[: self.form.n_columns, : self.form.n_columns] = self.form.quadratic
        system[n:, :n] = self.rows
        system[:n, n:] = self.rows.T
        self.linear.condense(system)
        for k, block in enumerate(self.tails):
            block.condense(system, total - len(self.tails) + k)
        # products of very different size: with a unit diagonal rounding is relative to each unknown
        size = np.sqrt(np.maximum(np.abs(np.diag(system)), np.append(np.full(n, 1e-12), np.zeros(total - n))))
        self.scaling = 1.0 / np.append(size[:n], np.abs(system[n:, :n] / size[:n]).max(axis=1, initial=0.0))
        self.system = system * self.scaling[:, None] * self.scaling
        regular = self.system.copy()
        regular[np.arange(total), np.arange(total)] += np.append(np.full(n, _REGULAR), np.full(total - n, -_REGULAR))
        self.factors, self.pivots, info = dgetrf(regular)
        if info:
            raise SolverError("the Newton system is singular.", status="singular", solver=NAME)

    def _direction(self, target: float, *, correct: bool) -> None:
        n, total = self.n_unknowns, len(self.system)
        right = np.concatenate([-self.gradient, self.miss])
        self.linear.right_side(right[:n], target, correct)
        for k, block in enumerate(self.tails):
            block.right_side(right, total - len(self.tails) + k, target, correct)
        right *= self.scaling
        solved, _ = dgetrs(self.factors, self.pivots, right)
        for _ in range(_REFINEMENTS):
            solved += dgetrs(self.factors, self.pivots, right - self.system @ solved)[0]
        solved *= self.scaling
        self.d_x, self.d_duals = solved[:n], solved[n:]
        self.linear.recover(self.d_x)
        for k, block in enumerate(self.tails):
            block.recover(self.d_x, self.d_duals[len(self.d_duals) - len(self.tails) + k])

    def _point(self, iterations: int, converged: bool) -> Point:
        form, n_tails = self.form, len(self.tails)
        n_equal, n_fixed = int(form.equal.sum()), int(form.fixed.sum())
        multipliers = self.linear.multipliers(form, self.duals[:n_equal], self.duals[n_equal : n_equal + n_fixed])
        prices = np.maximum(self.duals[len(self.duals) - n_tails :], 1e-300)
        laws = [block.price / price for block, price in zip(self.tails, prices, strict=True)]
        return Point(
            x=self.x[: form.n_columns].copy(),
            quantiles=tuple(0.0 if c is None else float(self.x[c]) for c in self.columns),
            multipliers=multipliers,
            slopes=tuple(law @ block.pieces.rows for law, block in zip(laws, self.tails, strict=True)),
            laws=tuple(laws),
            slope_errors=tuple(block.slope_error(law) for law, block in zip(laws, self.tails, strict=True)),
            iterations=iterations,
            converged=converged,
        )


def _inside(weights: Array, lower: Array, upper: Array) -> Array:
    """Pulled a tenth of the way from the nearer bound, at most 0.01."""
    with np.errstate(invalid="ignore"):
        margin = np.minimum(0.01, 0.1 * (upper - lower))
    return np.clip(weights, lower + margin, upper - margin)


def _longest(pairs: Sequence[tuple[Array, Array, Array, Array]]) -> tuple[float, float]:
    """Longest primal and dual steps, at most 1, that keep slacks and prices positive."""
    primal = min(_until_zero(s, ds) for s, ds, _, _ in pairs)
    return primal, min(_until_zero(y, dy) for _, _, y, dy in pairs)


def _until_zero(value: Array, step: Array) -> float:
    if not len(value):
        return 1.0
    rate = float((step / value).min())
    return 1.0 if rate >= -1.0 else -1.0 / rate
