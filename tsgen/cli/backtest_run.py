"""The backtest of a configuration: strategies in parallel, resumable, results as files."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tsgen.cli.backtest_config import EQUAL, BacktestConfig
from tsgen.cli.backtest_strategies import policies, trading_costs
from tsgen.cli.folder_lock import folder_lock
from tsgen.cli.panel_loading import load_panel, panel_facts
from tsgen.cli.program_versions import program_versions
from tsgen.cli.run_config import DataSection
from tsgen.complete_files import complete_file, sha256_of, write_json
from tsgen.errors import ConfigError, DataError
from tsgen.progress import Progress, ProgressEvent

if TYPE_CHECKING:
    import pandas as pd

    from portfolio import BacktestResult, WalkForwardResult
    from tsgen.marketdata import ReturnPanel

MANIFEST = "backtest.json"


class BacktestRun(NamedTuple):
    """Where the results are, the manifest, and the tables behind it."""

    folder: Path
    manifest: dict[str, Any]
    performance: "pd.DataFrame"


def run_backtest(config: BacktestConfig, folder: Path, *, progress: Progress) -> BacktestRun:
    """Run every strategy that is not finished yet and write the results.

    Parameters
    ----------
    config : BacktestConfig
    folder : Path
        Made if needed. Finished strategies of the same configuration, data and program are kept in it.
    progress : callable

    Raises
    ------
    TsgenError
        Of what failed; finished strategies stay and are not repeated next time.
    """
    began = time.perf_counter()
    progress(ProgressEvent("load", 0, 1, config.data.source))
    panel = load_panel(DataSection(**config.data.model_dump())).train
    progress(ProgressEvent("load", 1, 1, repr(panel)))
    with folder_lock(folder):
        result = _walked(config, panel, folder, progress)
        books, unjudged = _judged({name: parts[0] for name, parts in result.parts.items()})
        tables = _tables(config, panel, books)
        for name, table in tables.items():
            with complete_file(folder / f"{name}.csv") as temporary:
                table.to_csv(temporary, lineterminator="\n")
        for name, parts in result.parts.items():
            parts[0].to_parquet(folder / "books" / name.replace(", ", "-"))
        manifest = {
            "configuration": config.facts(),
            "data": panel_facts(panel, None),
            "versions": program_versions(),
            "files": {f"{name}.csv": sha256_of(folder / f"{name}.csv") for name in tables},
            "failed_decisions": {name: parts[0].n_failed for name, parts in result.parts.items()},
            "not_judged": unjudged,
            "run": {"seconds": round(time.perf_counter() - began, 3), "strategies_resumed": result.n_resumed},
        }
        write_json(folder / MANIFEST, json.loads(json.dumps(manifest)))
    return BacktestRun(folder, manifest, tables["performance"])


def _walked(config: BacktestConfig, panel: "ReturnPanel", folder: Path, progress: Progress) -> "WalkForwardResult":
    from portfolio import BacktestSettings, Fold, walk_forward

    wanted = config.backtest
    settings = BacktestSettings(
        rebalance=wanted.rebalance, costs=trading_costs(config.portfolio), lag=wanted.lag, seed=wanted.seed
    )
    inside = panel.dates[panel.dates >= np.datetime64(wanted.start.isoformat())]
    if wanted.end is not None:
        inside = inside[inside <= np.datetime64(wanted.end.isoformat())]
    before = panel.dates[panel.dates < inside[0]] if len(inside) >= 2 else inside[:0]
    if not len(before):
        raise ConfigError(
            f"[backtest] needs dates before start to learn from and at least two after it: start {wanted.start}, end "
            f"{wanted.end or 'the last'}, data from {panel.dates[0].date()} to {panel.dates[-1].date()}."
        )
    fold = Fold(train_start=panel.dates[0], train_end=before[-1], test_start=inside[0], test_end=inside[-1])
    return walk_forward(
        panel,
        policies(config, panel, folder / "generators"),
        folds=[fold],
        settings=settings,
        n_workers=wanted.workers,
        folder=folder / "parts",
        progress=progress,
    )


def _judged(books: "dict[str, BacktestResult]") -> "tuple[dict[str, BacktestResult], dict[str, str]]":
    """Strategies whose record can be judged, and for the others the reason: one that never traded spoils no run."""
    from portfolio.backtest.sharpe_tests import per_period_sharpe

    reasons: dict[str, str] = {}
    for name, book in books.items():
        try:
            per_period_sharpe(book.returns)
        except DataError as error:
            reasons[name] = str(error)
    if len(reasons) == len(books):
        raise DataError(f"no strategy can be judged. {next(iter(reasons.values()))}")
    return {name: book for name, book in books.items() if name not in reasons}, reasons


def _tables(
    config: BacktestConfig, panel: "ReturnPanel", books: "dict[str, BacktestResult]"
) -> "dict[str, pd.DataFrame]":
    import pandas as pd

    from portfolio import compare_strategies
    from portfolio.backtest import differences_to
    from portfolio.backtest.performance_summary import periods_per_year

    seed, aversion = config.backtest.seed, config.portfolio.risk_aversion
    summaries = {name: book.summary(seed=seed) for name, book in books.items()}
    tables = {
        "performance": pd.concat(summaries, names=["strategy", "measure"]),
        "wealth": pd.DataFrame({name: book.wealth for name, book in books.items()}),
    }
    if len(books) > 1:
        benchmark = EQUAL if EQUAL in books else next(iter(books))
        tables["comparison"] = compare_strategies(books, risk_aversion=aversion, seed=seed)
        tables["differences"] = differences_to(
            benchmark, books, periods=periods_per_year(panel.frequency), risk_aversion=aversion, seed=seed
        )
    return tables
