"""`ScenarioSet`: the one type in which scenarios travel.

Every generator produces it, every evaluation, re-weighting and optimiser consumes it. It is
torch-free, immutable, in float64, with axes (scenario, time, asset), and it knows its return
convention, its probabilities and the date up to which its maker had seen data.
"""

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from tsgen.complete_files import complete_file
from tsgen.errors import DataError, ShapeError, StorageError
from tsgen.return_kind import ReturnKind, check_kind, convert_returns

if TYPE_CHECKING:
    import torch

_SCHEMA_VERSION = 1
_METADATA_KEY = b"tsgen.scenario_set"


def _checked_returns(returns: ArrayLike) -> NDArray[np.float64]:
    values = np.array(returns, dtype=np.float64)
    if values.ndim != 3 or 0 in values.shape:
        raise ShapeError(
            f"scenario returns must have axes (scenario, time, asset), none of them empty: got shape {values.shape}. "
            "For one asset use returns[:, :, None]."
        )
    bad = ~np.isfinite(values)
    if bad.any():
        s, t, n = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"scenario returns must be finite: {int(bad.sum())} values are not, the first at scenario {s}, "
            f"time {t}, asset {n}. Remove these scenarios or repair their source."
        )
    values.flags.writeable = False
    return values


def _checked_probabilities(probabilities: ArrayLike, n_scenarios: int) -> NDArray[np.float64]:
    p = np.array(probabilities, dtype=np.float64)
    if p.shape != (n_scenarios,):
        raise ShapeError(f"probabilities must have one entry per scenario: expected {(n_scenarios,)}, got {p.shape}.")
    if not np.isfinite(p).all() or (p < 0).any():
        raise DataError(
            f"probabilities must be finite and non-negative: the smallest is {np.min(p):.6g}, "
            f"{int((~np.isfinite(p)).sum())} are not finite. Normalise the weights before."
        )
    # summing S float64 numbers loses at most about S * 1e-16 relative
    if abs(p.sum() - 1.0) > 1e-9:
        raise DataError(f"probabilities must sum to 1: got {p.sum():.12g}. Divide by their sum.")
    p.flags.writeable = False
    return p


