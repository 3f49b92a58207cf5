"""The sequence of stages: linear views first, then variances, then higher moments.

Each stage starts again from the *prior*, keeps all earlier views, and holds the moments that its new views need at
their values under the preceding stage's law. The result meets every view; it is the closest law among those with
the held moments, not among all (that problem is not convex).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.conflict import explain_conflict
from tsgen.reweighting.cvar_pooling import TailedLaw, directions, pool_with_cvar
from tsgen.reweighting.cvar_task import CVaRTask
from tsgen.reweighting.linear_pooling import SolverSettings, pool_linear
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.stage_rows import with_held_moments
from tsgen.reweighting.subject import Outcomes
from tsgen.reweighting.tail_views import CVaRView
from tsgen.reweighting.view_protocol import Stage, View

Floats = NDArray[np.float64]
_STAGES: tuple[Stage, ...] = (1, 2, 3)


class StagedLaw(NamedTuple):
    """Posterior after the last stage.

    ``slopes`` are the derivatives of the divergence with respect to each view's target, in the order of the views
    (with held moments held); ``held`` are the held rows with their multipliers; ``start`` names all multipliers.
    """

    probabilities: Floats
    divergence: float
    iterations: int
    multipliers: tuple[float, ...]
    slopes: tuple[float, ...]
    held: tuple[tuple[LinearRow, float], ...]
    start: dict[str, float]


class _Progress(NamedTuple):
    law: TailedLaw
    rows: list[LinearRow]
    owners: list[int]
    held: list[LinearRow]
    iterations: int


def pool_in_stages(
    outcomes: Outcomes, views: Sequence[View], *, start: Mapping[str, float], settings: SolverSettings
) -> StagedLaw:
    """Impose the views stage by stage.

    Parameters
    ----------
    outcomes : Outcomes
    views : sequence of View
    start : mapping of str to float
        First guess of multipliers, by row name.
    settings : SolverSettings

    Raises
    ------
    ViewConflictError
        If the views of a stage contradict each other, or the scenarios, or the moments held.
    PoolingConvergenceError
        If the solver stops before its tolerance.

    References
    ----------
    Meucci (2008), "Fully flexible views: theory and practice", section 3.
    Vorobets (2021), "Sequential entropy pooling heuristics".
    """
    prior = outcomes.prior
    tasks = {i: CVaRTask.of(view, outcomes) for i, view in enumerate(views) if isinstance(view, CVaRView)}
    state: _Progress | None = None
    guess = dict(start)
    for stage in _STAGES:
        fresh = [i for i, view in enumerate(views) if view.stage == stage]
        if not fresh and not (stage == 1 and tasks):
            continue
        state = _next_stage(outcomes, views, fresh, state, list(tasks.values()), guess, settings)
        guess.update(state.law.start)
    if state is None:
        return StagedLaw(prior, 0.0, 0, (), (), (), {})
    return _finished(state, views, list(tasks), guess)


def _next_stage(
    outcomes: Outcomes,
    views: Sequence[View],
    fresh: Sequence[int],
    before: _Progress | None,
    tasks: Sequence[CVaRTask],
    guess: Mapping[str, float],
    settings: SolverSettings,
) -> _Progress:
    prior = outcomes.prior
    law = prior if before is None else before.law.law.probabilities
    rows, owners, held, iterations = ([], [], [], 0) if before is None else (*before[1:4], before.iterations)
    binding = [] if before is None else [m != 0 for m in before.law.law.multipliers[: len(rows)]]
    rows, owners = list(rows), list(owners)
    candidates = list(held)
    for i in fresh:
        new = views[i].rows(outcomes, law)
        rows += new
        owners += [i] * len(new)
        candidates += views[i].held_rows(outcomes, law)
    binding += [False] * (len(rows) - len(binding))
    rows, held = with_held_moments(rows, candidates, prior=prior, binding=binding)
    found = pool_with_cvar(prior, [*rows, *held], tasks, start=guess, settings=settings)
    if found is None:
        base = pool_linear(prior, [*rows, *held], start=guess, settings=settings)
        upwards = directions(prior if base is None else base.probabilities, tasks)
        raise explain_conflict(prior, [*rows, *held], tasks, upwards)
    return _Progress(found, rows, owners, held, iterations + found.law.iterations)


def _finished(state: _Progress, views: Sequence[View], cvar: Sequence[int], start: dict[str, float]) -> StagedLaw:
    law = state.law.law
    multipliers, slopes = [0.0] * len(views), [0.0] * len(views)
    for row, owner, value in zip(state.rows, state.owners, law.multipliers, strict=False):
        multipliers[owner] += float(value)
        slopes[owner] += float(value) * row.slope
    for owner, value in zip(cvar, state.law.cvar_multipliers, strict=True):
        multipliers[owner] = slopes[owner] = value
    held = tuple(zip(state.held, (float(m) for m in law.multipliers[len(state.rows) :]), strict=True))
    return StagedLaw(
        law.probabilities, law.divergence, state.iterations, tuple(multipliers), tuple(slopes), held, start
    )
