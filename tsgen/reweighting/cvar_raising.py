r"""CVaR raised to at least a target: a convex problem, solved exactly by cutting planes.

:math:`CVaR_q \ge v` means :math:`F_q(\eta) = \eta + E_q(L - \eta)^+ / (1 - \beta) \ge v` for **all**
:math:`\eta`, each of them linear in q: the feasible set is convex, and the divergence is the *largest* over
:math:`\eta` of the divergences with one of these rows. Each round solves with the rows found so far and adds the
row at the posterior's own quantile, where :math:`F_q` is smallest. Quantiles are losses of scenarios, hence
finitely many rows are enough. Several views are raised at once in the same way.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.cvar_task import CVaRTask
from tsgen.reweighting.errors import PoolingConvergenceError
from tsgen.reweighting.linear_pooling import PooledLaw, SolverSettings, pool_linear
from tsgen.reweighting.linear_row import LinearRow

Floats = NDArray[np.float64]
_MAX_ROUNDS = 200


class RaisedLaw(NamedTuple):
    """Posterior with the rows that were active in the end, and whose they are.

    ``owners`` has one entry per row: the position of the raised view, or -1 for the given rows, which come first.
    """

    law: PooledLaw
    rows: tuple[LinearRow, ...]
    owners: tuple[int, ...]

    def multipliers(self) -> dict[str, float]:
        """Finite multipliers by row name: where to start a neighbouring problem."""
        pairs = zip(self.rows, self.law.multipliers, strict=True)
        return {row.name: float(value) for row, value in pairs if np.isfinite(value)}

    def cuts(self) -> list[tuple[int, LinearRow]]:
        """Rows of raised views with their owners: what a neighbouring problem will need too."""
        return [(owner, row) for owner, row in zip(self.owners, self.rows, strict=True) if owner >= 0]


def pool_raising_cvar(
    prior: Floats,
    rows: Sequence[LinearRow],
    raised: Sequence[CVaRTask],
    *,
    start: Mapping[str, float],
    settings: SolverSettings,
    cuts: Sequence[tuple[int, LinearRow]] = (),
) -> RaisedLaw | None:
    """Closest law with all rows met and every CVaR in ``raised`` at least at its target; ``None`` if there is none.

    Parameters
    ----------
    prior : ndarray of shape (scenario,), float64
    rows : sequence of LinearRow
    raised : sequence of CVaRTask
    start : mapping of str to float
        First guess of multipliers, by row name.
    settings : SolverSettings
    cuts : sequence of (owner, LinearRow)
        Rows of raised views to begin with; any of them are valid, good ones save rounds.

    Raises
    ------
    PoolingConvergenceError
        If the rows keep changing without the targets being met.

    References
    ----------
    Rockafellar and Uryasev (2000), "Optimization of conditional value-at-risk", theorem 1.
    Kelley (1960), "The cutting-plane method for solving convex programs".
    """
    planes = list(cuts)
    guess, iterations = dict(start), 0
    for _ in range(_MAX_ROUNDS):
        everything = (*rows, *(row for _, row in planes))
        law = pool_linear(prior, everything, start=guess, settings=settings)
        if law is None:
            return None
        iterations += law.iterations
        owners = (-1,) * len(rows) + tuple(owner for owner, _ in planes)
        found = RaisedLaw(law._replace(iterations=iterations), everything, owners)
        added = _violated(law.probabilities, raised, {(owner, row.name) for owner, row in planes}, settings.tolerance)
        if not added:
            return found
        guess = found.multipliers()
        active = law.multipliers[len(rows) :] != 0
        # each round is further from the prior than the last: a row that has become slack is not needed again
        planes = [plane for plane, kept in zip(planes, active, strict=True) if kept] + added
    raise PoolingConvergenceError(
        f"CVaR views were not met after {_MAX_ROUNDS} cutting planes. Move their targets towards the prior values."
    )


def _violated(
    probabilities: Floats, raised: Sequence[CVaRTask], known: set[tuple[int, str]], tolerance: float
) -> list[tuple[int, LinearRow]]:
    added: list[tuple[int, LinearRow]] = []
    for owner, task in enumerate(raised):
        if task.shortfall(probabilities) > 2 * tolerance:
            row = task.view.bound(task.losses, task.tail(probabilities).value_at_risk, relation=">=")
            # the row at this quantile is met to the solver's tolerance already: nothing left to add
            if (owner, row.name) not in known:
                added.append((owner, row))
    return added