@final
@dataclass(frozen=True, eq=False)
class ScenarioSet:
    """Joint scenarios of several assets over several periods, with probabilities.

    Parameters
    ----------
    returns : array of shape (scenario, time, asset), float64
        Decimals per period; copied and made read-only.
    assets : iterable of str
        Unique names, in the order of the last axis.
    kind : {"simple", "log"}
        Return convention of every entry.
    probabilities : array of shape (scenario,), optional
        Non-negative, summing to one. ``None`` means equal probabilities.
    asof : date-like, optional
        Last date whose data the maker of the scenarios had seen; ``None`` if there is none.
    provenance : dict, optional
        JSON-able facts on the origin (seed, model digest, sampler), carried along and stored.

    Raises
    ------
    ShapeError
        If axes or lengths do not agree.
    DataError
        If values are missing, infinite, names repeat, or probabilities do not sum to one.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.01, 0.0]], [[-0.01, 0.02]]], assets=["A", "B"], kind="simple")
    >>> s.n_scenarios, s.horizon, s.n_assets
    (2, 1, 2)
    """

    returns: NDArray[np.float64]
    assets: tuple[str, ...]
    kind: ReturnKind
    probabilities: NDArray[np.float64] | None = None
    asof: pd.Timestamp | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        returns: ArrayLike,
        assets: Iterable[str],
        kind: ReturnKind,
        probabilities: ArrayLike | None = None,
        asof: Any = None,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        values = _checked_returns(returns)
        names = tuple(str(a) for a in assets)
        if len(names) != values.shape[2]:
            raise ShapeError(f"assets must name every asset: expected {values.shape[2]} names, got {len(names)}.")
        if len(set(names)) != len(names):
            repeated = sorted({a for a in names if names.count(a) > 1})
            raise DataError(f"asset names must be unique: {repeated} occur more than once. Rename them.")
        stamp = None if asof is None else pd.Timestamp(asof)
        assign = object.__setattr__
        assign(self, "returns", values)
        assign(self, "assets", names)
        assign(self, "kind", check_kind(kind))
        p = None if probabilities is None else _checked_probabilities(probabilities, values.shape[0])
        assign(self, "probabilities", p)
        assign(self, "asof", stamp)
        assign(self, "provenance", dict(provenance or {}))

    @classmethod
    def from_tensor(cls, returns: "torch.Tensor", **fields: Any) -> Self:
        """Build from a torch tensor: the one place where float32 network output becomes float64."""
        return cls(returns=returns.detach().cpu().numpy().astype(np.float64), **fields)

    @property
    def n_scenarios(self) -> int:
        """Number of scenarios S."""
        return self.returns.shape[0]

    @property
    def horizon(self) -> int:
        """Number of periods T."""
        return self.returns.shape[1]

    @property
    def n_assets(self) -> int:
        """Number of assets N."""
        return self.returns.shape[2]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Probabilities of shape (scenario,), equal ones where none were given."""
        if self.probabilities is None:
            return np.full(self.n_scenarios, 1.0 / self.n_scenarios, dtype=np.float64)
        return self.probabilities

    @property
    def effective_number(self) -> float:
        """Exponential of the entropy of the probabilities: S if they are equal.

        References
        ----------
        Meucci (2012), "Effective number of scenarios in fully flexible probabilities".
        """
        p = self.weights[self.weights > 0]
        return float(np.exp(-(p * np.log(p)).sum()))

    def with_probabilities(self, probabilities: ArrayLike | None) -> Self:
        """Same scenarios, other probabilities."""
        return replace(self, probabilities=probabilities)

    def to_kind(self, kind: ReturnKind) -> Self:
        """Same scenarios in the other return convention (exact)."""
        return replace(self, returns=convert_returns(self.returns, from_kind=self.kind, to_kind=kind), kind=kind)

    def growth(self) -> NDArray[np.float64]:
        """Gross growth since the start, ``W_t / W_0`` of one unit in each asset.

        Returns
        -------
        ndarray of shape (scenario, time, asset), float64
            Entry ``t`` is after period ``t``: the first already contains one return.
        """
        if self.kind == "log":
            return np.exp(np.cumsum(self.returns, axis=1))
        return np.cumprod(1.0 + self.returns, axis=1, dtype=np.float64)

    def horizon_returns(self) -> NDArray[np.float64]:
        """Simple buy-and-hold return over the whole horizon, shape (scenario, asset)."""
        return self.growth()[:, -1, :] - 1.0

    def quantile_paths(self, levels: Iterable[float], *, asset: str | None = None) -> pd.DataFrame:
        """Quantiles of cumulated simple return, period by period (the numbers of a fan chart).

        Parameters
        ----------
        levels : iterable of float in [0, 1]
            Lower-tail probability levels; scenario probabilities are used.
        asset : str, optional
            One asset; by default the equally weighted buy-and-hold portfolio.

        Returns
        -------
        DataFrame
            Index ``period`` 1..T, one column per level, decimals.
        """
        grown = self.growth() - 1.0
        path = grown.mean(axis=2) if asset is None else grown[:, :, self.position(asset)]
        levels = tuple(levels)
        values = np.quantile(path, levels, axis=0, weights=self.weights, method="inverted_cdf")
        return pd.DataFrame(values.T, index=pd.RangeIndex(1, self.horizon + 1, name="period"), columns=levels)

    def position(self, asset: str) -> int:
        """Index of an asset on the last axis; raises `DataError` naming the known assets."""
        if asset not in self.assets:
            raise DataError(f"unknown asset {asset!r}: this set has {', '.join(self.assets)}.")
        return self.assets.index(asset)

    def to_frame(self) -> pd.DataFrame:
        """Wide table: index (scenario, period), one column per asset, period counted from 1."""
        index = pd.MultiIndex.from_product(
            [range(self.n_scenarios), range(1, self.horizon + 1)], names=["scenario", "period"]
        )
        return pd.DataFrame(self.returns.reshape(-1, self.n_assets), index=index, columns=list(self.assets))

    def save(self, path: str | Path) -> None:
        """Write one Parquet file, complete or not at all; the round trip is exact to the bit.

        Wide layout (scenario, period, one column per asset), zstd, byte-stream-split; names, units,
        probabilities and provenance travel in the file's own metadata. Pages carry checksums.
        """
        frame = self.to_frame().reset_index()
        names = [f"return.{a}" for a in self.assets]
        columns = {
            "scenario": pa.array(frame["scenario"].to_numpy(np.int32)),
            "period": pa.array(frame["period"].to_numpy(np.int32)),
        }
        if self.probabilities is not None:
            columns["probability"] = pa.array(np.repeat(self.probabilities, self.horizon))
        for name, asset in zip(names, self.assets, strict=True):
            columns[name] = pa.array(frame[asset].to_numpy(np.float64))
        facts = {
            "schema_version": _SCHEMA_VERSION,
            "assets": self.assets,
            "kind": self.kind,
            "asof": None if self.asof is None else self.asof.isoformat(),
            "n_scenarios": self.n_scenarios,
            "horizon": self.horizon,
            "provenance": self.provenance,
        }
        table = pa.table(columns).replace_schema_metadata({_METADATA_KEY: json.dumps(facts, sort_keys=True).encode()})
        with complete_file(path) as temporary:
            pq.write_table(
                table,
                temporary,
                compression="zstd",
                use_dictionary=["scenario", "period", "probability"],  # pyright: ignore[reportArgumentType]  (stub)
                column_encoding=dict.fromkeys(names, "BYTE_STREAM_SPLIT"),
                write_page_checksum=True,
            )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file written by `save`; a damaged or foreign file, or a folder, raises `StorageError`."""
        if Path(path).is_dir():
            raise StorageError(
                f"{path} is a folder, expected one Parquet file. A folder of parts is read with "
                "tsgen.scenario_parts.ScenarioParts.open(folder), part by part or by .load()."
            )
        try:
            table = pq.read_table(path, page_checksum_verification=True)
            facts = json.loads((table.schema.metadata or {})[_METADATA_KEY])
            shape = (facts["n_scenarios"], facts["horizon"])
            returns = np.stack([table[f"return.{a}"].to_numpy() for a in facts["assets"]], axis=-1)
            probabilities = None
            if "probability" in table.column_names:
                probabilities = table["probability"].to_numpy()[:: facts["horizon"]]
            returns = returns.reshape(*shape, len(facts["assets"]))
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise StorageError(
                f"{path} is not a complete scenario file of this toolkit ({type(error).__name__}: {error}). "
                "Write it again with ScenarioSet.save."
            ) from error
        return cls(
            returns=returns,
            assets=facts["assets"],
            kind=facts["kind"],
            probabilities=probabilities,
            asof=facts["asof"],
            provenance=facts["provenance"],
        )

    def __repr__(self) -> str:
        weighted = "" if self.probabilities is None else f", effective number {self.effective_number:.0f}"
        asof = "" if self.asof is None else f", as of {self.asof.date()}"
        return (
            f"ScenarioSet({self.n_scenarios} scenarios x {self.horizon} periods x {self.n_assets} assets, "
            f"{self.kind} returns{asof}{weighted})"
        )

    def _repr_html_(self) -> str:
        table = self.quantile_paths((0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99))
        shown = table.iloc[sorted({0, (self.horizon - 1) // 2, self.horizon - 1})]
        shown.columns = [f"{100 * c:g} %" for c in shown.columns]
        caption = "Cumulated return of the equally weighted buy-and-hold portfolio, quantiles"
        return f"<p><b>{html.escape(repr(self))}</b><br>{caption}</p>{shown.to_html(float_format='{:+.2%}'.format)}"
