r"""CVaR lowered to at most a target: not convex, a search over the quantile.

:math:`CVaR_q \le v` means :math:`F_q(\eta) = \eta + E_q(L - \eta)^+ / (1 - \beta) \le v` for **some**
:math:`\eta`: a union of half-spaces. The divergence is the *smallest* over :math:`\eta` of those with one row each
(`quantile_search`). On many scenarios the valleys are found on representatives of them, their floors always on all.
Several views are lowered in turn.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.cvar_raising import RaisedLaw, pool_raising_cvar
from tsgen.reweighting.cvar_task import CVaRTask
from tsgen.reweighting.linear_pooling import SolverSettings
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.quantile_search import (
    QuantileProblem,
    Trial,
    Valley,
    deepest_of_scans,
    floor_of,
    quantile_grid,
    valleys,
)
from tsgen.reweighting.scenario_thinning import thinned

Floats = NDArray[np.float64]
_MAX_PASSES = 20


class LoweredLaw(NamedTuple):
    """Posterior, and the quantile and row of each lowered view (``None`` where it was met without)."""

    raised: RaisedLaw
    bounds: tuple[LinearRow | None, ...]


def pool_lowering_cvar(
    prior: Floats,
    rows: Sequence[LinearRow],
    raised: Sequence[CVaRTask],
    lowered: Sequence[CVaRTask],
    *,
    start: Mapping[str, float],
    settings: SolverSettings,
) -> LoweredLaw | None:
    """Closest law with all rows met, CVaRs in ``raised`` at least and in ``lowered`` at most at their targets.

    Parameters
    ----------
    prior : ndarray of shape (scenario,), float64
    rows : sequence of LinearRow
    raised, lowered : sequence of CVaRTask
    start : mapping of str to float
        First guess of multipliers, by row name.
    settings : SolverSettings

    Returns
    -------
    LoweredLaw or None
        ``None`` if no quantile of some lowered view admits a solution.

    References
    ----------
    Meucci, Ardia and Keel (2011), "Fully flexible extreme views", which searches over the number of tail scenarios.
    """
    current = pool_raising_cvar(prior, rows, raised, start=start, settings=settings)
    bounds: list[LinearRow | None] = [None] * len(lowered)
    for _ in range(_MAX_PASSES):
        moved = False
        for i, task in enumerate(lowered):
            if current is None:
                return None
            if bounds[i] is None and task.shortfall(current.law.probabilities) >= -settings.tolerance:
                continue
            if bounds[i] is not None and len(lowered) == 1:
                continue
            others = [row for j, row in enumerate(bounds) if j != i and row is not None]
            guess = {**start, **current.multipliers()}
            problem = QuantileProblem(
                prior, [*rows, *others], raised, task, start=guess, cuts=current.cuts(), settings=settings
            )
            trial = _lowest(problem)
            if trial is None:
                return None
            before = current.law.divergence
            moved |= bounds[i] is None or trial.found.law.divergence < before - 1e-9 * (1e-3 + before)
            steps = current.law.iterations + problem.steps
            current, bounds[i] = trial.found._replace(law=trial.found.law._replace(iterations=steps)), trial.row
        if not moved:
            break
    return None if current is None else LoweredLaw(current, tuple(bounds))


def _lowest(problem: QuantileProblem) -> Trial | None:
    if not len(problem.atoms):
        # all of the law at the smallest loss is the only candidate
        return problem.solve(problem.task.view.target)
    floors = [floor_of(problem, valley) for valley in _found_on_representatives(problem)]
    reached = [trial for trial in floors if trial is not None]
    if not reached:
        valley = deepest_of_scans(problem)
        return None if valley is None else floor_of(problem, valley)
    return min(reached, key=lambda trial: trial.found.law.divergence)


def _found_on_representatives(problem: QuantileProblem) -> list[Valley]:
    """Where the deepest valleys lie, judged on fewer scenarios; empty where that is of no use."""
    thin = thinned(problem.prior, [problem.task, *problem.raised])
    if thin is None:
        return []
    small = QuantileProblem(
        thin.prior,
        thin.rows(problem.rows),
        [thin.task(task) for task in problem.raised],
        thin.task(problem.task),
        start=problem.guess,
        cuts=list(zip((o for o, _ in problem.cuts), thin.rows([r for _, r in problem.cuts]), strict=True)),
        settings=problem.settings,
    )
    if not len(small.atoms):
        return []
    found = valleys(small, quantile_grid(small.task, small.prior, small.atoms))
    open_ends = -1, len(problem.atoms)
    starts: list[Valley] = []
    for valley in found:
        # standard error of a divergence estimated on n scenarios: about sqrt(2 KL / n)
        doubt = 4.0 * np.sqrt(2.0 * valley.depth / len(thin.kept))
        if valley.depth > found[0].depth + doubt:
            break
        trial = floor_of(small, valley)
        if trial is not None:
            eta = small.task.tail(trial.found.law.probabilities).value_at_risk
            position = min(int(np.searchsorted(problem.atoms, eta)), len(problem.atoms) - 1)
            starts.append(Valley(position, *open_ends, trial.found.law.divergence))
            problem.guess.update(trial.found.multipliers())
    return starts
