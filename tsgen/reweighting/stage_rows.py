"""Rows of one stage: which held moments are really needed beside the views.

A moment that a view already fixes must not be held a second time: the two rows would agree only up to rounding, and
their multipliers would be arbitrary. Dependence is judged on the centred features under the prior.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.linear_row import LinearRow

Floats = NDArray[np.float64]
# share of a feature's spread that the others leave unexplained; below it is rounding
_DEPENDENT = 1e-7


def with_held_moments(
    rows: Sequence[LinearRow], held: Sequence[LinearRow], *, prior: Floats, binding: Sequence[bool]
) -> tuple[list[LinearRow], list[LinearRow]]:
    """View rows, and the held rows that say something new.

    Parameters
    ----------
    rows : sequence of LinearRow
        Rows of views.
    held : sequence of LinearRow
        Candidates, the most basic first (means before variances).
    prior : ndarray of shape (scenario,), float64
    binding : sequence of bool
        For each row, whether it holds with equality under the law at which the moments are held. An inequality
        that binds and fixes a held moment becomes an equality: it *is* the held moment.

    Returns
    -------
    rows, held : list of LinearRow
        ``rows`` in the given order.

    Examples
    --------
    >>> x, p = np.array([1.0, 2.0, 4.0]), np.full(3, 1 / 3)
    >>> view = LinearRow(name="mean of A", feature=x, target=2.5, relation="==")
    >>> same = LinearRow(name="mean of A", feature=x, target=2.5, relation="==", held_for="volatility of A")
    >>> [len(part) for part in with_held_moments([view], [same], prior=p, binding=[True])]
    [1, 0]
    """
    everything = [*rows, *held]
    if not held:
        return list(rows), []
    # the triangular factor has the geometry of the features, in as many numbers as there are rows
    directions = np.linalg.qr(np.stack([_centred(row, prior) for row in everything], axis=1), mode="r")
    sizes = np.linalg.norm(directions, axis=0)
    directions = directions / np.where(sizes > 0, sizes, 1.0)
    kept_rows: list[LinearRow] = list(rows)
    kept_held: list[int] = []
    for k in range(len(rows), len(everything)):
        if sizes[k] == 0.0:
            continue
        fixed = [j for j, row in enumerate(kept_rows) if row.relation == "=="] + kept_held
        tight = [j for j, row in enumerate(kept_rows) if row.relation != "==" and binding[j]]
        if _combination(directions, k, fixed) is not None:
            continue
        weights = _combination(directions, k, fixed + tight)
        if weights is None:
            kept_held.append(k)
            continue
        for j, weight in zip(tight, weights[len(fixed) :], strict=True):
            if abs(weight) > _DEPENDENT:
                kept_rows[j] = replace(kept_rows[j], relation="==")
    return kept_rows, [everything[k] for k in kept_held]


def _centred(row: LinearRow, prior: Floats) -> Floats:
    centred = (row.feature - prior @ row.feature) * np.sqrt(prior)
    size = float(np.linalg.norm(centred))
    # a constant feature has no direction: what rounding leaves of it must not be blown up
    return centred / size if size > 1e-14 * float(np.abs(row.feature).max()) else np.zeros_like(centred)


def _combination(directions: Floats, position: int, others: list[int]) -> Floats | None:
    """Weights on the other columns that give the one at ``position``; ``None`` if there are none."""
    if not others:
        return None
    basis = directions[:, others]
    weights = np.asarray(np.linalg.lstsq(basis, directions[:, position], rcond=None)[0], dtype=np.float64)
    return weights if float(np.linalg.norm(directions[:, position] - basis @ weights)) < _DEPENDENT else None
