"""`Scorecard`: all metrics of one model with floors and errors, beside baselines on the same windows.

A frozen record: it computes nothing on data and can be stored as JSON and read back. Above the metric families
and `metric_score`, below `evaluate`.
"""

import dataclasses
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, final

import pandas as pd

from tsgen.errors import DataError, TsgenError
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.metric_score import failed_gates, group_scores, metric_score, overall_score
from tsgen.evaluation.stylised_facts import StylisedFact

_SCHEMA_VERSION = 1
_PAIRED_COLUMNS = ("score", "baseline", "difference", "standard_error", "t", "p_value", "n_blocks")
_CONFIDENCE_COLUMNS = ("score", "model", "mean_score", "p_value", "included")


class SkippedMetrics(NamedTuple):
    """A family of metrics that could not be computed, and why: it is missing from the score."""

    family: str
    reason: str


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Scorecard:
    """How good a model is, compared with what, and whether the difference is real.

    Parameters
    ----------
    model : str
        Name of the model.
    results : tuple of MetricResult
    baselines : mapping of str to tuple of MetricResult
        The same metrics of other models on the same windows.
    paired : tuple of dict
        Differences of proper scores, model minus baseline (negative: the model is better), with block errors.
    confidence_sets : tuple of dict
        Per proper score, the models that cannot be told from the best one.
    skipped : tuple of SkippedMetrics
    facts : dict
        JSON-able circumstances: dates, horizon, numbers of scenarios, seed.
    stylised_facts : tuple of StylisedFact
        Real against generated with bootstrap bands, of the model only; they do not enter the score.

    Raises
    ------
    DataError
        If there is no result, a metric occurs twice, or a baseline has the name of the model.

    Examples
    --------
    >>> result = MetricResult(
    ...     group="marginal law", metric="KS", value=0.02, floor=0.018, floor_deviation=0.004, standard_error=0.004,
    ...     verdict="at floor", p_value=0.31, n=100,
    ... )
    >>> card = Scorecard(model="mine", results=(result,))
    >>> card.overall, card.groups.to_dict()
    (1.0, {'marginal law': 1.0})
    >>> Scorecard.from_json(card.to_json()).table.equals(card.table)
    True
    """

    model: str
    results: tuple[MetricResult, ...]
    baselines: Mapping[str, tuple[MetricResult, ...]] = field(default_factory=dict)
    paired: tuple[dict[str, Any], ...] = ()
    confidence_sets: tuple[dict[str, Any], ...] = ()
    skipped: tuple[SkippedMetrics, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    stylised_facts: tuple[StylisedFact, ...] = ()

    def __post_init__(self) -> None:
        if not self.results:
            reasons = "; ".join(f"{s.family}: {s.reason}" for s in self.skipped) or "none was asked for"
            raise DataError(f"a scorecard needs at least one metric: all were skipped ({reasons}).")
        if self.model in self.baselines:
            raise DataError(f"a baseline has the name of the model, {self.model!r}. Give them different names.")
        for name, results in ((self.model, self.results), *self.baselines.items()):
            keys = [(r.group, r.metric) for r in results]
            twice = sorted({k for k in keys if keys.count(k) > 1})
            if twice:
                raise DataError(f"metrics of {name} occur more than once: {twice}. Each belongs on the card once.")
        object.__setattr__(self, "results", tuple(self.results))
        object.__setattr__(self, "baselines", {name: tuple(r) for name, r in self.baselines.items()})

    @property
    def table(self) -> pd.DataFrame:
        """One row per metric: group, metric, value, floor, standard_error, verdict, and what is behind them."""
        return _frame(self.results)

    @property
    def groups(self) -> pd.Series:
        """Score of every group in [0, 1], higher is better; 1 means at the noise floor."""
        return group_scores(self.results)

    @property
    def overall(self) -> float:
        """Weighted mean of the group scores in [0, 1], capped if a gate failed, see `failed_gates`."""
        return overall_score(self.results)

    @property
    def failed_gates(self) -> dict[str, str]:
        """Metrics that cap the overall score, with the reason; empty if no gate failed."""
        return failed_gates(self.results)

    @property
    def model_scores(self) -> pd.DataFrame:
        """Overall and group scores of the model (first row) and of all baselines."""
        rows = {
            name: {"overall": overall_score(results), **group_scores(results)}
            for name, results in ((self.model, self.results), *self.baselines.items())
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")

    @property
    def comparison(self) -> pd.DataFrame:
        """Values of every metric, one column per model, with the floor of the model first."""
        columns = {"floor": _indexed(self.results, "floor"), self.model: _indexed(self.results, "value")}
        columns |= {name: _indexed(results, "value") for name, results in self.baselines.items()}
        return pd.DataFrame(columns).reindex(columns["floor"].index)

    @property
    def paired_differences(self) -> pd.DataFrame:
        """Differences of proper scores, model minus baseline (negative favours the model), with block errors."""
        return pd.DataFrame(list(self.paired), columns=list(_PAIRED_COLUMNS))

    @property
    def model_confidence_sets(self) -> pd.DataFrame:
        """Per proper score, which models cannot be told from the best one."""
        return pd.DataFrame(list(self.confidence_sets), columns=list(_CONFIDENCE_COLUMNS))

    def to_frame(self) -> pd.DataFrame:
        """Metrics of the model and of all baselines, one row per model and metric."""
        frames = [_frame(results).assign(model=name) for name, results in self._all()]
        combined = pd.concat(frames, ignore_index=True)
        return combined[["model", *(c for c in combined.columns if c != "model")]]

    def to_json(self) -> str:
        """The card as JSON text; `from_json` reads it back."""
        content = {
            "schema_version": _SCHEMA_VERSION,
            "model": self.model,
            "overall": None if pd.isna(self.overall) else self.overall,
            "groups": self.groups.to_dict(),
            "results": [dataclasses.asdict(r) for r in self.results],
            "baselines": {name: [dataclasses.asdict(r) for r in results] for name, results in self.baselines.items()},
            "paired": list(self.paired),
            "confidence_sets": list(self.confidence_sets),
            "skipped": [s._asdict() for s in self.skipped],
            "facts": self.facts,
            "stylised_facts": [f.to_dict() for f in self.stylised_facts],
        }
        return json.dumps(content, indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a card written by `to_json`; scores are computed again from the metrics.

        Raises
        ------
        DataError
            If the text is no card of this schema version.
        """
        try:
            content = json.loads(text)
            if content["schema_version"] != _SCHEMA_VERSION:
                raise KeyError(f"schema version {content['schema_version']}, expected {_SCHEMA_VERSION}")
            return cls(
                model=content["model"],
                results=tuple(MetricResult(**r) for r in content["results"]),
                baselines={n: tuple(MetricResult(**r) for r in rs) for n, rs in content["baselines"].items()},
                paired=tuple(content["paired"]),
                confidence_sets=tuple(content["confidence_sets"]),
                skipped=tuple(SkippedMetrics(**s) for s in content["skipped"]),
                facts=content["facts"],
                stylised_facts=tuple(StylisedFact.from_dict(f) for f in content.get("stylised_facts", ())),
            )
        except TsgenError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"this is no scorecard of this toolkit ({type(error).__name__}: {error}). Write it again with to_json."
            ) from error

    def _all(self) -> tuple[tuple[str, tuple[MetricResult, ...]], ...]:
        return ((self.model, self.results), *self.baselines.items())

    def __repr__(self) -> str:
        judged = [r for r in self.results if r.verdict != "report"]
        fine = sum(r.verdict in ("at floor", "pass") for r in judged)
        return (
            f"Scorecard({self.model}: overall {self.overall:.2f}, {fine} of {len(judged)} metrics at their floor, "
            f"{len(self.baselines)} baselines, {len(self.skipped)} families skipped)"
        )

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(repr(self))}</b></p>"]
        parts += [f"<p><b>Gate failed</b>: {html.escape(f'{m}: {why}')}</p>" for m, why in self.failed_gates.items()]
        parts.append(self.model_scores.to_html(float_format="{:.2f}".format, na_rep="-"))
        columns = ["group", "metric", "value", "floor", "standard_error", "verdict", "score", "note"]
        parts.append(self.table[columns].to_html(index=False, float_format="{:.4g}".format, na_rep="-"))
        if self.paired:
            parts.append("<p>Proper scores, model minus baseline: negative favours the model</p>")
            parts.append(self.paired_differences.to_html(index=False, float_format="{:.4g}".format))
        if self.confidence_sets:
            members = self.model_confidence_sets
            words = members["included"].map({True: "in the set", False: "out"}) + members["p_value"].map(
                " (p {:.2f})".format
            )
            table = members.assign(words=words).pivot_table(
                index="model", columns="score", values="words", aggfunc="first"
            )
            parts.append("<p>Model confidence sets (10 %): in the set = cannot be told from the best by this score</p>")
            parts.append(table.to_html(na_rep="-"))
        parts += [f"<p>Skipped {html.escape(s.family)}: {html.escape(s.reason)}</p>" for s in self.skipped]
        return "".join(parts)


def _frame(results: tuple[MetricResult, ...]) -> pd.DataFrame:
    rows = [
        {
            "group": r.group,
            "metric": r.metric,
            "value": r.value,
            "floor": r.floor,
            "standard_error": r.standard_error,
            "verdict": r.verdict,
            "floor_deviation": r.floor_deviation,
            "excess": r.excess,
            "p_value": float("nan") if r.p_value is None else r.p_value,
            "score": metric_score(r),
            "n": r.n,
            "note": r.note,
        }
        for r in results
    ]
    return pd.DataFrame(rows)


def _indexed(results: tuple[MetricResult, ...], attribute: str) -> pd.Series:
    index = pd.MultiIndex.from_tuples([(r.group, r.metric) for r in results], names=["group", "metric"])
    return pd.Series([getattr(r, attribute) for r in results], index=index)
