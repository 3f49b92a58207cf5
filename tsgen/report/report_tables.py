"""The tables of the report, as texts ready to be shown: what stands in a cell is decided here, how it looks is not."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tsgen.report.horizon_table import horizon_table
from tsgen.report.run_report import RunReport


class Table(NamedTuple):
    """Header and rows of texts; the template escapes them."""

    header: Sequence[str]
    rows: list[list[str]]


def percent(value: float, *, digits: int = 2, sign: bool = True) -> str:
    """Decimal as a percentage.

    Examples
    --------
    >>> percent(0.0123), percent(0.5, digits=0, sign=False)
    ('+1.23 %', '50 %')
    """
    return f"{100 * value:{'+' if sign else ''}.{digits}f} %"


def horizon_rows(report: RunReport) -> Table:
    """Horizon returns, generated and history."""
    frame = horizon_table(report)
    header = ["", "source", *(str(c) for c in frame.columns)]
    header[header.index("standard error")] = "± (of the mean)"
    rows = []
    for index, row in zip(frame.index, frame.to_dict("records"), strict=True):
        name, source = index
        texts = [
            percent(v, sign=k not in ("volatility", "standard error"))
            for k, v in ((str(k), float(v)) for k, v in row.items())
        ]
        rows.append([str(name), str(source), *texts])
    return Table(header, rows)


def policy_rows(report: RunReport) -> Table:
    """Every policy: how it was chosen, and its expected return and volatility in every view."""
    views = list(report.views.items())
    header = ["policy", "chosen from", "largest weight", "effective number of assets"]
    header += [f"{what}, by {name}" for name, _ in views for what in ("expected return", "volatility")]
    rows = []
    for policy in report.policies:
        w = policy.allocation.weights.to_numpy()
        top = int(np.abs(w).argmax())
        row = [
            policy.name,
            policy.basis + (" (reduced accuracy!)" if policy.allocation.status == "optimal_inaccurate" else ""),
            f"{policy.allocation.weights.index[top]} {percent(w[top], digits=1, sign=False)}",
            f"{1.0 / float(w @ w):.1f}" if w.any() else "0",
        ]
        for _, moments in views:
            row += [percent(float(moments.mean @ w)), percent(float(np.sqrt(w @ moments.covariance @ w)), sign=False)]
        rows.append(row)
    return Table(header, rows)


def weight_rows(report: RunReport) -> Table:
    """Weight of every asset in every policy."""
    header = ["asset", *(p.name for p in report.policies)]
    columns = [p.allocation.weights.to_numpy() for p in report.policies]
    rows = [
        [asset, *(percent(float(c[i]), sign=False) for c in columns)] for i, asset in enumerate(report.scenarios.assets)
    ]
    return Table(header, rows)


def _with_error(value: float, error: float, *, sign: bool = True) -> str:
    return f"{percent(value, digits=1, sign=sign)} ± {percent(error, digits=1, sign=False)}"


def performance_rows(report: RunReport) -> Table | None:
    """Realised performance with bootstrap standard errors; ``None`` if nothing was realised."""
    header = ["policy", "return a year", "volatility a year", "Sharpe ratio", "maximum drawdown", "dates"]
    rows = []
    for policy in report.policies:
        if (r := policy.realised) is None:
            continue
        error = r.standard_errors
        rows.append(
            [
                policy.name,
                _with_error(r.annualised_return, error["annualised_return"]),
                _with_error(r.annualised_volatility, error["annualised_volatility"], sign=False),
                f"{r.sharpe_ratio:.2f} ± {error['sharpe_ratio']:.2f}",
                percent(r.maximum_drawdown, digits=1, sign=False),
                f"{len(r.returns):,}",
            ]
        )
    return Table(header, rows) if rows else None


def contest_rows(report: RunReport) -> Table:
    """Held-out record of every candidate of the generator."""
    header = ["candidate", "held-out loss", "difference to the best before", "± (standard error)", "steps", "verdict"]
    rows = []
    for i, one in enumerate(report.generator.record.comparisons):
        first = i == 0
        rows.append(
            [
                str(one["candidate"]),
                f"{one['loss']:.5f}",
                "" if first else f"{one['difference']:+.5f}",
                "" if first else f"{one['standard_error']:.5f}",
                f"{one['steps']:,}" if one["steps"] else "closed form",
                "the floor" if first else ("accepted" if one["accepted"] else "refused"),
            ]
        )
    return Table(header, rows)


def fact_rows(facts: Iterable[tuple[str, object]]) -> Table:
    """Keys and values of one provenance section."""
    return Table(("", ""), [[str(key), str(value)] for key, value in facts])
