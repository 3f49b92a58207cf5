"""Which views contradict (the solver tells), and what would be attainable (linear programmes over probabilities).

Only used once the solver has found that there is no solution, to say so in a way that can be acted upon.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, hstack, vstack

from tsgen.reweighting.cvar_lowering import pool_lowering_cvar
from tsgen.reweighting.cvar_task import CVaRTask
from tsgen.reweighting.errors import PoolingConvergenceError, ViewConflictError
from tsgen.reweighting.linear_pooling import SolverSettings
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.quantile_search import quantile_grid

Floats = NDArray[np.float64]
_GRID = 10


class _Tail(NamedTuple):
    task: CVaRTask
    raised: bool

    def __str__(self) -> str:
        return f"{self.task.view.title} {self.task.view.relation} {self.task.view.target:.6g}"


_Item = LinearRow | _Tail


def explain_conflict(
    prior: Floats, rows: Sequence[LinearRow], tasks: Sequence[CVaRTask], raised: Sequence[bool]
) -> ViewConflictError:
    """The error to raise: a minimal conflicting set by name, and the attainable range of each of its members.

    Parameters
    ----------
    prior : ndarray of shape (scenario,), float64
        Its support is where probabilities may be.
    rows : sequence of LinearRow
    tasks : sequence of CVaRTask
    raised : sequence of bool
        For each task, whether its CVaR has to be raised.
    """
    support = prior > 0
    items: list[_Item] = [*rows, *(_Tail(task, up) for task, up in zip(tasks, raised, strict=True))]
    for item in items:
        if not _feasible([item], prior):
            return _conflict_error([item], prior, support)
    needed = list(items)
    for item in items:
        without = [other for other in needed if other is not item]
        if not _feasible(without, prior):
            needed = without
    if _feasible(needed, prior):
        return ViewConflictError(
            f"no probabilities were found that satisfy all of these views: {_listed(items)}. They are at the edge of "
            "what the scenarios allow, or equalities on CVaRs exclude each other. Move the targets inwards, drop a "
            "view, or sample more scenarios.",
            views=[str(item) for item in items],
        )
    return _conflict_error(needed, prior, support)


def _listed(items: Sequence[_Item]) -> str:
    return ", ".join(f"'{item}'" for item in items)


def _conflict_error(conflict: Sequence[_Item], prior: Floats, support: NDArray[np.bool_]) -> ViewConflictError:
    ranges: dict[str, tuple[float, float]] = {}
    for item in conflict:
        if isinstance(item, LinearRow) and item.held_for is not None:
            continue
        others = [other for other in conflict if other is not item]
        found = _attainable(item, others, prior, support)
        if found is not None:
            # solvers return minus zero, and ends that miss each other by rounding
            found = (min(found) + 0.0, max(found) + 0.0)
            ranges[item.name if isinstance(item, LinearRow) else item.task.view.title] = found
    shown = "; ".join(f"{name} from {low:.6g} to {high:.6g}" for name, (low, high) in ranges.items())
    if len(conflict) == 1:
        opening = f"the view '{conflict[0]}' cannot be met: attainable on these scenarios is {shown}."
    else:
        opening = f"these views contradict each other: {_listed(conflict)}. Attainable beside the others is {shown}."
    return ViewConflictError(
        f"{opening} Re-weighting cannot create outcomes that no scenario has: move a target into its range, drop a "
        "view, or sample more (or more extreme) scenarios.",
        views=[str(item) for item in conflict],
        attainable=ranges,
    )


class _Programme(NamedTuple):
    """Linear conditions on q (and one sub-probability per raised CVaR)."""

    upper: csr_array
    upper_limits: Floats
    equal: csr_array
    equal_limits: Floats
    width: int


def _programme(rows: Sequence[LinearRow], raised: Sequence[CVaRTask], support: NDArray[np.bool_]) -> _Programme:
    n, blocks = int(support.sum()), 1 + len(raised)
    upper: list[csr_array] = []
    equal = [_block_row(np.ones(n), 0, blocks)]
    upper_limits: list[float] = []
    equal_limits = [1.0]
    for row in rows:
        values = row.feature[support] - row.target
        size = float(np.abs(values).max()) or 1.0
        sign = -1.0 if row.relation == ">=" else 1.0
        target = equal if row.relation == "==" else upper
        target.append(_block_row(sign * values / size, 0, blocks))
        (equal_limits if row.relation == "==" else upper_limits).append(0.0)
    for i, task in enumerate(raised, start=1):
        # CVaR is the largest mean loss over sub-probabilities r <= q of mass 1 - level (times 1 / (1 - level))
        losses = (task.losses[support] - task.view.target) / task.scale
        upper.append(_block_row(-losses / float(np.abs(losses).max() or 1.0), i, blocks))
        upper_limits.append(0.0)
        equal.append(_block_row(np.ones(n), i, blocks))
        equal_limits.append(1.0 - task.view.level)
        identity = _identity(n)
        empty = csr_array((n, n))
        parts = [-identity if b == 0 else identity if b == i else empty for b in range(blocks)]
        upper.append(csr_array(hstack(parts)))
        upper_limits += [0.0] * n
    left = csr_array(vstack(upper)) if upper else csr_array((0, n * blocks))
    return _Programme(left, np.array(upper_limits), csr_array(vstack(equal)), np.array(equal_limits), n * blocks)


def _identity(n: int) -> csr_array:
    where = np.arange(n)
    return csr_array(coo_array((np.ones(n), (where, where)), shape=(n, n)))


def _block_row(values: Floats, block: int, blocks: int) -> csr_array:
    n = len(values)
    where = np.arange(n) + block * n
    return csr_array(coo_array((values, (np.zeros(n, dtype=int), where)), shape=(1, n * blocks)))


def _optimum(
    objective: Floats | None, rows: Sequence[LinearRow], raised: Sequence[CVaRTask], support: NDArray[np.bool_]
) -> float | None:
    """Smallest mean of ``objective`` over feasible probabilities; ``None`` if there are none."""
    programme = _programme(rows, raised, support)
    cost = np.zeros(programme.width)
    if objective is not None:
        cost[: len(objective)] = objective
    solved = linprog(
        cost,
        A_ub=programme.upper if len(programme.upper_limits) else None,
        b_ub=programme.upper_limits if len(programme.upper_limits) else None,
        A_eq=programme.equal,
        b_eq=programme.equal_limits,
        bounds=(0, None),
        method="highs",
    )
    return float(solved.fun) if solved.status == 0 else None


def _cases(items: Sequence[_Item], prior: Floats) -> list[list[LinearRow]]:
    """Rows of the items, once for each trial quantile of the lowered CVaRs (the same tail share for all of them)."""
    rows = [item for item in items if isinstance(item, LinearRow)]
    lowered = [item.task for item in items if isinstance(item, _Tail) and not item.raised]
    if not lowered:
        return [rows]
    cases: list[list[LinearRow]] = []
    for share in range(_GRID):
        bounds = []
        for task in lowered:
            atoms = np.unique(task.losses[prior > 0])
            grid = quantile_grid(task, prior, atoms, _GRID)
            eta = atoms[grid[min(share, len(grid) - 1)]]
            bounds.append(task.view.bound(task.losses, float(eta), relation="<="))
        cases.append(rows + bounds)
    return cases


def _feasible(items: Sequence[_Item], prior: Floats) -> bool:
    """The solver's own answer: its proof of infeasibility is much quicker than a linear programme."""
    rows = [item for item in items if isinstance(item, LinearRow)]
    tails = [item for item in items if isinstance(item, _Tail)]
    raised = [tail.task for tail in tails if tail.raised]
    lowered = [tail.task for tail in tails if not tail.raised]
    try:
        return pool_lowering_cvar(prior, rows, raised, lowered, start={}, settings=SolverSettings()) is not None
    except PoolingConvergenceError:
        return True


