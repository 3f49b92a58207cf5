"""Scenarios as of the end of a fold: the one place where the plugs meet returns, dates and generators.

A fold's decision is made on the last date of its training data. Whatever the caller's library does with folds, the
generator is conditioned on returns up to that date, and refused if it has learned from later ones. Above the
knowledge stamps of the backtest, below the skfolio classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from portfolio.backtest.knowledge_stamp import latest_knowledge, refuse_future_knowledge
from portfolio.backtest.rule_policies import require_callable
from portfolio.backtest.scenario_policy import as_trained
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import check_seed, dated_seed
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number

# for tables without dates, which only a generator that is trained on the very same table may use
# and earlier than any real one, so that nothing that knows real dates passes for undated
_NO_DATE = pd.Timestamp("1700-01-01")


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class FoldHistory:
    """Returns of a fold, the assets its decision is about, and the decision's date.

    Attributes
    ----------
    panel : ReturnPanel
        Ends on the decision date; may hold more assets and earlier dates than the fold.
    assets : tuple of str
        Columns of the fold, in its order.
    dated : bool
        Whether the fold came with dates.
    """

    panel: ReturnPanel
    assets: tuple[str, ...]
    dated: bool

    @property
    def date(self) -> pd.Timestamp:
        """Date of the decision."""
        return self.panel.dates[-1]

    def seed(self, base: int) -> int:
        """Seed of this fold."""
        return dated_seed(base, self.date.isoformat())


def fold_history(X: Any, *, kind: ReturnKind, panel: ReturnPanel | None) -> FoldHistory:
    """Read the training data of a fold.

    Parameters
    ----------
    X : DataFrame or array of shape (date, asset)
        Returns of ``kind``. Without dates it is numbered.
    kind : {"simple", "log"}
    panel : ReturnPanel, optional
        Longer or wider history; cut at the last date of X.

    Raises
    ------
    ConfigError
        If the panel cannot be cut because X has no dates.
    DataError
        If X is no table of finite returns, or the panel does not have its last date.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=3)
    >>> fold_history(pd.DataFrame({"A": [0.01, 0.02, 0.0]}, index=days), kind="simple", panel=None).date
    Timestamp('2024-01-03 00:00:00')
    """
    if isinstance(X, pd.DataFrame):
        frame = X.rename(columns=str)
    else:
        values = np.asarray(X, dtype=np.float64)
        if values.ndim != 2:
            raise DataError(f"X must be a table (date, asset) of returns: got shape {values.shape}.")
        frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])
    dated = isinstance(frame.index, pd.DatetimeIndex)
    if not dated:
        frame = frame.set_axis(pd.bdate_range(_NO_DATE, periods=len(frame)), axis=0)
    fold = ReturnPanel(frame, kind=kind, source="fold")
    if panel is None:
        return FoldHistory(panel=fold, assets=fold.assets, dated=dated)
    if not isinstance(panel, ReturnPanel):
        raise ConfigError(f"panel must be a ReturnPanel: got {type(panel).__name__}. Use tsgen.load_returns(...).")
    if not dated:
        raise ConfigError(f"panel= can only be cut at the end of a fold that has dates. {_KEEP_DATES}")
    known = panel.until(fold.dates[-1])
    if known.dates[-1] != fold.dates[-1]:
        raise DataError(
            f"the panel has no returns of {fold.dates[-1].date()}, the fold's last date; its last one before is "
            f"{known.dates[-1].date()}. Give a panel that covers all folds."
        )
    return FoldHistory(panel=known, assets=fold.assets, dated=True)


_KEEP_DATES = (
    "Pass a DataFrame indexed by dates, and inside a Pipeline call sklearn.set_config(transform_output='pandas')."
)


def trained_source(fold: FoldHistory, *, generator: Any, fit_generator: Callable[[ReturnPanel], Any] | None) -> Any:
    """The generator of a fold: trained before, or on the fold's history now.

    Raises
    ------
    ConfigError
        If not exactly one is given, it cannot sample, or its training date cannot be compared with the fold's.
    LookAheadError
        If it has learned from returns after the fold's last date.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=3)
    >>> fold = fold_history(pd.DataFrame({"A": [0.01, 0.02, 0.0]}, index=days), kind="simple", panel=None)
    >>> trained_source(fold, generator=None, fit_generator=None)
    Traceback (most recent call last):
        ...
    tsgen.errors.ConfigError: give generator= (trained) or fit_generator= (trained on every fold): exactly one ...
    """
    if (generator is None) == (fit_generator is None):
        raise ConfigError(
            "give generator= (trained) or fit_generator= (trained on every fold): exactly one of the two."
        )
    if fit_generator is not None:
        require_callable(fit_generator, "fit_generator")
        generator = fit_generator(fold.panel)
    if isinstance(generator, type) or not callable(getattr(generator, "sample", None)):
        raise ConfigError(
            f"a generator needs assets, kind and sample(n_scenarios, horizon, *, history, seed): got {generator!r}."
        )
    if not fold.dated and fit_generator is None and latest_knowledge(generator) is not None:
        raise ConfigError(
            "the generator says up to when it was trained, but this fold has no dates to compare with, so that it may "
            f"have seen the test period. {_KEEP_DATES}"
        )
    refuse_future_knowledge(generator, fold.date, what="the generator of this fold")
    return generator


def fold_scenarios(fold: FoldHistory, source: Any, n_scenarios: int, horizon: int, *, seed: int) -> ScenarioSet:
    """Scenarios of the periods after the fold, of the fold's assets in their order.

    Raises
    ------
    LookAheadError
        If the scenarios say that later returns were seen.
    DataError
        If the history lacks assets of the generator, or the generator lacks assets of the fold.
    ConfigError
        If a count is not positive, or no scenarios come back.

    Examples
    --------
    >>> from tsgen.baselines import BlockBootstrap
    >>> days = pd.bdate_range("2024-01-01", periods=40)
    >>> X = pd.DataFrame(np.random.default_rng(0).normal(0, 0.01, (40, 2)), index=days, columns=["A", "B"])
    >>> fold = fold_history(X, kind="simple", panel=None)
    >>> fold_scenarios(fold, BlockBootstrap.fit(fold.panel, block_length=3), 5, 2, seed=0).returns.shape
    (5, 2, 2)
    """
    whole_number(n_scenarios, "the number of scenarios")
    whole_number(horizon, "horizon")
    wanted = getattr(source, "assets", None)
    missing = [a for a in wanted if a not in fold.panel.assets] if isinstance(wanted, (tuple, list)) else []
    if missing:
        raise DataError(
            f"the generator is conditioned on {', '.join(missing)}, which this fold does not have (a pre-selection?). "
            "Pass panel= with the returns of all its assets; only those up to the fold's last date are used."
        )
    made = source.sample(n_scenarios, horizon, history=as_trained(fold.panel, source), seed=fold.seed(check_seed(seed)))
    return of_fold(fold, made)


def of_fold(fold: FoldHistory, scenarios: Any) -> ScenarioSet:
    """The scenarios, checked against the fold's date, with its assets in its order.

    Raises
    ------
    LookAheadError, DataError, ConfigError
        As `fold_scenarios`.
    """
    if not isinstance(scenarios, ScenarioSet):
        raise ConfigError(f"a generator must return a ScenarioSet: got {type(scenarios).__name__}.")
    known = latest_knowledge(scenarios)
    if not fold.dated and known is not None and known[1] > fold.date:
        raise ConfigError(f"the scenarios are dated, but this fold has no dates to compare with. {_KEEP_DATES}")
    refuse_future_knowledge(scenarios, fold.date, what="the scenario set of this fold")
    missing = [asset for asset in fold.assets if asset not in scenarios.assets]
    if missing:
        raise DataError(
            f"the scenarios lack {', '.join(missing)} of the fold: they have {', '.join(scenarios.assets)}."
        )
    if scenarios.assets == fold.assets:
        return scenarios
    columns = [scenarios.assets.index(asset) for asset in fold.assets]
    return ScenarioSet(
        scenarios.returns[:, :, columns],
        assets=fold.assets,
        kind=scenarios.kind,
        probabilities=scenarios.probabilities,
        asof=scenarios.asof,
        provenance=scenarios.provenance,
    )
