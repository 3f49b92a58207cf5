"""Seconds of entropy pooling on one thread: 100,000 scenarios, 10 views, three mixtures of kinds.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/entropy_pooling_speed.py

Prints one JSON object: median seconds of the whole call (features, solver, tables), Newton steps, largest residual.
The skfolio row solves the linear case with that library in the same run, as a ratio.
"""

import json
import time

import numpy as np

from tsgen.reweighting import (
    CorrelationView,
    CVaRView,
    EventProbabilityView,
    KurtosisView,
    MeanView,
    SkewView,
    TerminalLoss,
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


def timed(work) -> tuple[float, object]:
    seconds, result = [], None
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), result


def case(name: str, s: ScenarioSet, views: list) -> dict:
    seconds, report = timed(lambda: entropy_pooling_report(s, views))
    off = np.where(report.views.relation == "==", report.views.residual.abs(), 0.0).max()
    return {
        "case": name,
        "views": len(views),
        "seconds": round(seconds, 4),
        "newton_steps": report.iterations,
        "divergence": report.divergence,
        "largest_residual": float(off),
        "effective_share": round(report.effective_share, 3),
    }


def skfolio_seconds(s: ScenarioSet, views: list) -> float:
    from skfolio.prior import EntropyPooling

    outcome = s.growth()[:, -1, :] - 1.0
    texts = [f"x{i} == {view.target!r}" for i, view in enumerate(views)]
    start = time.perf_counter()
    EntropyPooling(mean_views=[t.replace("np.float64(", "").replace(")", "") for t in texts]).fit(outcome)
    return time.perf_counter() - start


if __name__ == "__main__":
    s = scenarios()
    linear = means(s, 10)
    results = [
        case("10 means", s, linear),
        case("means, event, volatilities, correlations, skew, kurtosis", s, mixed(s)),
        case("means, event, volatilities, correlation, 2 CVaR up, 1 CVaR down", s, with_cvar(s)),
    ]
    peer = skfolio_seconds(s, linear)
    print(
        json.dumps({"scenarios": SCENARIOS, "results": results, "skfolio_10_means_seconds": round(peer, 3)}, indent=2)
    )
