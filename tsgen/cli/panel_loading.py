"""Market data as a command names them: source, kind, assets, and the date up to which they may be seen."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from tsgen.cli.run_config import DataSection
from tsgen.cli.toml_config import portable

if TYPE_CHECKING:
    from tsgen.marketdata import ReturnPanel


class SplitPanel(NamedTuple):
    """What may be fitted to, and what came later (``None``: nothing)."""

    train: "ReturnPanel"
    test: "ReturnPanel | None"


def load_panel(section: DataSection, *, test: bool = True) -> SplitPanel:
    """Load, select and split; neither other assets nor later dates decide what is fitted to.

    Without ``test`` nothing after ``train_until`` is looked at. With it, assets that were dropped for holes before that
    date stay dropped, and a later hole of another one is an error unless dates are dropped.

    Raises
    ------
    DataError, ShapeError, ConfigError, StorageError
        As `tsgen.load_returns`, `ReturnPanel.select` and `ReturnPanel.until`.

    Examples
    --------
    >>> from datetime import date
    >>> load_panel(DataSection(source="sample", train_until=date(2018, 12, 31))).test.n_dates
    457
    """
    from tsgen.marketdata import load_returns

    # ISO text: load_returns refuses date objects of other calendars and half dates itself
    until = None if section.train_until is None else section.train_until.isoformat()
    assets = section.assets or None
    train = load_returns(section.source, kind=section.kind, missing=section.missing, assets=assets, until=until)
    if until is None or not test:
        return SplitPanel(train, None)
    later = "error" if section.missing == "drop_assets" else section.missing
    return split_panel(
        load_returns(section.source, kind=section.kind, missing=later, assets=train.assets), section.train_until
    )


def split_panel(panel: "ReturnPanel", until: date | None) -> SplitPanel:
    """Cut after ``until``, if given."""
    if until is None:
        return SplitPanel(panel, None)
    train = panel.until(until.isoformat())
    return SplitPanel(train, None if train.n_dates == panel.n_dates else panel.after(until.isoformat()))


def panel_facts(panel: "ReturnPanel", test: "ReturnPanel | None") -> dict[str, Any]:
    """What a manifest says about the data; JSON-able, without absolute paths."""
    origin = {k: portable(v) if k == "path" else v for k, v in panel.provenance.items()}
    return {
        "source": panel.source,
        "kind": panel.kind,
        "frequency": panel.frequency,
        "assets": list(panel.assets),
        "train": span_facts(panel),
        "test": None if test is None else span_facts(test),
        "origin": origin,
    }


def span_facts(panel: "ReturnPanel") -> dict[str, Any]:
    """Dates, length and fingerprint of a panel."""
    first, last = panel.dates[0], panel.dates[-1]
    return {
        "first_date": first.isoformat(),
        "last_date": last.isoformat(),
        "n_dates": panel.n_dates,
        "fingerprint": panel.fingerprint(),
    }


def names_of(text: str | None) -> Sequence[str]:
    """Asset names from a comma-separated option.

    Examples
    --------
    >>> names_of("AAPL, MSFT")
    ('AAPL', 'MSFT')
    """
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
