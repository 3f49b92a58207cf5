"""`evaluate` answers whether a generator is good, compared with what, and whether the difference is real.

The one entry point of this folder: chooses the evaluation period, samples every model on the same dates with the
same seed, computes all families of metrics, compares proper scores, and returns a `Scorecard`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tsgen.errors import ConfigError, DataError
from tsgen.evaluation.dated_scenarios import SamplesScenarios, check_same_assets
from tsgen.evaluation.evaluation_config import EvaluationConfig
from tsgen.evaluation.evaluation_period import EvaluationPeriod, evaluation_period
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.model_evaluation import ModelEvaluation, evaluate_dated, evaluate_paths
from tsgen.evaluation.score_comparison import compare_scores
from tsgen.evaluation.scorecard import Scorecard, SkippedMetrics
from tsgen.evaluation.window_pairing import window_dates
from tsgen.marketdata import ReturnPanel
from tsgen.one_numeric_thread import one_numeric_thread
from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.random_streams import check_seed
from tsgen.scenario_set import ScenarioSet

Model = SamplesScenarios | ScenarioSet
_DEFAULT = EvaluationConfig()


def evaluate(
    generator_or_scenarios: Model,
    data: ReturnPanel | ScenarioSet,
    *,
    baselines: Sequence[Any] | Mapping[str, Any] = (),
    seed: int = 0,
    history: ReturnPanel | None = None,
    progress: Progress | None = None,
    config: EvaluationConfig = _DEFAULT,
) -> Scorecard:
    """Judge a generator, or scenarios, against data it has not seen, beside baselines on the same windows.

    Parameters
    ----------
    generator_or_scenarios : SamplesScenarios or ScenarioSet
        A generator is re-conditioned on the history at every date; scenarios are judged as unconditional paths.
    data : ReturnPanel or ScenarioSet
        One history, with the training period in front or without, or independent real paths.
    baselines : sequence or mapping of name to model
        Fitted models, or classes with ``fit``, which are then fitted to everything before the evaluation period.
    seed : int
    history : ReturnPanel, optional
        What came before ``data``; evaluation then starts with the data.
    progress : callable, optional
        Receives `tsgen.progress.ProgressEvent`, one per model.
    config : EvaluationConfig

    Returns
    -------
    Scorecard
        Without ``history``, evaluation starts after the latest training cut-off of the models if it lies in the data,
        else after a warm-up share of the data (see `EvaluationConfig`).

    Raises
    ------
    LookAheadError
        If a model was trained on the evaluation period.
    DataError
        If assets or units differ, the period is too short, or scenarios are not finite.
    ConfigError
        If arguments do not fit together.

    Notes
    -----
    Metrics that do not apply are listed in ``Scorecard.skipped`` with the reason and do not enter the score; a group
    that other models on the card were judged on, and this one could not be, scores zero.

    Examples
    --------
    >>> from tsgen.evaluation.world_comparison import ComparisonEffort
    >>> rng = np.random.default_rng(0)
    >>> real = ScenarioSet(rng.standard_normal((60, 4, 1)), assets=["A"], kind="log")
    >>> fake = ScenarioSet(2.0 * rng.standard_normal((240, 4, 1)), assets=["A"], kind="log")
    >>> quick = EvaluationConfig(effort=ComparisonEffort(null_worlds=19, resamples=10))
    >>> card = evaluate(fake, real, config=quick)
    >>> card.overall < 0.9, card.skipped[0].family
    (True, 'dependence')
    """
    check_seed(seed)
    listener = progress or silent
    named = _named_models(generator_or_scenarios, baselines)
    facts: dict[str, Any] = {"seed": int(seed), "horizon": config.horizon}
    if isinstance(data, ReturnPanel) and not isinstance(generator_or_scenarios, ScenarioSet):
        fitted = {name: m for name, m in named.items() if not isinstance(m, type)}
        period = evaluation_period(data, fitted, history=history, warm_up=config.warm_up)
        with one_numeric_thread():
            evaluations = _dated(named, period, seed=seed, config=config, listener=listener)
        facts |= _facts_of_period(period, config)
    else:
        paths = data if isinstance(data, ScenarioSet) else _paths_of(data, generator_or_scenarios)
        if history is not None:
            raise ConfigError(
                "history conditions a generator on dates: leave it out when independent paths are judged."
            )
        with one_numeric_thread():
            evaluations = _undated(named, paths, seed=seed, config=config, listener=listener)
        facts |= {"n_real_paths": paths.n_scenarios, "horizon": paths.horizon}
    return _card(evaluations, facts, seed=seed)


def _card(evaluations: dict[str, ModelEvaluation], facts: dict[str, Any], *, seed: int) -> Scorecard:
    model = next(iter(evaluations))
    evaluations = {name: _with_failures(name, evaluations) for name in evaluations}
    paired, sets, missing = compare_scores(model, evaluations, seed=seed)
    return Scorecard(
        model=model,
        results=evaluations[model].results,
        baselines={name: e.results for name, e in evaluations.items() if name != model},
        paired=tuple(paired),
        confidence_sets=tuple(sets),
        skipped=(*evaluations[model].skipped, *_skipped_of_baselines(model, evaluations), *missing),
        facts=facts,
        stylised_facts=evaluations[model].stylised_facts,
    )


def _with_failures(name: str, evaluations: Mapping[str, ModelEvaluation]) -> ModelEvaluation:
    """A group that other models were judged on, and this one could not be, counts as failed.

    The data allow the group, so what stood in the way are the scenarios: a generator without losses has no expected
    shortfall to judge, and must not gain from it. A model judged alone has its skipped groups on the card.
    """
    own = evaluations[name]
    elsewhere = {r.group for other, e in evaluations.items() if other != name for r in e.results}
    missing = elsewhere - {r.group for r in own.results}
    failed = tuple(
        MetricResult(
            group=skipped.family,
            metric="can be judged",
            value=1.0,
            floor=0.0,
            floor_deviation=0.0,
            standard_error=0.0,
            verdict="reject",
            p_value=None,
            n=1,
            note=skipped.reason,
        )
        for skipped in own.skipped
        if skipped.family in missing
    )
    return replace(own, results=(*own.results, *failed))


def _skipped_of_baselines(model: str, evaluations: Mapping[str, ModelEvaluation]) -> list[SkippedMetrics]:
    """What is missing for a baseline only: without it, the overall scores are means over different groups."""
    own = set(evaluations[model].skipped)
    return [
        SkippedMetrics(f"{skipped.family} ({name})", skipped.reason)
        for name, evaluation in evaluations.items()
        for skipped in evaluation.skipped
        if name != model and skipped not in own
    ]


def _named_models(model: Any, baselines: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """All models by name, the judged one first; equal names are numbered."""
    if isinstance(baselines, Mapping):
        pairs = [(str(name), baseline) for name, baseline in baselines.items()]
    else:
        pairs = [(_name_of(baseline), baseline) for baseline in baselines]
    named: dict[str, Any] = {}
    for name, item in ((_name_of(model), model), *pairs):
        if not (isinstance(item, (ScenarioSet, SamplesScenarios)) or (isinstance(item, type) and hasattr(item, "fit"))):
            raise ConfigError(
                f"{name} is no generator: it needs assets, kind and sample(n_scenarios, horizon, history=, seed=), or "
                "to be a ScenarioSet, or a class with fit."
            )
        count = sum(known == name or known.startswith(f"{name} (") for known in named)
        named[name if count == 0 else f"{name} ({count + 1})"] = item
    return named


def _name_of(model: Any) -> str:
    if isinstance(model, ScenarioSet):
        return "scenarios"
    kind = model if isinstance(model, type) else type(model)
    return str(getattr(model, "name", None) or kind.__name__)


def _dated(
    named: dict[str, Any], period: EvaluationPeriod, *, seed: int, config: EvaluationConfig, listener: Progress
) -> dict[str, ModelEvaluation]:
    for name, item in named.items():
        if isinstance(item, ScenarioSet):
            raise ConfigError(f"{name} is a fixed set and cannot be re-conditioned beside a generator: leave it out.")
    evaluations: dict[str, ModelEvaluation] = {}
    for done, (name, item) in enumerate(named.items()):
        listener(ProgressEvent("evaluate", done, len(named), name))
        generator = item.fit(period.training) if isinstance(item, type) else item
        check_same_assets(generator, period.panel)
        evaluations[name] = evaluate_dated(generator, period, seed=seed, config=config, facts=done == 0)
    listener(ProgressEvent("evaluate", len(named), len(named)))
    return evaluations


def _undated(
    named: dict[str, Any], paths: ScenarioSet, *, seed: int, config: EvaluationConfig, listener: Progress
) -> dict[str, ModelEvaluation]:
    for name, item in named.items():
        if isinstance(item, type):
            raise ConfigError(f"{name} is not fitted and independent paths have no training part: fit it first.")
    evaluations: dict[str, ModelEvaluation] = {}
    for done, (name, item) in enumerate(named.items()):
        listener(ProgressEvent("evaluate", done, len(named), name))
        evaluations[name] = evaluate_paths(item, paths, seed=seed, config=config, facts=done == 0)
    listener(ProgressEvent("evaluate", len(named), len(named)))
    return evaluations


def _paths_of(panel: ReturnPanel, scenarios: Model) -> ScenarioSet:
    """Windows of a panel that do not overlap, as long as the scenarios and after their as-of date."""
    if not isinstance(scenarios, ScenarioSet):
        raise ConfigError("a panel is cut into paths for a fixed set of scenarios only.")
    after = panel.dates[0]
    if scenarios.asof is not None and panel.dates[0] < scenarios.asof:
        after = scenarios.asof
    dates = window_dates(panel, after=after, horizon=scenarios.horizon)
    rows = panel.dates.get_indexer(dates)
    windows = np.stack([panel.values[row + 1 : row + 1 + scenarios.horizon] for row in rows])
    if len(windows) < 8:
        raise DataError(
            f"the panel holds only {len(windows)} windows of {scenarios.horizon} periods after {after.date()}: at "
            "least 8 are needed. Give a longer panel or shorter scenarios."
        )
    return ScenarioSet(windows, assets=panel.assets, kind=panel.kind)


def _facts_of_period(period: EvaluationPeriod, config: EvaluationConfig) -> dict[str, Any]:
    return {
        "start": period.start.isoformat(),
        "start_reason": period.reason,
        "end": period.panel.dates[-1].isoformat(),
        "n_windows": len(period.window_dates(config.horizon)),
        "n_scenarios": config.n_scenarios,
        "n_daily_dates": len(period.daily_dates(config.max_daily_dates)) if config.daily else 0,
        "n_daily_scenarios": config.n_daily_scenarios if config.daily else 0,
    }
