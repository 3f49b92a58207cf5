"""Columns and rows of a `DirectForm`, collected one limit at a time.

Absolute values get a size column only where the bounds leave the sign open, so weight limits come first.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import final

import numpy as np

from portfolio.fast_solvers.direct_form import Array, DirectForm, Row, WeightLimit
from portfolio.risk_measures import RiskMeasure


@final
@dataclass(eq=False, kw_only=True)
class Affine:
    """``on_weights @ w + sum of sizes + sum of risks + constant``, while columns are still being collected."""

    on_weights: Array
    constant: float = 0.0
    on_sizes: dict[tuple[int, float], float] = field(default_factory=dict)
    on_risks: dict[int, float] = field(default_factory=dict)

    def add(self, other: "Affine", factor: float = 1.0) -> None:
        """Add a multiple of another one."""
        self.on_weights = self.on_weights + factor * other.on_weights
        self.constant += factor * other.constant
        for key, value in other.on_sizes.items():
            self.on_sizes[key] = self.on_sizes.get(key, 0.0) + factor * value
        for measure, value in other.on_risks.items():
            self.on_risks[measure] = self.on_risks.get(measure, 0.0) + factor * value


@final
class FormBuilder:
    """Collects limits and the objective of one decision.

    Parameters
    ----------
    n_assets : int

    Examples
    --------
    >>> builder = FormBuilder(2)
    >>> builder.limit_weights("Bounds lower 0", -1, np.arange(2), np.zeros(2))
    >>> builder.total_size(np.ones(2), np.array([0.0, 0.5])).on_sizes
    {(1, 0.5): 2.0}
    """

    def __init__(self, n_assets: int) -> None:
        self.n_assets = n_assets
        self.lower = np.full(n_assets, -np.inf)
        self.upper = np.full(n_assets, np.inf)
        self.weight_limits: list[WeightLimit] = []
        self.measures: list[RiskMeasure] = []
        self._rows: list[tuple[Affine, float, float, str, str]] = []
        self._names: Counter[str] = Counter()

    def _unique(self, name: str) -> str:
        """Repeated names are numbered, as the specification does."""
        self._names[name] += 1
        return f"{name} ({self._names[name]})" if self._names[name] > 1 else name

    def limit_weights(self, name: str, side: int, positions: np.ndarray, values: Array) -> None:
        """One side of the weights at ``positions``; a name without positions is dropped."""
        if not len(positions):
            return
        self.weight_limits.append(WeightLimit(name=self._unique(name), side=side, positions=positions, values=values))
        if len(positions) == self.n_assets:
            # no need to pick: the usual case
            if side < 0:
                self.lower = np.maximum(self.lower, values)
            else:
                self.upper = np.minimum(self.upper, values)
        elif side < 0:
            self.lower[positions] = np.maximum(self.lower[positions], values)
        else:
            self.upper[positions] = np.minimum(self.upper[positions], values)

    def total_size(self, rates: Array, origin: Array) -> Affine:
        """``sum_i rates_i |w_i - origin_i|`` for rates that are not negative."""
        signs = np.where(self.upper <= origin, -1.0, 1.0)
        on_weights = rates * signs
        total = Affine(on_weights=on_weights, constant=-float(on_weights @ origin))
        for i in np.flatnonzero((rates > 0) & (self.lower < origin) & (self.upper > origin)):
            total.on_sizes[int(i), float(origin[i])] = 2.0 * float(rates[i])
        return total

    def risk(self, measure: RiskMeasure) -> Affine:
        """The risk column of a measure; one column however often it is asked for."""
        if measure not in self.measures:
            self.measures.append(measure)
        column = {self.measures.index(measure): 1.0}
        return Affine(on_weights=np.zeros(self.n_assets), on_risks=column)

    def two_sided(self, affine: Affine, lower: float | None, upper: float | None, name: str) -> None:
        """Limit both sides; each side's name ends with its value, as the caller knows it."""
        low, high = (-np.inf if lower is None else lower), (np.inf if upper is None else upper)
        low_name = "" if lower is None else self._unique(f"{name} lower {lower:g}")
        high_name = "" if upper is None else self._unique(f"{name} upper {upper:g}")
        self._rows.append((affine, low, high, low_name, high_name))

    def equality(self, affine: Affine, value: float, name: str) -> None:
        """The affine expression equals a value."""
        own = self._unique(name)
        self._rows.append((affine, value, value, own, own))

    def at_most(self, affine: Affine, value: float, name: str) -> None:
        """The affine expression is at most a value."""
        self._rows.append((affine, -np.inf, value, "", self._unique(name)))

    def build(
        self,
        quadratic: Array,
        objective: Affine,
        *,
        scale: float,
        risk_unit: float,
        root: Array | None = None,
        root_weight: float = 1.0,
    ) -> DirectForm:
        """The form with the objective ``1/2 w' quadratic w + scale * objective``.

        ``root_weight * root' root`` is ``quadratic`` up to rounding, if it is given; without use among more columns.
        """
        affines = [objective, *(row[0] for row in self._rows)]
        keys = list(dict.fromkeys(key for affine in affines for key in affine.on_sizes))
        n, m, k = self.n_assets, len(keys), len(self.measures)

        def dense(affine: Affine) -> Array:
            if not m + k:
                return affine.on_weights
            sizes = [affine.on_sizes.get(key, 0.0) for key in keys]
            risks = [affine.on_risks.get(one, 0.0) * risk_unit for one in range(k)]
            return np.concatenate([affine.on_weights, sizes, risks])

        rows = [_scaled_row(dense(row[0]), row) for row in self._rows]
        if m + k:
            p = np.zeros((n + m + k, n + m + k))
            p[:n, :n] = quadratic
        else:
            p = quadratic
        at, origins = np.array([i for i, _ in keys], dtype=np.intp), np.array([o for _, o in keys])
        lower, upper = self.lower, self.upper
        if m + k:
            lower = np.concatenate([lower, np.zeros(m), np.full(k, -np.inf)])
            upper = np.concatenate([upper, origins - self.lower[at], np.full(k, np.inf)])
        return DirectForm(
            quadratic=p,
            linear=scale * dense(objective),
            lower=lower,
            upper=upper,
            matrix=np.array([row.on_x for row in rows]).reshape(len(rows), n + m + k),
            row_lower=np.array([row.lower for row in rows]),
            row_upper=np.array([row.upper for row in rows]),
            rows=tuple(rows),
            weight_limits=tuple(self.weight_limits),
            pairs=np.stack([at, np.arange(n, n + m)]),
            origins=origins,
            measures=tuple(self.measures),
            n_assets=n,
            scale=scale,
            risk_unit=risk_unit,
            root=None if m + k else root,
            root_weight=root_weight,
        )


def _scaled_row(on_x: Array, row: tuple[Affine, float, float, str, str]) -> Row:
    affine, lower, upper, lower_name, upper_name = row
    unit = float(np.abs(on_x).max()) or 1.0
    return Row(
        on_x=on_x / unit,
        lower=(lower - affine.constant) / unit,
        upper=(upper - affine.constant) / unit,
        lower_name=lower_name,
        upper_name=upper_name,
        unit=unit,
    )
