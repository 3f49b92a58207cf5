"""Seconds of entropy pooling on one thread: 100,000 scenarios, 10 views, four mixtures of kinds.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/entropy_pooling_speed.py

Prints one JSON object: median seconds of the whole call (features, solver, tables), on the clock and of the processor
(a shared machine makes the first one larger), Newton steps, largest residual. The skfolio rows solve the same
problem with that library in the same run, as a ratio.
"""

import json
import time

import numpy as np
import pandas as pd

from tsgen.reweighting import (
    CorrelationView,
    CVaRView,
    EventProbabilityView,
    KurtosisView,
    MeanView,
    SkewView,
    TerminalLoss,
    VarianceView,
    VolatilityView,
    entropy_pooling_report,
)
from tsgen.scenario_set import ScenarioSet

SCENARIOS, PERIODS, ASSETS, REPEATS = 100_000, 5, 10, 5


def scenarios() -> ScenarioSet:
    rng = np.random.default_rng(0)
    common = rng.standard_t(5, (SCENARIOS, PERIODS, 1))
    own = rng.standard_t(5, (SCENARIOS, PERIODS, ASSETS))
    return ScenarioSet(0.01 * (0.6 * common + 0.8 * own), assets=[f"A{i}" for i in range(ASSETS)], kind="log")


def means(s: ScenarioSet, n: int) -> list:
    prior = [MeanView(of=a, target=0.0).value(s) for a in s.assets[:n]]
    spread = [VolatilityView(of=a, target=1.0).value(s) for a in s.assets[:n]]
    rows = zip(s.assets, prior, spread, strict=False)
    return [MeanView(of=a, target=m + (0.3 if i % 2 else -0.3) * d) for i, (a, m, d) in enumerate(rows)]


def mixed(s: ScenarioSet) -> list:
    def now(view):
        return view.value(s)

    return [
        *means(s, 3),
        EventProbabilityView(event=TerminalLoss(of="A3", loss=0.05), target=0.1),
        VolatilityView(of="A4", target=1.3 * now(VolatilityView(of="A4", target=1.0))),
        VolatilityView(of="A5", target=0.9 * now(VolatilityView(of="A5", target=1.0)), relation="<="),
        CorrelationView(between=("A6", "A7"), target=-0.2),
        CorrelationView(between=("A0", "A8"), target=0.6, relation=">="),
        SkewView(of="A9", target=-0.5),
        KurtosisView(of="A4", target=3.5),
    ]


def with_cvar(s: ScenarioSet) -> list:
    def now(asset):
        return CVaRView(of=asset, target=0.0).value(s)

    up = [CVaRView(of=a, target=1.2 * now(a), relation=">=") for a in ("A3", "A4")]
    return [*means(s, 3), *mixed(s)[3:7], *up, CVaRView(of="A5", target=0.8 * now("A5"), relation="<=")]


def event_views() -> list:
    return [EventProbabilityView(event=TerminalLoss(of=a, loss=0.05), target=0.1) for a in ("A8", "A9")]


def timed(work, repeats: int = REPEATS) -> tuple[float, float, object]:
    """Median seconds on the clock and of the processor, and the last result."""
    clock, processor, result = [], [], None
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        result = work()
        clock.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return float(np.median(clock)), float(np.median(processor)), result


def case(name: str, s: ScenarioSet, views: list) -> dict:
    seconds, processor, report = timed(lambda: entropy_pooling_report(s, views))
    off = np.where(report.views.relation == "==", report.views.residual.abs(), 0.0).max()
    return {
        "case": name,
        "views": len(views),
        "seconds": round(seconds, 4),
        "processor_seconds": round(processor, 4),
        "newton_steps": report.iterations,
        "divergence": report.divergence,
        "largest_residual": float(off),
        "effective_share": round(report.effective_share, 3),
    }


def against_skfolio(name: str, s: ScenarioSet, views: list, texts: dict, repeats: int) -> dict:
    """Processor seconds of both, in one run, on the same horizon returns; theirs are fitted on one period."""
    from skfolio.prior import EntropyPooling

    one = ScenarioSet(s.horizon_returns()[:, None, :], assets=s.assets, kind="simple")
    frame = pd.DataFrame(one.returns[:, 0, :], columns=list(s.assets))
    _, ours, report = timed(lambda: entropy_pooling_report(one, views))
    _, theirs, fitted = timed(lambda: EntropyPooling(**texts).fit(frame), repeats)
    return {
        "case": name,
        "processor_seconds": round(ours, 4),
        "skfolio_processor_seconds": round(theirs, 3),
        "times_faster": round(theirs / ours, 1),
        "divergence": report.divergence,
        "skfolio_divergence": float(fitted.relative_entropy_),
    }


def comparisons(s: ScenarioSet) -> list[dict]:
    linear = means(s, 10)
    stated = [f"{v.of} == {float(v.target)!r}" for v in linear]
    spread = VarianceView(of="A1", target=1.2 * VarianceView(of="A1", target=1.0).value(s))
    spread_text = {"mean_views": stated[:3], "variance_views": [f"A1 == {float(spread.target)!r}"]}
    lowered = CVaRView(of="A0", target=0.9 * CVaRView(of="A0", target=0.0).value(s))
    lowered_text = {"cvar_views": [f"A0 == {float(lowered.target)!r}"]}
    return [
        against_skfolio("10 means", s, linear, {"mean_views": stated}, REPEATS),
        against_skfolio("3 means, 1 variance", s, [*linear[:3], spread], spread_text, REPEATS),
        against_skfolio("1 CVaR lowered", s, [lowered], lowered_text, 1),
    ]


if __name__ == "__main__":
    s = scenarios()
    lowered = [CVaRView(of=a, target=0.85 * CVaRView(of=a, target=0.0).value(s), relation="<=") for a in ("A6", "A7")]
    results = [
        case("10 means", s, means(s, 10)),
        case("means, event, volatilities, correlations, skew, kurtosis", s, mixed(s)),
        case("means, event, volatilities, correlation, 2 CVaR up, 1 CVaR down", s, with_cvar(s)),
        case("8 means and events, 2 CVaR down", s, [*means(s, 6), *event_views(), *lowered]),
    ]
    print(json.dumps({"scenarios": SCENARIOS, "results": results, "skfolio": comparisons(s)}, indent=2))
