r"""Minimum relative entropy under linear rows: from rows in their own units to posterior probabilities.

Around `entropy_dual`: scenarios of prior probability zero stay at zero; rows whose target is an end of the
feature's range are conditioning, not tilting (their multiplier is infinite); the others are centred on their
targets and measured in prior standard deviations, so that one tolerance fits returns, variances and probabilities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.entropy_dual import DualSolution, solve_dual
from tsgen.reweighting.errors import PoolingConvergenceError
from tsgen.reweighting.linear_row import LinearRow

Floats = NDArray[np.float64]
# rounding of a mean of features is about 1e-16 of the largest one; a range end closer than this is reached
_RANGE_ROUNDING = 1e-13


class SolverSettings(NamedTuple):
    """Accuracy and patience of the Newton solver.

    ``tolerance`` is the largest residual of a row, in prior standard deviations of its feature.
    """

    tolerance: float = 1e-9
    max_iterations: int = 200


class PooledLaw(NamedTuple):
    """Posterior probabilities under linear rows, with what proves them right.

    ``multipliers`` are per unit of each row's feature, in the order of the rows; plus or minus infinity for rows
    that condition on the end of a range.
    """

    probabilities: Floats
    multipliers: Floats
    divergence: float
    iterations: int


def pool_linear(
    prior: Floats, rows: Sequence[LinearRow], *, start: Mapping[str, float], settings: SolverSettings
) -> PooledLaw | None:
    r"""Probabilities closest to the prior that satisfy all rows; ``None`` if there are none.

    Parameters
    ----------
    prior : ndarray of shape (scenario,), float64
        Non-negative, summing to one.
    rows : sequence of LinearRow
    start : mapping of str to float
        Multipliers to start from, by row name; rows not named start at zero.
    settings : SolverSettings

    Raises
    ------
    PoolingConvergenceError
        If the solver stops before its tolerance without a proof of infeasibility.

    Examples
    --------
    >>> row = LinearRow(name="event", feature=np.array([1.0, 0.0, 0.0, 0.0]), target=0.5, relation="==")
    >>> law = pool_linear(np.full(4, 0.25), [row], start={}, settings=SolverSettings())
    >>> law.probabilities.round(6).tolist(), round(float(np.exp(law.multipliers[0])), 6)
    ([0.5, 0.166667, 0.166667, 0.166667], 3.0)
    """
    support, infinite = _conditioned(prior, rows)
    if support is None:
        return None
    whole = bool(support.all())
    mass = 1.0 if whole else float(prior[support].sum())
    within = prior if whole else prior[support] / mass
    open_rows = [j for j in range(len(rows)) if j not in infinite]
    centred, scales = _standardised([rows[j] for j in open_rows], support, within)
    relations = [rows[j].relation for j in open_rows]
    solution = solve_dual(
        centred,
        within,
        lower=np.array([0.0 if r == ">=" else -np.inf for r in relations]),
        upper=np.array([0.0 if r == "<=" else np.inf for r in relations]),
        start=np.array([start.get(rows[j].name, 0.0) for j in open_rows]) * scales,
        tolerance=settings.tolerance,
        max_iterations=settings.max_iterations,
    )
    if solution.status == "infeasible":
        return None
    if solution.status == "stalled":
        raise _not_met(solution, settings)
    multipliers = np.empty(len(rows))
    multipliers[open_rows] = solution.multipliers / scales
    for j, sign in infinite.items():
        multipliers[j] = sign * np.inf
    if whole and not np.any(solution.multipliers):
        return PooledLaw(prior, multipliers, 0.0, solution.iterations)
    probabilities = np.zeros(len(prior))
    probabilities[support] = solution.probabilities
    divergence = max(-solution.log_partition, 0.0) - float(np.log(mass))
    return PooledLaw(probabilities, multipliers, divergence, solution.iterations)


def _not_met(solution: DualSolution, settings: SolverSettings) -> PoolingConvergenceError:
    return PoolingConvergenceError(
        f"the views were not met to the tolerance {settings.tolerance:g} after {solution.iterations} Newton steps: "
        f"the largest residual is {solution.residual:.3g} prior standard deviations. Targets at the edge of what "
        "the scenarios allow do this: move them inwards, sample more scenarios, or raise max_iterations.",
        residual=solution.residual,
    )


def _standardised(rows: Sequence[LinearRow], support: NDArray[np.bool_], prior: Floats) -> tuple[Floats, Floats]:
    """Features less targets in prior standard deviations, shape (row, scenario), and these deviations."""
    centred, scales = np.empty((len(rows), len(prior))), np.empty(len(rows))
    whole = len(prior) == len(support)
    for i, row in enumerate(rows):
        within = row if whole else replace(row, feature=row.feature[support])
        scales[i] = within.spread(prior)
        np.subtract(within.feature, row.target, out=centred[i])
        centred[i] /= scales[i]
    return centred, scales


def _conditioned(prior: Floats, rows: Sequence[LinearRow]) -> tuple[NDArray[np.bool_] | None, dict[int, float]]:
    """Support left by rows that force an end of their range, and the signs of their infinite multipliers."""
    support = prior > 0
    forced: dict[int, float] = {}
    changed = True
    while changed:
        changed = False
        for j, row in enumerate(rows):
            if j in forced:
                continue
            low, high = row.range if support.all() else _range(row.feature[support])
            slack = _RANGE_ROUNDING * max(abs(low), abs(high), abs(row.target))
            if _outside(row, low, high, slack):
                return None, {}
            sign = _forced_end(row, low, high, slack)
            if sign and high - low > slack:
                keep = row.feature >= high - slack if sign > 0 else row.feature <= low + slack
                support = support & keep
                forced[j] = sign
                changed = True
    return support, forced


def _range(feature: Floats) -> tuple[float, float]:
    return float(feature.min()), float(feature.max())


def _outside(row: LinearRow, low: float, high: float, slack: float) -> bool:
    too_low = row.relation != ">=" and row.target < low - slack
    too_high = row.relation != "<=" and row.target > high + slack
    return too_low or too_high


def _forced_end(row: LinearRow, low: float, high: float, slack: float) -> float:
    if row.relation != "<=" and row.target >= high - slack:
        return 1.0
    if row.relation != ">=" and row.target <= low + slack:
        return -1.0
    return 0.0
