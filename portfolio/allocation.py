"""`Allocation`: weights with names, and everything needed to trust or to question them."""

import html
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.asset_vector import asset_vector
from tsgen.complete_files import complete_file
from tsgen.errors import ConfigError, DataError

AllocationStatus = Literal["optimal", "optimal_inaccurate", "benchmark"]
_STATUSES: tuple[AllocationStatus, ...] = ("optimal", "optimal_inaccurate", "benchmark")


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Allocation:
    """Portfolio weights and how they came about.

    Parameters
    ----------
    weights : Series, index asset, float64
        Fractions of wealth; what is missing to 1 is cash. Copied and made read-only.
    status : {"optimal", "optimal_inaccurate", "benchmark"}
        Whether the solver reached its full accuracy; ``"benchmark"``: a rule, nothing was optimised.
    objective : float or None
        Value of the objective that was maximised, in decimals over the horizon; ``None`` for a benchmark.
    diagnostics : dict
        JSON-able facts: risk and return, costs, constraints, duals, residuals.

    Raises
    ------
    DataError
        If weights are missing or infinite, names repeat, or the objective is not finite.
    ConfigError
        If the status is not known.

    Examples
    --------
    >>> Allocation(weights=pd.Series({"A": 0.6, "B": 0.4}), status="benchmark", objective=None)
    Allocation(2 assets, sum 1, largest A 0.6, benchmark)
    """

    weights: pd.Series
    status: AllocationStatus
    objective: float | None
    diagnostics: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in _STATUSES:
            raise ConfigError(f"status must be one of {', '.join(_STATUSES)}: got {self.status!r}.")
        if not isinstance(self.weights, pd.Series) or self.weights.empty:
            raise DataError(f"weights must be a Series with one entry per asset: got {self.weights!r}.")
        index, values = _owned(self.weights)
        if self.objective is not None and not math.isfinite(self.objective):
            raise DataError(f"objective must be finite, or None for a benchmark: got {self.objective!r}.")
        values.flags.writeable = False
        series = pd.Series(values, index=index, name="weight", copy=False)
        object.__setattr__(self, "weights", series)
        object.__setattr__(self, "diagnostics", dict(self.diagnostics))

    def to_csv(self, path: str | Path) -> None:
        """Write two columns, asset and weight, complete or not at all; reading them back is exact.

        Raises
        ------
        StorageError
            If the file cannot be written; an earlier one stays.
        """
        with complete_file(path) as temporary:
            self.weights.to_csv(temporary, lineterminator="\n")

    def __repr__(self) -> str:
        largest = str(self.weights.abs().idxmax())
        return (
            f"Allocation({len(self.weights)} assets, sum {self.weights.sum():.6g}, "
            f"largest {largest} {self.weights[largest]:.6g}, {self.status})"
        )

    def _repr_html_(self) -> str:
        shown = self.weights.iloc[np.argsort(-self.weights.abs().to_numpy(), kind="stable")[:15]]
        rest = len(self.weights) - len(shown)
        more = f"<p>and {rest} smaller weights</p>" if rest else ""
        table = shown.to_frame().to_html(float_format="{:+.2%}".format)
        return f"<p><b>{html.escape(repr(self))}</b></p>{table}{more}"


def allocation_of(
    values: NDArray[np.float64],
    index: pd.Index,
    *,
    status: AllocationStatus,
    objective: float | None,
    diagnostics: dict[str, Any],
) -> Allocation:
    """`Allocation` of an array that nobody else holds; the Series is made once instead of twice.

    Parameters
    ----------
    values : ndarray of shape (asset,), float64
        Handed over: read-only from here on.
    index : Index
        Unique names as strings, named ``asset``.
    status, objective, diagnostics
        As in `Allocation`.

    Raises
    ------
    DataError
        If weights or the objective are not finite.

    Examples
    --------
    >>> index = pd.Index(["A", "B"], name="asset")
    >>> allocation_of(np.array([0.6, 0.4]), index, status="optimal", objective=0.1, diagnostics={})
    Allocation(2 assets, sum 1, largest A 0.6, optimal)
    """
    if not np.isfinite(values).all() or (objective is not None and not math.isfinite(objective)):
        return Allocation(
            weights=pd.Series(values, index=index), status=status, objective=objective, diagnostics=diagnostics
        )
    values.flags.writeable = False
    allocation = object.__new__(Allocation)
    fields = (("weights", pd.Series(values, index=index, name="weight", copy=False)), ("status", status))
    for name, value in (*fields, ("objective", objective), ("diagnostics", diagnostics)):
        object.__setattr__(allocation, name, value)
    return allocation


def _owned(weights: pd.Series) -> tuple[pd.Index, NDArray[np.float64]]:
    """Names as an index of strings, and a copy of the values, both checked."""
    index = weights.index
    # the usual case, without going through a hundred Python strings
    if index.name == "asset" and isinstance(index.dtype, pd.StringDtype) and index.is_unique and not index.hasnans:
        values = np.array(weights.to_numpy())
        if values.dtype == np.float64 and np.isfinite(values).all():
            return index, values
    names = [str(asset) for asset in index.tolist()]
    return pd.Index(names, name="asset"), asset_vector(weights, list(dict.fromkeys(names)), what="weights")
