"""Which constraints contradict each other: deletion filter for a minimal conflicting set.

Pure search; whether a set of constraints can be satisfied is asked of a callable. Each constraint is
tried once: if the rest still conflicts without it, it is not needed and goes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import cvxpy as cp
from cvxpy.constraints.nonpos import Inequality

from portfolio.decision_model import NamedLimit

T = TypeVar("T")


def minimal_conflict(items: Sequence[T], conflicting: Callable[[Sequence[T]], bool]) -> list[T]:
    """A subset that conflicts, while every proper subset of it does not.

    Parameters
    ----------
    items : sequence
        A conflicting set. Items that come first are dropped first, if there is a choice.
    conflicting : callable
        True if the items given cannot hold together. Must be monotone: more items cannot help.

    Returns
    -------
    list
        Minimal with respect to inclusion, not necessarily the smallest one.

    References
    ----------
    Chinneck and Dravnieks (1991), "Locating minimal infeasible constraint sets in linear programs",
    deletion filter.

    Examples
    --------
    >>> minimal_conflict([1, 5, 2, 9], lambda numbers: sum(numbers) > 10)
    [2, 9]
    """
    kept = list(items)
    for item in items:
        rest = [other for other in kept if other is not item]
        if conflicting(rest):
            kept = rest
    return kept


def refine_by_asset(
    conflict: Sequence[NamedLimit], conflicting: Callable[[Sequence[NamedLimit]], bool]
) -> list[NamedLimit]:
    """Replace limits that consist of rows by the rows that matter, named ``"... of A, B"``.

    Parameters
    ----------
    conflict : sequence of NamedLimit
        From `minimal_conflict`.
    conflicting : callable
        As there.

    Returns
    -------
    list of NamedLimit
        Same order; a limit all of whose rows are needed keeps its name.
    """
    owner: list[int] = []
    rows: list[NamedLimit] = []
    for position, limit in enumerate(conflict):
        pieces = _by_row(limit)
        rows += pieces
        owner += [position] * len(pieces)
    needed = minimal_conflict(rows, conflicting)
    refined = []
    for position, limit in enumerate(conflict):
        all_of_it = [row for row, place in zip(rows, owner, strict=True) if place == position]
        names = [row.name for row in all_of_it if any(row is other for other in needed)]
        some = 0 < len(names) < len(all_of_it)
        refined.append(replace(limit, name=f"{limit.name} of {', '.join(names)}") if some else limit)
    return refined


def _by_row(limit: NamedLimit) -> list[NamedLimit]:
    expression = limit.constraint.expr
    return [
        NamedLimit(name=asset, constraint=Inequality(expression[row], cp.Constant(0.0)))
        for row, asset in enumerate(limit.rows)
    ] or [limit]
