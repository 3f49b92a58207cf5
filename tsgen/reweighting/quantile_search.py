r"""Where the quantile of a lowered CVaR belongs: scan for the valleys of the divergence, then descend to the floor.

The derivative of the divergence in the trial quantile :math:`\eta` has the sign of
:math:`(1 - \beta) - P_q(L > \eta)`, so the floor is where the loss at :math:`\eta` fills the tail to
:math:`1 - \beta`, exactly. Replacing :math:`\eta` by the posterior's own quantile never raises the divergence (q stays
feasible); secants through such points find the floor in a few steps, bisection makes sure of it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

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
_SECANTS = 8
# of the last step: how far a secant may extrapolate
_REACH = 3.0


class Trial(NamedTuple):
    """The law at one quantile tried, and its row."""

    found: RaisedLaw
    row: LinearRow


class Valley(NamedTuple):
    """A local minimum of a scan, between two positions that are no lower; ``depth`` is its divergence."""

    position: int
    left: int
    right: int
    depth: float


@final
class QuantileProblem:
    """One lowered CVaR beside other conditions, as a function of its trial quantile.

    Parameters
    ----------
    prior : ndarray of shape (scenario,), float64
    rows : sequence of LinearRow
    raised : sequence of CVaRTask
    task : CVaRTask
        The view to be lowered.
    start : mapping of str to float
        First guess of multipliers; each solution is the first guess of the next.
    cuts : sequence of (int, LinearRow)
        Rows of raised views to begin with.
    settings : SolverSettings

    Notes
    -----
    For a given law the row is linear in the quantile between two neighbouring losses, hence loosest at one of them:
    only ``atoms``, the losses of scenarios below the target, need be tried. ``steps`` counts Newton steps.
    """

    def __init__(
        self,
        prior: Floats,
        rows: Sequence[LinearRow],
        raised: Sequence[CVaRTask],
        task: CVaRTask,
        *,
        start: Mapping[str, float],
        cuts: Sequence[tuple[int, LinearRow]],
        settings: SolverSettings,
    ) -> None:
        self.prior, self.rows, self.raised, self.task, self.settings = prior, rows, raised, task, settings
        self.guess = dict(start)
        self.cuts = list(cuts)
        self.steps = 0
        sorted_losses = task.losses[task.order]
        usable = (prior[task.order] > 0) & (sorted_losses < task.view.target)
        atoms = sorted_losses[usable]
        self.atoms: Floats = atoms[np.diff(atoms, prepend=-np.inf) > 0]

    def solve(self, eta: float, *, tolerance: float = 0.0) -> Trial | None:
        """The law at a quantile, to the tolerance of the settings or a coarser one; ``None`` if there is none."""
        accuracy = self.settings._replace(tolerance=max(self.settings.tolerance, tolerance))
        row = self.task.view.bound(self.task.losses, eta, relation="<=")
        try:
            found = pool_raising_cvar(
                self.prior, [*self.rows, row], self.raised, start=self.guess, settings=accuracy, cuts=self.cuts
            )
        except PoolingConvergenceError:
            # a quantile at the edge of what is possible is no candidate for the smallest divergence
            return None
        if found is None:
            return None
        self.guess.update(found.multipliers())
        self.cuts = found.cuts()
        self.steps += found.law.iterations
        return Trial(found, row)

    def slope(self, trial: Trial, position: int) -> int:
        """Where the divergence falls at an atom: 1 to larger quantiles, -1 to smaller ones, 0 at a floor."""
        q, eta, tail = trial.found.law.probabilities, self.atoms[position], 1.0 - self.task.view.level
        if float(q[self.task.losses > eta].sum()) > tail:
            return 1
        return -1 if float(q[self.task.losses >= eta].sum()) < tail else 0

    def excess(self, trial: Trial, position: int) -> float:
        """Probability beyond an atom, less that of the tail."""
        beyond = float(trial.found.law.probabilities[self.task.losses > self.atoms[position]].sum())
        return beyond - (1.0 - self.task.view.level)


def quantile_grid(task: CVaRTask, prior: Floats, atoms: Floats, size: int = _GRID) -> NDArray[np.intp]:
    """Positions in ``atoms`` at geometrically spaced prior tail probabilities, increasing, unique."""
    below = np.cumsum(prior[task.order])
    sorted_losses = task.losses[task.order]
    beyond = 1.0 - below[np.searchsorted(sorted_losses, atoms, side="right") - 1]
    smallest = max(float(beyond[-1]), float(prior[prior > 0].min()))
    masses = np.geomspace(1.0, min(smallest, 1.0), size)
    positions = np.searchsorted(-beyond, -masses).clip(0, len(atoms) - 1)
    return np.unique(np.concatenate([[0], positions, [len(atoms) - 1]]))


def valleys(problem: QuantileProblem, grid: NDArray[np.intp]) -> list[Valley]:
    """Local minima of the divergence over grid positions, deepest first; empty if no quantile admits a solution."""
    # from the target downwards: each solution is the first guess of the next
    trials = [problem.solve(float(problem.atoms[k]), tolerance=_SCAN_TOLERANCE) for k in grid[::-1]][::-1]
    depth = np.array([np.inf, *(np.inf if t is None else t.found.law.divergence for t in trials), np.inf])
    ends = [-1, *(int(k) for k in grid), len(problem.atoms)]
    found = [
        Valley(ends[i], ends[i - 1], ends[i + 1], float(depth[i]))
        for i in range(1, len(grid) + 1)
        if np.isfinite(depth[i]) and depth[i] <= depth[i - 1] and depth[i] <= depth[i + 1]
    ]
    return sorted(found, key=lambda valley: valley.depth)


def deepest_of_scans(problem: QuantileProblem) -> Valley | None:
    """Coarse scan over all atoms, then a finer one around its best."""
    grid = quantile_grid(problem.task, problem.prior, problem.atoms)
    coarse = valleys(problem, grid)
    if not coarse:
        return None
    # few scenarios leave several valleys side by side: a second scan tells them apart
    best = coarse[0]
    around = max(best.left, 0), min(best.right, len(problem.atoms) - 1)
    fine = valleys(problem, np.union1d(np.linspace(*around, _FINE_GRID).astype(np.intp), best.position))
    return fine[0] if fine else None


def floor_of(problem: QuantileProblem, valley: Valley) -> Trial | None:
    """The floor of a valley.

    The best position so far falls towards ``far``, and ``far`` is never lower: a floor lies between, no higher than
    where the search began.
    """
    near, best = valley.position, problem.solve(float(problem.atoms[valley.position]))
    if best is None:
        return None
    towards = problem.slope(best, near)
    ends = {1: valley.right, -1: valley.left}
    points = [(float(problem.atoms[near]), problem.excess(best, near))]
    tries = 0
    while towards != 0 and abs(ends[towards] - near) > 1:
        far = ends[towards]
        middle = _next_position(problem, best, points, near, far) if tries < _SECANTS else (near + far) // 2
        tries += 1
        trial = problem.solve(float(problem.atoms[middle]))
        if trial is None or trial.found.law.divergence > best.found.law.divergence:
            ends[towards], tries = middle, _SECANTS
            continue
        ends[-towards] = near
        near, best, towards = middle, trial, problem.slope(trial, middle)
        points.append((float(problem.atoms[near]), problem.excess(best, near)))
    if towards == 0 or not 0 <= ends[towards] < len(problem.atoms):
        return best
    last = problem.solve(float(problem.atoms[ends[towards]]))
    return last if last is not None and last.found.law.divergence < best.found.law.divergence else best


def _next_position(
    problem: QuantileProblem, best: Trial, points: Sequence[tuple[float, float]], near: int, far: int
) -> int:
    """Strictly between: by a secant through the last two points, at first the posterior's own quantile."""
    eta = problem.task.tail(best.found.law.probabilities).value_at_risk
    if len(points) > 1:
        (before, was), (here, left) = points[-2:]
        step = here - before
        ahead = left * step / (was - left) if was != left else _REACH * step
        eta = here + float(np.clip(ahead, -_REACH * abs(step), _REACH * abs(step)))
    position = int(np.searchsorted(problem.atoms, eta))
    low, high = sorted((near, far))
    return min(max(position, low + 1), high - 1)