def _attainable(
    item: _Item, others: Sequence[_Item], prior: Floats, support: NDArray[np.bool_]
) -> tuple[float, float] | None:
    """Lowest and highest value of an item's statistic beside the others, in the unit of its view."""
    raised = [other.task for other in others if isinstance(other, _Tail) and other.raised]
    lows: list[float] = []
    highs: list[float] = []
    for rows in _cases(others, prior):
        if isinstance(item, LinearRow):
            feature = item.feature[support]
            ends = [_optimum(sign * feature, rows, raised, support) for sign in (1.0, -1.0)]
            if ends[0] is not None and ends[1] is not None:
                lows.append(item.in_view_unit(ends[0]))
                highs.append(item.in_view_unit(-ends[1]))
        else:
            lows += _lowest_cvar(item.task, rows, raised, prior)
            highs += _highest_cvar(item.task, rows, raised, support)
    return (min(lows), max(highs)) if lows and highs else None


def _lowest_cvar(task: CVaRTask, rows: Sequence[LinearRow], raised: Sequence[CVaRTask], prior: Floats) -> list[float]:
    support = prior > 0
    atoms = np.unique(task.losses[support])
    bounds = [
        task.view.bound(task.losses, float(atoms[k]), relation="<=") for k in quantile_grid(task, prior, atoms, _GRID)
    ]
    values = [_optimum(bound.feature[support], rows, raised, support) for bound in bounds]
    return [value for value in values if value is not None]


def _highest_cvar(
    task: CVaRTask, rows: Sequence[LinearRow], raised: Sequence[CVaRTask], support: NDArray[np.bool_]
) -> list[float]:
    programme = _programme(rows, [*raised, task], support)
    n = int(support.sum())
    cost = np.zeros(programme.width)
    cost[-n:] = -task.losses[support] / (1.0 - task.view.level)
    # the last condition on the task itself is its target: left out, it is what we look for
    free = np.ones(len(programme.upper_limits), dtype=bool)
    free[-n - 1] = False
    solved = linprog(
        cost,
        A_ub=programme.upper[free],
        b_ub=programme.upper_limits[free],
        A_eq=programme.equal,
        b_eq=programme.equal_limits,
        bounds=(0, None),
        method="highs",
    )
    return [-float(solved.fun)] if solved.status == 0 else []
