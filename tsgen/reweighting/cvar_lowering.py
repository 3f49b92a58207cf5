r"""CVaR lowered to at most a target: not convex, a search over the quantile.

:math:`CVaR_q \le v` means :math:`F_q(\eta) = \eta + E_q(L - \eta)^+ / (1 - \beta) \le v` for **some**
:math:`\eta`: a union of half-spaces. The divergence is the *smallest* over :math:`\eta` of those with one row each.
For a given q the row is linear in :math:`\eta` between two neighbouring losses, hence loosest at one of them: only
losses of scenarios need be tried. The derivative of the divergence in :math:`\eta` has the sign of
:math:`(1 - \beta) - P_q(L > \eta)`, so a grid finds the valley and bisection its floor, where the loss at
:math:`\eta` fills the tail to :math:`1 - \beta`, exactly. Several views are lowered in turn.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.cvar_raising import RaisedLaw, pool_raising_cvar
from tsgen.reweighting.cvar_task import CVaRTask
from tsgen.reweighting.errors import PoolingConvergenceError
from tsgen.reweighting.linear_pooling import SolverSettings
from tsgen.reweighting.linear_row import LinearRow

Floats = NDArray[np.float64]
_GRID = 14
_FINE_GRID = 25
# finding the valley needs less accuracy than its floor
_SCAN_TOLERANCE = 1e-5
_MAX_PASSES = 20


class LoweredLaw(NamedTuple):
    """Posterior, and the quantile and row of each lowered view (``None`` where it was met without)."""

    raised: RaisedLaw
    bounds: tuple[LinearRow | None, ...]


class _Trial(NamedTuple):
    """One quantile tried; ``steps`` counts the Newton steps of the whole search up to it."""

    found: RaisedLaw
    row: LinearRow
    steps: int


_Solve = Callable[[float], _Trial | None]


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
            trial = _lowest(prior, [*rows, *others], raised, task, current, settings)
            if trial is None:
                return None
            before = current.law.divergence
            moved |= bounds[i] is None or trial.found.law.divergence < before - 1e-9 * (1e-3 + before)
            steps = current.law.iterations + trial.steps
            current, bounds[i] = trial.found._replace(law=trial.found.law._replace(iterations=steps)), trial.row
        if not moved:
            break
    return None if current is None else LoweredLaw(current, tuple(bounds))


def _lowest(
    prior: Floats,
    rows: Sequence[LinearRow],
    raised: Sequence[CVaRTask],
    task: CVaRTask,
    near: RaisedLaw,
    settings: SolverSettings,
) -> _Trial | None:
    guess, cuts = near.multipliers(), near.cuts()
    steps = 0
    coarse = settings._replace(tolerance=max(settings.tolerance, _SCAN_TOLERANCE))

    def solve(eta: float, accuracy: SolverSettings = settings) -> _Trial | None:
        nonlocal steps
        row = task.view.bound(task.losses, eta, relation="<=")
        try:
            found = pool_raising_cvar(prior, [*rows, row], raised, start=guess, settings=accuracy, cuts=cuts)
        except PoolingConvergenceError:
            # a quantile at the edge of what is possible is no candidate for the smallest divergence
            return None
        if found is None:
            return None
        guess.update(found.multipliers())
        cuts[:] = found.cuts()
        steps += found.law.iterations
        return _Trial(found, row, steps)

    atoms = np.unique(task.losses[prior > 0])
    atoms = atoms[atoms < task.view.target]
    if not len(atoms):
        # all of the law at the smallest loss is the only candidate
        return solve(task.view.target)
    grid = quantile_grid(task, prior, atoms)
    best = _scanned(solve, atoms, grid, coarse)
    if best is None:
        return None
    # few scenarios leave several valleys side by side: a second scan tells them apart
    around = int(grid[max(best - 1, 0)]), int(grid[min(best + 1, len(grid) - 1)])
    grid = np.union1d(np.linspace(*around, _FINE_GRID).astype(np.intp), grid[best])
    best = _scanned(solve, atoms, grid, coarse)
    return None if best is None else _floor_of_valley(solve, task, atoms, grid, best)


def _scanned(
    solve: Callable[[float, SolverSettings], _Trial | None],
    atoms: Floats,
    grid: NDArray[np.intp],
    accuracy: SolverSettings,
) -> int | None:
    """Position in the grid of the smallest divergence; ``None`` if no quantile admits a solution."""
    # from the target downwards: each solution is the first guess of the next
    trials = [solve(float(atoms[k]), accuracy) for k in grid[::-1]][::-1]
    depth = [np.inf if trial is None else trial.found.law.divergence for trial in trials]
    best = int(np.argmin(depth))
    return best if np.isfinite(depth[best]) else None


def quantile_grid(task: CVaRTask, prior: Floats, atoms: Floats, size: int = _GRID) -> NDArray[np.intp]:
    """Positions in ``atoms`` at geometrically spaced prior tail probabilities, increasing, unique."""
    below = np.cumsum(prior[task.order])
    sorted_losses = task.losses[task.order]
    beyond = 1.0 - below[np.searchsorted(sorted_losses, atoms, side="right") - 1]
    smallest = max(float(beyond[-1]), float(prior[prior > 0].min()))
    masses = np.geomspace(1.0, min(smallest, 1.0), size)
    positions = np.searchsorted(-beyond, -masses).clip(0, len(atoms) - 1)
    return np.unique(np.concatenate([[0], positions, [len(atoms) - 1]]))


def _slope(trial: _Trial, task: CVaRTask, eta: float) -> int:
    """Where the divergence falls at an atom: 1 to larger quantiles, -1 to smaller ones, 0 at a floor."""
    q, tail = trial.found.law.probabilities, 1.0 - task.view.level
    if float(q[task.losses > eta].sum()) > tail:
        return 1
    return -1 if float(q[task.losses >= eta].sum()) < tail else 0


def _floor_of_valley(solve: _Solve, task: CVaRTask, atoms: Floats, grid: NDArray[np.intp], best: int) -> _Trial | None:
    """Bisection over the atoms.

    ``near`` always falls towards ``far``, and ``far`` is never lower than ``near``: a floor lies between, and it is
    no higher than the best point of the scan.
    """
    near = int(grid[best])
    lowest = solve(float(atoms[near]))
    towards = 0 if lowest is None else _slope(lowest, task, float(atoms[near]))
    if lowest is None or towards == 0:
        return lowest
    ends = np.concatenate([[-1], grid, [len(atoms)]])
    # beyond the last atom the CVaR can no longer be met, below the first one it is dearer
    far = int(ends[best + 1 + towards])
    while abs(far - near) > 1:
        middle = (near + far) // 2
        eta = float(atoms[middle])
        trial = solve(eta)
        if trial is None or trial.found.law.divergence > lowest.found.law.divergence:
            far = middle
            continue
        slope = _slope(trial, task, eta)
        if slope == 0:
            return trial
        if slope == towards:
            near, lowest = middle, trial
        else:
            far = middle
    last = solve(float(atoms[far])) if 0 <= far < len(atoms) else None
    return last if last is not None and last.found.law.divergence < lowest.found.law.divergence else lowest
