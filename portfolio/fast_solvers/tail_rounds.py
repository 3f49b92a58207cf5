"""Tail risks by rounds: solve with the pieces that matter at the last answer, look for others, repeat.

Leaving out pieces only lowers the risk, so an answer whose true risk is that of the pieces is optimal for
all of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from portfolio.errors import SolverError
from portfolio.fast_solvers.direct_form import Array, DirectForm
from portfolio.fast_solvers.interior_point import NAME, InteriorPoint, Point, TailStart
from portfolio.fast_solvers.tail_block import PieceRows
from portfolio.fast_solvers.tail_pieces import Index, TailPieces

TOLERANCE = 1e-10
# enough to see which scenarios are in the tail
_ROUGH = 1e-3
# enough to see which pieces are missing; to the end only when little is
_CLOSE = 1e-5
# rounds that forget pieces of no weight, relative to the largest; later ones only add, so that they end
_FORGETFUL, _WEIGHTLESS = 6, 1e-4
MAX_ROUNDS = 40
# groups taken, as a multiple of the tail's probability: at a far start, near the optimum
_FAR, _NEAR = 3.0, 2.0
# of the groups; when more are wanted all are taken
_MOST = 0.6


@final
class Candidates:
    """Pieces of one tail risk that take part so far.

    Parameters
    ----------
    tail : TailPieces
    """

    def __init__(self, tail: TailPieces) -> None:
        self.tail = tail
        self.groups, self.pieces = np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
        self.quantile = 0.0

    def recentre(self, weights: Array, mass: float) -> None:
        """Forget all pieces; take those of the deepest groups at ``weights``."""
        self.groups, self.pieces = self._deepest(weights, mass)

    def shortfall(self, weights: Array, quantile: float, risk: float) -> float:
        """What the true risk exceeds the risk of the pieces by, at most."""
        losses, _ = self.tail.losses(weights)
        if self.tail.caps is None:
            return float(losses.max()) - risk
        return quantile + float(self.tail.caps @ np.maximum(losses - quantile, 0.0)) - risk

    def extend(self, weights: Array, quantile: float, law: Array | None) -> None:
        """Add the pieces that are missing at ``weights``; given a law, forget those that it gives no weight."""
        losses, pieces = self.tail.losses(weights)
        groups, chosen = self._deepest(weights, _NEAR)
        if self.tail.has_quantile and self.tail.caps is not None:
            above = np.flatnonzero(losses > quantile)
            # far from the optimum z is too low, and all that exceed it would be most of them
            if self.tail.caps[above].sum() <= _FAR:
                groups, chosen = np.append(groups, above), np.append(chosen, pieces[above])
        stride = int(max(self.pieces.max(initial=0), pieces.max(initial=0))) + 1
        known = self.groups * stride + self.pieces
        if law is not None:
            known = known[law > _WEIGHTLESS * law.max()]
        self.groups, self.pieces = np.divmod(np.union1d(known, groups * stride + chosen), stride)

    def start(self) -> TailStart:
        """The pieces as the interior point takes them."""
        groups, starts = np.unique(self.groups, return_index=True)
        caps = self.tail.caps
        rows = PieceRows(
            rows=self.tail.rows(self.groups, self.pieces), starts=starts, caps=None if caps is None else caps[groups]
        )
        return TailStart(
            pieces=rows, has_quantile=self.tail.has_quantile, floor=self.tail.floor, quantile=self.quantile
        )

    def _deepest(self, weights: Array, mass: float) -> tuple[Index, Index]:
        losses, pieces = self.tail.losses(weights)
        caps = self.tail.caps
        if not self.tail.has_quantile:
            chosen = np.flatnonzero(losses > 0.0)
        else:
            order = np.argsort(-losses, kind="stable")
            if caps is None:
                count, self.quantile = 20 + 2 * len(weights), float(losses[order[0]])
            else:
                # caps of the whole tail sum to one
                reached = np.cumsum(caps[order])
                count = int(np.searchsorted(reached, mass)) + 1 + 2 * len(weights)
                at = min(int(np.searchsorted(reached, 1.0)), len(losses) - 1)
                self.quantile = float(losses[order[at]])
            chosen = np.sort(order if count >= _MOST * len(losses) else order[:count])
        if not len(chosen):
            chosen = np.array([int(np.argmax(losses))])
        return chosen, pieces[chosen]


def solve_by_rounds(form: DirectForm, tails: Sequence[TailPieces], start: Array, *, near: bool) -> Point:
    """Solve a form with tail risks.

    Parameters
    ----------
    form : DirectForm
    tails : sequence of TailPieces
        One per risk column.
    start : ndarray of shape (asset,)
    near : bool
        Whether the start is close to the optimum.

    Returns
    -------
    Point
        Of the last round, with the iterations of all.

    Raises
    ------
    SolverError
        If the interior point breaks down.
    """
    candidates = [Candidates(tail) for tail in tails]
    weights, iterations = start, 0

    def attempt(tolerance: float) -> Point:
        nonlocal weights, iterations
        point = InteriorPoint(form, [one.start() for one in candidates], weights).run(tolerance)
        weights, iterations = point.x[: form.n_assets], iterations + point.iterations
        return point

    for one in candidates:
        one.recentre(weights, _NEAR if near else _FAR)
    attempt(_ROUGH)
    for one in candidates:
        one.recentre(weights, _NEAR)
    # one piece per scenario: the rough round has found the tail
    tolerance = TOLERANCE if all(one.tail.single for one in candidates) else _CLOSE
    for number in range(MAX_ROUNDS):
        point = attempt(tolerance)
        risks = point.x[form.risk_columns]
        missing = max(
            one.shortfall(weights, z, risk) for one, z, risk in zip(candidates, point.quantiles, risks, strict=True)
        )
        if missing <= TOLERANCE and tolerance <= TOLERANCE:
            return replace(point, iterations=iterations)
        if missing <= _CLOSE:
            tolerance = TOLERANCE
        for one, z, law in zip(candidates, point.quantiles, point.laws, strict=True):
            one.extend(weights, z, law if number < _FORGETFUL else None)
    raise SolverError(f"tail pieces were still missing after {MAX_ROUNDS} rounds.", status="rounds", solver=NAME)
