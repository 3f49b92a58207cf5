"""The part of a Newton step that belongs to one tail risk, with its excess variables eliminated.

Unknowns of the block: excess e_i >= 0 of every group and the slack of every piece, ``a_j w - z - e_i + r_j = 0``.
In the Newton system both are diagonal; what is left of them on (weights, z) is a sum of ``n_pieces`` outer products,
one matrix product per step. Losses, z and e are in risk units.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from portfolio.fast_solvers.direct_form import Array
from portfolio.fast_solvers.tail_pieces import Index


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PieceRows:
    """Pieces that take part, ordered by group.

    Parameters
    ----------
    rows : ndarray of shape (piece, asset)
    starts : ndarray of shape (group,), int
        First piece of every group.
    caps : ndarray of shape (group,) or None
        c of the groups; ``None`` for the largest loss of all.
    """

    rows: Array
    starts: Index
    caps: Array | None

    @property
    def single(self) -> bool:
        """Whether every group has one piece."""
        return len(self.starts) == len(self.rows)


@final
class TailBlock:
    """State and Newton step of one tail risk.

    Parameters
    ----------
    pieces : PieceRows
    column : int or None
        Position of z among the unknowns; ``None`` if z is zero.
    weights, z, price : ndarray, float, float
        Start; the price is that of the risk in the objective.
    """

    def __init__(self, pieces: PieceRows, column: int | None, weights: Array, z: float, price: float) -> None:
        self.pieces, self.column = pieces, column
        loss = pieces.rows @ weights - z
        if pieces.caps is None:
            self.caps = None
            self.excess, self.floor_price = np.zeros(0), np.zeros(0)
            self.slack = np.maximum(-loss, 0.0) + 0.1
            self.price = np.full(len(loss), price / len(loss))
            return
        self.caps = pieces.caps
        self.sizes = np.diff(np.append(pieces.starts, len(pieces.rows)))
        self.excess = np.maximum(self._deepest(loss), 0.0) + 0.1
        self.slack = np.maximum(self._spread(self.excess) - loss, 0.1)
        self.price = self._spread(0.5 * price * self.caps / self.sizes)
        self.floor_price = 0.5 * price * self.caps

    # --- groups and pieces ---

    def _deepest(self, by_piece: Array) -> Array:
        return by_piece if self.pieces.single else np.maximum.reduceat(by_piece, self.pieces.starts)

    def _sum(self, by_piece: Array) -> Array:
        return by_piece if self.pieces.single else np.add.reduceat(by_piece, self.pieces.starts)

    def _spread(self, by_group: Array) -> Array:
        return by_group if self.pieces.single else np.repeat(by_group, self.sizes)

    # --- residuals ---

    def residuals(self, x: Array, price: float) -> None:
        """Errors of the linear equations at x, with ``price`` the multiplier of the risk."""
        n = self.pieces.rows.shape[1]
        loss = self.pieces.rows @ x[:n]
        if self.column is not None:
            loss -= x[self.column]
        if self.caps is not None:
            loss -= self._spread(self.excess)
        self.miss = -(loss + self.slack)
        if self.caps is not None:
            self.miss_price = -(price * self.caps - self._sum(self.price) - self.floor_price)

    def gradient(self, out: Array) -> None:
        """Add the pieces' prices to the gradient of the Lagrangian."""
        n = self.pieces.rows.shape[1]
        out[:n] += self.price @ self.pieces.rows
        if self.column is not None:
            out[self.column] -= self.price.sum()

    @property
    def mean_excess(self) -> float:
        """``c'e``, what the risk exceeds z by."""
        return 0.0 if self.caps is None else float(self.caps @ self.excess)

    def products(self) -> tuple[float, int]:
        """Sum of all complementarity products and their number."""
        total = float(self.price @ self.slack + self.floor_price @ self.excess)
        return total, len(self.slack) + len(self.excess)

    def worst_residual(self) -> tuple[float, float]:
        """Largest errors of the primal and of the price equations."""
        primal = float(np.abs(self.miss).max())
        return primal, 0.0 if self.caps is None else float(np.abs(self.miss_price / self.caps).max())

    def slope_error(self, law: Array) -> float:
        """What probabilities outside of the risk envelope can add to the mean piece, for weights of absolute sum 1.

        In the envelope the pieces of a group have at most its cap, and all have one together if z is free.
        """
        outside = 0.0 if self.column is None else abs(1.0 - float(law.sum()))
        if self.caps is not None:
            # mass moved elsewhere counts twice
            outside += 2.0 * float(np.maximum(self._sum(law) - self.caps, 0.0).sum())
        return outside * float(np.abs(self.pieces.rows).max())

    # --- Newton step ---

    def condense(self, system: Array, price_row: int) -> None:
        """Add the block's part to the symmetric system of all unknowns."""
        rows = self.pieces.rows
        n = rows.shape[1]
        self.stiffness = self.price / self.slack
        if self.caps is None:
            self._add_gram(system, rows, self.stiffness)
            return
        self.floor_stiffness = self.floor_price / self.excess
        self.total_stiffness = self._sum(self.stiffness)
        self.both = self.total_stiffness + self.floor_stiffness
        if self.pieces.single:
            self.mean_row = rows
        else:
            share = self.stiffness / self._spread(self.total_stiffness)
            self.mean_row = np.add.reduceat(share[:, None] * rows, self.pieces.starts, axis=0)
            self.centred = rows - np.repeat(self.mean_row, self.sizes, axis=0)
            root = np.sqrt(self.stiffness)[:, None] * self.centred
            system[:n, :n] += root.T @ root
        self._add_gram(system, self.mean_row, self.total_stiffness * self.floor_stiffness / self.both)
        weight = self.total_stiffness / self.both * self.caps
        on_weights = weight @ self.mean_row
        system[price_row, :n] += on_weights
        system[:n, price_row] += on_weights
        if self.column is not None:
            system[price_row, self.column] -= weight.sum()
            system[self.column, price_row] -= weight.sum()
        system[price_row, price_row] -= self.caps @ (self.caps / self.both)

    def _add_gram(self, system: Array, rows: Array, weight: Array) -> None:
        n = rows.shape[1]
        root = np.sqrt(weight)[:, None] * rows
        system[:n, :n] += root.T @ root
        if self.column is not None:
            with_z = weight @ rows
            system[self.column, :n] -= with_z
            system[:n, self.column] -= with_z
            system[self.column, self.column] += weight.sum()

    def right_side(self, out: Array, price_row: int, target: float, correct: bool) -> None:
        """Add the block's part to the right side for a step towards products of ``target``."""
        n = self.pieces.rows.shape[1]
        wanted = target - self.slack * self.price
        if correct:
            wanted -= self.d_slack * self.d_price
        self.alpha = (wanted - self.price * self.miss) / self.slack
        if self.caps is None:
            out[:n] -= self.alpha @ self.pieces.rows
            if self.column is not None:
                out[self.column] += self.alpha.sum()
            return
        floor = target - self.excess * self.floor_price
        if correct:
            floor -= self.d_excess * self.d_floor_price
        self.floor_wanted = floor / self.excess
        self.group_alpha = self._sum(self.alpha)
        drive = self.miss_price + self.floor_wanted
        weight = (self.total_stiffness * drive - self.floor_stiffness * self.group_alpha) / self.both
        out[:n] += weight @ self.mean_row
        if not self.pieces.single:
            out[:n] -= self.alpha @ self.centred
        if self.column is not None:
            out[self.column] -= weight.sum()
        self.beta = drive + self.group_alpha
        out[price_row] -= self.caps @ (self.beta / self.both)

    def recover(self, step: Array, price_step: float) -> None:
        """Steps of the eliminated unknowns from that of the others."""
        n = self.pieces.rows.shape[1]
        moved = self.pieces.rows @ step[:n]
        if self.column is not None:
            moved -= step[self.column]
        if self.caps is not None:
            pull = self._sum(self.stiffness * moved)
            self.d_excess = (self.beta + pull - self.caps * price_step) / self.both
            self.d_floor_price = self.floor_wanted - self.floor_stiffness * self.d_excess
            moved -= self._spread(self.d_excess)
        self.d_price = self.alpha + self.stiffness * moved
        self.d_slack = self.miss - moved

    def pairs(self) -> list[tuple[Array, Array, Array, Array]]:
        """(slack, its step, price, its step) of all complementarity pairs."""
        both = [(self.slack, self.d_slack, self.price, self.d_price)]
        if self.caps is not None:
            both.append((self.excess, self.d_excess, self.floor_price, self.d_floor_price))
        return both
