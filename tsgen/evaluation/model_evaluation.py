"""All metrics of one model on given dates or paths, and the records of proper scores on which models are compared."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import DataError
from tsgen.evaluation.adaptedness import future_of_history, horizon_prefix
from tsgen.evaluation.daily_forecasts import forecast_daily
from tsgen.evaluation.dated_scenarios import SamplesScenarios
from tsgen.evaluation.evaluation_config import EvaluationConfig
from tsgen.evaluation.evaluation_period import EvaluationPeriod
from tsgen.evaluation.forecast_calibration import forecast_calibration_metrics
from tsgen.evaluation.forecast_pool import ForecastPool, pool_forecasts
from tsgen.evaluation.memorisation import memorisation
from tsgen.evaluation.metric_families import Family, compute_families, window_families
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.model_comparison import MIN_BLOCKS
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.proper_scores import energy_scores, variogram_scores
from tsgen.evaluation.regime_split import REGIMES, regime_calibration_metrics, regime_labels, usable_regimes
from tsgen.evaluation.scorecard import SkippedMetrics
from tsgen.evaluation.stylised_facts import StylisedFact, stylised_facts
from tsgen.evaluation.tail_risk_metrics import daily_scores, expected_shortfall_metrics, value_at_risk_metrics
from tsgen.evaluation.window_pairing import windows_at, windows_of_paths
from tsgen.random_streams import numpy_stream
from tsgen.scenario_set import ScenarioSet

# identity to the bit needs no sample: a few scenarios show a leak
_SCENARIOS_OF_CHECKS = 4


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ModelEvaluation:
    """What one model scored.

    Attributes
    ----------
    results : tuple of MetricResult
    skipped : tuple of SkippedMetrics
    scores : dict of str to ndarray of shape (unit,)
        Proper scores per date or window, the same units for every model; lower is better.
    blocks : dict of str to int
        Units per block over which these scores depend on each other.
    stylised_facts : tuple of StylisedFact
        Empty unless they were asked for.
    """

    results: tuple[MetricResult, ...]
    skipped: tuple[SkippedMetrics, ...]
    scores: dict[str, NDArray[np.float64]]
    blocks: dict[str, int]
    stylised_facts: tuple[StylisedFact, ...] = ()


def evaluate_dated(
    generator: SamplesScenarios, period: EvaluationPeriod, *, seed: int, config: EvaluationConfig, facts: bool = False
) -> ModelEvaluation:
    """Judge a generator re-conditioned on the history at every as-of date of a period.

    Parameters
    ----------
    generator : SamplesScenarios
    period : EvaluationPeriod
    seed : int
    config : EvaluationConfig
    facts : bool, default False
        Whether stylised facts are computed, too.

    Raises
    ------
    DataError
        If the period is too short, or scenarios are not finite.
    """
    windows = windows_at(
        generator,
        period.panel,
        period.window_dates(config.horizon),
        horizon=config.horizon,
        n_scenarios=config.n_scenarios,
        seed=seed,
    )
    training = period.training
    families: tuple[Family, ...] = (
        *window_families(windows, seed=seed, effort=config.effort, dated=True),
        ("memorisation", lambda: memorisation(windows, training.values, seed=seed, effort=config.effort)),
        ("adaptedness", lambda: _adaptedness(generator, period, horizon=config.horizon, seed=seed)),
    )
    results, skipped = compute_families(families)
    scores, blocks = _window_scores(windows)
    if config.daily:
        daily, missing, records = _evaluate_daily(generator, period, seed=seed, config=config)
        results, skipped = [*daily, *results], [*missing, *skipped]
        scores |= {str(name): records[name].to_numpy() for name in records.columns}
        blocks |= dict.fromkeys(map(str, records.columns), 20)
    shown, missing = _stylised(windows, seed=seed) if facts else ((), [])
    return ModelEvaluation(
        results=tuple(results),
        skipped=(*skipped, *missing),
        scores=scores,
        blocks=blocks,
        stylised_facts=shown,
    )


def evaluate_paths(
    generator: SamplesScenarios | ScenarioSet,
    paths: ScenarioSet,
    *,
    seed: int,
    config: EvaluationConfig,
    facts: bool = False,
) -> ModelEvaluation:
    """Judge independent generated paths against independent real ones.

    Parameters
    ----------
    generator : SamplesScenarios or ScenarioSet
    paths : ScenarioSet
        Real paths.
    seed : int
    config : EvaluationConfig
    facts : bool, default False
        Whether stylised facts are computed, too.

    Raises
    ------
    ShapeError, DataError
        If the paths are not comparable.
    """
    windows = windows_of_paths(generator, paths, seed=seed, n_scenarios=config.n_scenarios)
    families = window_families(windows, seed=seed, effort=config.effort, dated=False)
    results, skipped = compute_families(families)
    skipped.append(
        SkippedMetrics("forecast calibration, value at risk, expected shortfall", "paths without dates have no history")
    )
    scores, blocks = _window_scores(windows)
    shown, missing = _stylised(windows, seed=seed) if facts else ((), [])
    return ModelEvaluation(
        results=tuple(results),
        skipped=(*skipped, *missing),
        scores=scores,
        blocks=blocks,
        stylised_facts=shown,
    )


def _stylised(windows: PairedWindows, *, seed: int) -> tuple[tuple[StylisedFact, ...], list[SkippedMetrics]]:
    try:
        return stylised_facts(windows, seed=seed), []
    except DataError as error:
        return (), [SkippedMetrics("stylised facts", str(error))]


def _adaptedness(
    generator: SamplesScenarios, period: EvaluationPeriod, *, horizon: int, seed: int
) -> tuple[MetricResult, MetricResult]:
    count, periods = _SCENARIOS_OF_CHECKS, max(horizon, 2)
    return (
        horizon_prefix(generator, horizon=periods, n_scenarios=count, seed=seed, history=period.training),
        future_of_history(generator, period.panel, period.start, horizon=periods, n_scenarios=count, seed=seed),
    )


def _evaluate_daily(
    generator: SamplesScenarios, period: EvaluationPeriod, *, seed: int, config: EvaluationConfig
) -> tuple[list[MetricResult], list[SkippedMetrics], pd.DataFrame]:
    dates = period.daily_dates(config.max_daily_dates)
    forecasts = forecast_daily(generator, period.panel, dates, n_scenarios=config.n_daily_scenarios, seed=seed)
    stand_ins = min(config.effort.null_worlds, config.n_daily_scenarios)
    pool = pool_forecasts(forecasts, rng=numpy_stream(seed, "daily forecasts"), n_stand_ins=stand_ins)
    results, skipped = compute_families(
        (
            ("forecast calibration", lambda: forecast_calibration_metrics(pool)),
            ("value at risk", lambda: value_at_risk_metrics(pool)),
            ("expected shortfall", lambda: expected_shortfall_metrics(pool)),
        )
    )
    by_regime, missing = _regimes(pool, period)
    try:
        records = daily_scores(pool)
    except DataError:  # no positive shortfall: the family above says so
        records = pd.DataFrame({"CRPS": pool.crps[:, 0].mean(axis=1)}, index=pool.dates)
    return [*results, *by_regime], [*skipped, *missing], records


def _regimes(pool: ForecastPool, period: EvaluationPeriod) -> tuple[list[MetricResult], list[SkippedMetrics]]:
    try:
        labels = regime_labels(period.panel, pool.dates)
    except DataError as error:
        return [], [SkippedMetrics("calibration by regime", str(error))]
    missing = [r for r in REGIMES if r not in usable_regimes(labels)]
    skipped = [SkippedMetrics(f"calibration in {r} times", "fewer than 50 such forecast dates") for r in missing]
    return regime_calibration_metrics(pool, labels), skipped


def _window_scores(windows: PairedWindows) -> tuple[dict[str, NDArray[np.float64]], dict[str, int]]:
    if windows.horizon * windows.n_assets < 2 or windows.n_scenarios < 2:  # the family above says so
        return {}, {}
    scores = {"energy score": energy_scores(windows), "variogram score": variogram_scores(windows)}
    return scores, dict.fromkeys(scores, 1 if windows.dates is None else _dated_block(windows.n_units))


def _dated_block(n_units: int) -> int:
    # windows do not overlap, but volatility outlasts them and moves the score differences of neighbours together
    return max(1, min(int(np.ceil(n_units ** (1 / 3))), n_units // MIN_BLOCKS))
