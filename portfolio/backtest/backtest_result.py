"""`BacktestResult`: the books of a backtest, what they say, and how they are stored."""

import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import pandas as pd

from portfolio.backtest.performance_summary import performance_summary, periods_per_year
from tsgen.complete_files import complete_folder, write_json
from tsgen.errors import DataError, StorageError

_TABLES = ("ledger", "weights", "trades", "targets", "decisions")
_SCHEMA_VERSION = 1


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class BacktestResult:
    """What happened, date by date, in decimals of an initial wealth of 1.

    Attributes
    ----------
    ledger : DataFrame, index date
        After the close: ``wealth``, ``cash``, ``gain`` (of the date's returns), ``delisted`` (proceeds of delisted
        positions), ``cost`` (paid), all in money; ``cost_fraction`` and ``turnover`` (sum of absolute trades) as
        fractions of wealth before the trade. The first row is the start, before any trade.
    weights : DataFrame of shape (date, asset)
        Fractions of wealth held after the close and its trades; the rest is cash.
    trades : DataFrame of shape (execution date, asset)
        Bought and sold, fractions of wealth before the trade.
    targets : DataFrame of shape (decision date, asset)
        What the policy wanted.
    decisions : DataFrame, index decision date
        ``status`` ("optimal", "optimal_inaccurate", "benchmark", "decided", "held", "failed", "no assets"),
        ``reason``, ``executed`` (date, NaT if the data ended before), ``turnover``, ``cost``, ``not_tradable``
        (assets that could not be bought), ``objective``.
    facts : dict
        JSON-able: settings, span, policy, data source and its known biases.

    Notes
    -----
    Identities that hold on every date up to rounding: wealth equals wealth before plus gain minus cost; wealth
    equals weights times wealth plus cash.

    Examples
    --------
    >>> from portfolio.backtest.simulator import backtest
    >>> from tsgen.marketdata import ReturnPanel
    >>> days = pd.bdate_range("2024-01-01", periods=4)
    >>> panel = ReturnPanel(pd.DataFrame({"A": [0.0, 0.5, 0.1, 0.2]}, index=days), kind="simple")
    >>> backtest(panel, lambda past: {"A": 1.0}, start=days[0], rebalance="daily", costs=None)
    BacktestResult(2024-01-01 to 2024-01-04, 1 assets, 4 decisions, 0 failed, final wealth 1.32)
    """

    ledger: pd.DataFrame
    weights: pd.DataFrame
    trades: pd.DataFrame
    targets: pd.DataFrame
    decisions: pd.DataFrame
    facts: dict[str, Any]

    @property
    def wealth(self) -> pd.Series:
        """Wealth after each close, from 1 at the start; index date."""
        return self.ledger["wealth"].rename("wealth")

    @property
    def returns(self) -> pd.Series:
        """Simple return per period after costs, from the date after the start on: a Series as quantstats wants it."""
        wealth = self.ledger["wealth"].to_numpy()
        return pd.Series(wealth[1:] / wealth[:-1] - 1.0, index=self.ledger.index[1:], name="return")

    @property
    def costs(self) -> pd.Series:
        """Trading costs per date, fraction of wealth before the trade."""
        return self.ledger["cost_fraction"].rename("cost")

    @property
    def turnover(self) -> pd.Series:
        """Sum of absolute trades per date, fraction of wealth before the trade."""
        return self.ledger["turnover"].rename("turnover")

    @property
    def n_failed(self) -> int:
        """Number of decisions in which the solver failed and the positions were held."""
        return int((self.decisions["status"] == "failed").sum())

    def summary(
        self, *, level: float = 0.95, periods: float | None = None, replications: int = 1000, seed: int = 0
    ) -> pd.DataFrame:
        """Performance with stationary-bootstrap confidence intervals; see `performance_summary`.

        Parameters
        ----------
        level : float in (0, 1)
            Of the intervals.
        periods : float, optional
            Periods per year; by default from the frequency of the data.
        replications, seed : int
            Of the bootstrap.

        Returns
        -------
        DataFrame
            Index measure; columns value, standard_error, low, high. Turnover and cost are per year.

        Raises
        ------
        DataError
            If there are fewer than 20 returns, or they do not vary.
        ConfigError
            If a setting is outside its range.
        """
        per_year = periods_per_year(str(self.facts.get("frequency")), periods)
        table = performance_summary(self.returns, periods=per_year, level=level, replications=replications, seed=seed)
        years = len(self.returns) / per_year
        extra = {
            "turnover": float(self.turnover.sum()) / years,
            "cost": float(self.costs.sum()) / years,
            "decisions": float(len(self.decisions)),
            "failed decisions": float(self.n_failed),
        }
        for name, value in extra.items():
            table.loc[name] = [value, np.nan, np.nan, np.nan]
        return table

    def to_csv(self, folder: str | Path) -> None:
        """Write one CSV file per table and the facts as JSON into a folder, complete or not at all.

        Raises
        ------
        StorageError
            If the operating system refuses; an earlier folder of that name is then untouched.
        """
        self._write(folder, lambda frame, path: frame.to_csv(path.with_suffix(".csv"), lineterminator="\n"))

    def to_parquet(self, folder: str | Path) -> None:
        """As `to_csv`, in Parquet; `from_parquet` reads it back exactly.

        Raises
        ------
        StorageError
            If the operating system refuses; an earlier folder of that name is then untouched.
        """
        self._write(folder, lambda frame, path: frame.to_parquet(path.with_suffix(".parquet")))

    def _write(self, folder: str | Path, write: Callable[[pd.DataFrame, Path], object]) -> None:
        with complete_folder(folder) as temporary:
            for name in _TABLES:
                write(getattr(self, name), temporary / name)
            write_json(temporary / "facts.json", {"schema_version": _SCHEMA_VERSION, **self.facts})

    @classmethod
    def from_parquet(cls, folder: str | Path) -> Self:
        """Read what `to_parquet` wrote.

        Raises
        ------
        StorageError
            If the folder is not a complete result of this toolkit.
        """
        try:
            facts = json.loads((Path(folder) / "facts.json").read_text(encoding="utf-8"))
            if facts.pop("schema_version") != _SCHEMA_VERSION:
                raise DataError("it was written by another version")
            tables = {name: pd.read_parquet(Path(folder) / f"{name}.parquet") for name in _TABLES}
        except (OSError, KeyError, ValueError) as error:
            raise StorageError(
                f"{folder} is not a complete backtest of this toolkit ({type(error).__name__}: {error}). Run it again."
            ) from error
        return cls(**tables, facts=facts)

    def __repr__(self) -> str:
        dates = self.ledger.index
        return (
            f"BacktestResult({dates[0].date()} to {dates[-1].date()}, {self.weights.shape[1]} assets, "
            f"{len(self.decisions)} decisions, {self.n_failed} failed, final wealth {self.wealth.iloc[-1]:.6g})"
        )

    def _repr_html_(self) -> str:
        biases = self.facts.get("known_biases")
        warning = f"<br>Known biases of the data: {html.escape(str(biases))}" if biases else ""
        head = f"<p><b>{html.escape(repr(self))}</b>{warning}</p>"
        try:
            table = self.summary(replications=200).to_html(float_format="{:.4g}".format, na_rep="")
        except ValueError as error:  # too short or too calm to be judged: the books can still be shown
            table = f"<p>{html.escape(str(error))}</p>{self.ledger.tail().to_html(float_format='{:.6g}'.format)}"
        return head + table
