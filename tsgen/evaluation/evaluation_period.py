"""Which dates an evaluation may use: strictly after everything that any of the models has seen."""

from dataclasses import dataclass
from typing import Any, final

import pandas as pd

from tsgen.errors import DataError, LookAheadError
from tsgen.evaluation.window_pairing import window_dates
from tsgen.marketdata import ReturnPanel


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationPeriod:
    """One history and the date from which on it is evaluated.

    Attributes
    ----------
    panel : ReturnPanel
        History and evaluation period together.
    start : Timestamp
        First as-of date: what follows it is unseen by every model.
    reason : str
        Where the start comes from.
    """

    panel: ReturnPanel
    start: pd.Timestamp
    reason: str

    @property
    def training(self) -> ReturnPanel:
        """Everything up to the first as-of date."""
        return self.panel.until(self.start)

    def daily_dates(self, most: int) -> pd.DatetimeIndex:
        """The last as-of dates, at most ``most``, that have a following date."""
        return self.panel.dates[self.training.n_dates - 1 : -1][-most:]

    def window_dates(self, horizon: int) -> pd.DatetimeIndex:
        """As-of dates of windows that do not overlap."""
        return window_dates(self.panel, after=self.start, horizon=horizon)


def training_cutoff_of(generator: Any) -> pd.Timestamp | None:
    """Last date a generator was trained on, from ``training_cutoff`` or ``record.training_cutoff``; None if unknown.

    Examples
    --------
    >>> training_cutoff_of(object()) is None
    True
    """
    cutoff = getattr(generator, "training_cutoff", None)
    if cutoff is None:
        cutoff = getattr(getattr(generator, "record", None), "training_cutoff", None)
    return None if cutoff is None else pd.Timestamp(cutoff)


def evaluation_period(
    data: ReturnPanel, generators: dict[str, Any], *, history: ReturnPanel | None, warm_up: float
) -> EvaluationPeriod:
    """Choose the evaluation period of several models.

    The start is the end of ``history`` if given, else the latest training cut-off if it lies inside the data, else
    the end of the warm-up share of the data.

    Parameters
    ----------
    data : ReturnPanel
    generators : dict of name to generator
    history : ReturnPanel, optional
        What came before ``data``.
    warm_up : float
        Share of ``data`` used as history where nothing else says where to start.

    Raises
    ------
    LookAheadError
        If a model was trained on the evaluation period.
    DataError
        If ``history`` does not end before ``data``, or has other assets or units.

    Examples
    --------
    >>> frame = pd.DataFrame({"A": [0.01, -0.02, 0.03, 0.0]}, index=pd.bdate_range("2024-01-01", periods=4))
    >>> period = evaluation_period(ReturnPanel(frame, kind="log"), {}, history=None, warm_up=0.5)
    >>> str(period.start.date()), period.reason
    ('2024-01-02', 'after a warm-up of 50% of the data')
    """
    cutoffs = {name: training_cutoff_of(g) for name, g in generators.items()}
    known = {name: cutoff for name, cutoff in cutoffs.items() if cutoff is not None}
    latest = max(known.values(), default=None)
    if history is not None:
        period = EvaluationPeriod(panel=_joined(history, data), start=history.dates[-1], reason="after the history")
    elif latest is not None and latest >= data.dates[0]:
        start = data.until(latest).dates[-1]
        period = EvaluationPeriod(panel=data, start=start, reason="after the latest training cut-off")
    else:
        start = data.dates[max(int(warm_up * data.n_dates), 1) - 1]
        period = EvaluationPeriod(panel=data, start=start, reason=f"after a warm-up of {warm_up:.0%} of the data")
    for name, cutoff in known.items():
        if cutoff > period.start or cutoff >= data.dates[-1]:
            raise LookAheadError(
                f"{name} was trained up to {cutoff.date()}, evaluation would start after {period.start.date()} "
                f"and end on {data.dates[-1].date()}: it has seen what it is asked to forecast. Give later data, or "
                "train on less."
            )
    return period


def _joined(history: ReturnPanel, data: ReturnPanel) -> ReturnPanel:
    if history.assets != data.assets or history.kind != data.kind:
        raise DataError(
            f"history and data must have the same assets and units: got {list(history.assets)} ({history.kind}) and "
            f"{list(data.assets)} ({data.kind}). Use history.select(data.assets) and to_kind."
        )
    if history.dates[-1] >= data.dates[0]:
        raise DataError(
            f"history must end before the data start: it ends on {history.dates[-1].date()}, the data start on "
            f"{data.dates[0].date()}. Use panel.split(date)."
        )
    return ReturnPanel(pd.concat([history.returns, data.returns]), kind=data.kind, source=data.source)
