"""Fewer scenarios that stand for many: for searches that only have to find where to look closely.

Scenarios are taken along the sorted losses at even spacing (systematic sampling without a random number), those in
the tails of CVaR views far more densely; what is left out is made up for by the weight of what is kept.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.cvar_task import CVaRTask
from tsgen.reweighting.linear_row import LinearRow

Floats = NDArray[np.float64]
# a posterior on n of them has a divergence known to about sqrt(2 KL / n): a few per cent
BODY_SIZE = 4_096
TAIL_SIZE = 2_048
# below this number a search on all of them is as quick
WORTHWHILE = 16_384


class Thinning(NamedTuple):
    """Positions of the scenarios kept, in increasing order, and their probabilities."""

    kept: NDArray[np.intp]
    prior: Floats

    def rows(self, rows: Sequence[LinearRow]) -> list[LinearRow]:
        """The same conditions on the scenarios kept."""
        return [replace(row, feature=row.feature[self.kept]) for row in rows]

    def task(self, task: CVaRTask) -> CVaRTask:
        """The same CVaR view on the scenarios kept."""
        losses = task.losses[self.kept]
        return replace(task, losses=losses, order=np.argsort(losses))


def thinned(prior: Floats, tasks: Sequence[CVaRTask]) -> Thinning | None:
    """Representatives of the scenarios for the given CVaR views; ``None`` if there are too few to leave any out.

    Parameters
    ----------
    prior : ndarray of shape (scenario,), float64
    tasks : sequence of CVaRTask
        The first one's losses order the scenarios; the tails of all are kept densely.

    Examples
    --------
    >>> thinned(np.full(10, 0.1), []) is None
    True
    """
    support = int(np.count_nonzero(prior))
    if support < WORTHWHILE or not tasks:
        return None
    rate = np.full(len(prior), min(BODY_SIZE / support, 1.0))
    for task in tasks:
        # lowering a CVaR puts the new quantile further out than the old one, raising it further in
        tail = task.order[_beyond(prior, task, 2.0 * (1.0 - task.view.level)) :]
        rate[tail] = np.maximum(rate[tail], min(TAIL_SIZE / max(len(tail), 1), 1.0))
    rate[prior == 0.0] = 0.0
    along = tasks[0].order
    steps = np.floor(np.cumsum(rate[along]) + 0.5)
    kept = np.sort(along[np.diff(steps, prepend=0.0) > 0])
    weights = prior[kept] / rate[kept]
    return Thinning(kept, weights / weights.sum())


def _beyond(prior: Floats, task: CVaRTask, share: float) -> int:
    """Position in the order of losses from which on at most ``share`` of the prior is left."""
    return int(np.searchsorted(np.cumsum(prior[task.order]), 1.0 - min(share, 1.0)))
