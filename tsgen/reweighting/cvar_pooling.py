"""Linear rows together with CVaR views: which way each CVaR has to move, and the law that does it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.cvar_lowering import LoweredLaw, pool_lowering_cvar
from tsgen.reweighting.cvar_task import CVaRTask
from tsgen.reweighting.errors import PoolingConvergenceError
from tsgen.reweighting.linear_pooling import PooledLaw, SolverSettings, pool_linear
from tsgen.reweighting.linear_row import LinearRow

Floats = NDArray[np.float64]
# short of a target, in deviations of the tail; where few scenarios are beyond the quantile a row that is met to 1e-9 of
# its own deviation leaves some 1e-7
_LARGEST_GAP = 1e-5


class TailedLaw(NamedTuple):
    """Posterior under rows and CVaR views.

    ``law.multipliers`` belong to the given rows; ``cvar_multipliers`` are per unit of each CVaR target; ``start``
    holds all of them by name for a neighbouring problem.
    """

    law: PooledLaw
    cvar_multipliers: tuple[float, ...]
    start: dict[str, float]


def pool_with_cvar(
    prior: Floats,
    rows: Sequence[LinearRow],
    tasks: Sequence[CVaRTask],
    *,
    start: Mapping[str, float],
    settings: SolverSettings,
) -> TailedLaw | None:
    """Closest law that meets all rows and CVaR views; ``None`` if there is none (or none was found by the search).

    Parameters
    ----------
    prior : ndarray of shape (scenario,), float64
    rows : sequence of LinearRow
    tasks : sequence of CVaRTask
    start : mapping of str to float
        First guess of multipliers, by row name.
    settings : SolverSettings

    Raises
    ------
    PoolingConvergenceError
        If equalities on several CVaRs keep changing the direction in which each has to move.
    """
    base = pool_linear(prior, rows, start=start, settings=settings)
    if base is None:
        return None
    if not tasks:
        names = zip(rows, base.multipliers, strict=True)
        return TailedLaw(base, (), {row.name: float(m) for row, m in names if np.isfinite(m)})
    upwards = directions(base.probabilities, tasks)
    for _ in range(2 + 2 * len(tasks)):
        raised = [task for task, up in zip(tasks, upwards, strict=True) if up]
        lowered = [task for task, up in zip(tasks, upwards, strict=True) if not up]
        found = pool_lowering_cvar(prior, rows, raised, lowered, start=start, settings=settings)
        if found is None:
            return None
        law = found.raised.law
        # how far each is beyond its target, in the direction it was moved in
        beyond = [
            (-1.0 if up else 1.0) * task.shortfall(law.probabilities) if task.view.relation == "==" else 0.0
            for task, up in zip(tasks, upwards, strict=True)
        ]
        # a CVaR that others push beyond its target has to be held back instead
        wrong = [distance > 20 * settings.tolerance for distance in beyond]
        if not any(wrong) and min(beyond) > -_LARGEST_GAP:
            return _gathered(found, len(rows), upwards)
        upwards = [up != flip for up, flip in zip(upwards, wrong, strict=True)]
    raise PoolingConvergenceError(
        f"the CVaR views {', '.join(repr(task.view.title) for task in tasks)} pull against each other: no consistent "
        "set of directions was found. Turn one of the equalities into '<=' or '>='."
    )


def directions(probabilities: Floats, tasks: Sequence[CVaRTask]) -> list[bool]:
    """Whether each CVaR has to be raised, seen from a law without these views."""
    return [
        task.view.relation == ">=" or (task.view.relation == "==" and task.shortfall(probabilities) >= 0)
        for task in tasks
    ]


def _gathered(found: LoweredLaw, n_rows: int, upwards: Sequence[bool]) -> TailedLaw:
    law, rows, owners = found.raised.law, found.raised.rows, found.raised.owners
    pulls: list[float] = []
    n_up = n_down = 0
    for up in upwards:
        if up:
            pulls.append(sum(float(m) for m, owner in zip(law.multipliers, owners, strict=True) if owner == n_up))
            n_up += 1
        else:
            bound = found.bounds[n_down]
            pulls.append(sum(float(m) for m, row in zip(law.multipliers, rows, strict=True) if row is bound))
            n_down += 1
    return TailedLaw(law._replace(multipliers=law.multipliers[:n_rows]), tuple(pulls), found.raised.multipliers())
