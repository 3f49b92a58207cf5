"""Seconds of the direct engines against skfolio, PyPortfolioOpt and Riskfolio-Lib, one thread, one run.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/portfolio_speed.py [--quick]

All inputs are new at every solve: moments or scenarios of another seed, and everything that a user calls to get
weights is timed, our checks and reports included. Prints one JSON object. Times are medians of the processor time of
the process (robust against neighbours on the machine); wall-clock medians stand beside them.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from portfolio import ConditionalValueAtRisk, HorizonMoments, mean_variance, target_return
from portfolio.fast_solvers import DirectEngine
from tsgen.scenario_set import ScenarioSet

LEVEL, GAMMA, SEEDS = 0.95, 5.0, 8
WANTED = {
    "mean_variance_100": {"cold": 15.0},
    "mean_cvar_20x10000": {"cold": 5.0, "warm": 10.0},
    "mean_cvar_100x10000": {"cold": 12.0},
}


def returns(n_assets: int, n_rows: int, seed: int) -> np.ndarray:
    """Five common factors and own noise, Student t with five degrees of freedom, daily decimals."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n_assets, 5)) * 0.008
    common = rng.standard_t(5, size=(n_rows, 5)) @ loadings.T
    return common + 0.012 * rng.standard_t(5, size=(n_rows, n_assets)) + rng.normal(4e-4, 3e-4, n_assets)


def names(n_assets: int) -> list[str]:
    return [f"A{i}" for i in range(n_assets)]


def timed(works: Mapping[str, tuple[Callable[[int], object], int]], rounds: int) -> dict[str, dict[str, float]]:
    """Median processor and wall milliseconds of each ``work(seed)``; the first call does not count.

    In every round each one runs as often as its number says, one after the other: what the machine does meanwhile
    falls on all of them.
    """
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for work, _ in works.values():
        work(0)
    for _ in range(rounds):
        for name, (work, often) in works.items():
            for _ in range(often):
                start, now = time.process_time(), time.perf_counter()
                work(len(spent[name]) % SEEDS)
                spent[name].append((time.process_time() - start, time.perf_counter() - now))
    medians = {name: 1e3 * np.median(times, axis=0) for name, times in spent.items()}
    return {name: {"cpu_ms": round(float(c), 3), "wall_ms": round(float(w), 3)} for name, (c, w) in medians.items()}


# --- mean-variance ---


def mean_variance_case(n: int, repeats: int) -> dict:
    import riskfolio as rp
    from pypfopt import EfficientFrontier
    from skfolio.optimization import MeanRisk, ObjectiveFunction

    samples = [returns(n, 2000, seed) for seed in range(SEEDS)]
    moments = [(x.mean(axis=0), np.cov(x.T)) for x in samples]
    frames = [pd.DataFrame(x, columns=names(n), index=pd.bdate_range("2000-01-03", periods=len(x))) for x in samples]

    assets = tuple(names(n))

    def ours(i: int, engine: str) -> pd.Series:
        mean, covariance = moments[i]
        given = HorizonMoments(mean=mean, covariance=covariance, assets=assets, horizon=1)
        return mean_variance(given, risk_aversion=GAMMA, engine=engine).weights

    def pyportfolioopt(i: int) -> object:
        frontier = EfficientFrontier(*moments[i])
        return frontier.max_quadratic_utility(risk_aversion=GAMMA)

    def skfolio(i: int) -> object:
        model = MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_UTILITY, risk_aversion=GAMMA / 2)
        return model.fit(frames[i]).weights_

    def riskfolio(i: int) -> object:
        model = rp.Portfolio(returns=frames[i])
        model.assets_stats(method_mu="hist", method_cov="hist")
        return model.optimization(model="Classic", rm="MV", obj="Utility", l=GAMMA / 2)

    own = {"direct": (partial(ours, engine="direct"), 20), "cvxpy": (partial(ours, engine="cvxpy"), 1)}
    others = {f.__name__: (f, 2) for f in (pyportfolioopt, skfolio, riskfolio)}
    found = timed({**own, **others}, repeats)
    mine, peers = {name: found[name] for name in own}, {name: found[name] for name in others}
    return {"ours": mine, "peers": peers, "ratios": {"cold": ratio(peers, mine["direct"])}}


# --- mean-CVaR: least CVaR for a return ---


def mean_cvar_case(n: int, rows: int, repeats: int, *, peers: bool = True) -> dict:
    measure = ConditionalValueAtRisk(LEVEL)
    samples = [returns(n, rows, 100 + seed) for seed in range(SEEDS)]
    targets = [float(np.quantile(x.mean(axis=0), 0.6)) for x in samples]
    frames = [pd.DataFrame(x, columns=names(n)) for x in samples]

    def ours(i: int, engine: object, x: list[np.ndarray]) -> pd.Series:
        scenarios = ScenarioSet(x[i][:, None, :], names(n), "simple")
        return target_return(scenarios, minimum=targets[i], measure=measure, engine=engine).weights

    # the next date of a loop: most scenarios of the last one, some new
    following = [np.concatenate([x[rows // 10 :], returns(n, rows // 10, 500 + i)]) for i, x in enumerate(samples)]
    starts = [ours(i, "direct", samples) for i in range(SEEDS)]
    own = {
        "cold": (lambda i: ours(i, "direct", samples), 4),
        "warm": (lambda i: ours(i, DirectEngine(start=starts[i]), following), 4),
    }
    if not peers:
        return {"ours": timed(own, repeats)}

    def pyportfolioopt(i: int) -> object:
        from pypfopt import EfficientCVaR

        return EfficientCVaR(samples[i].mean(axis=0), frames[i], beta=LEVEL).efficient_return(targets[i])

    def skfolio(i: int) -> object:
        from skfolio import RiskMeasure
        from skfolio.optimization import MeanRisk

        return MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=LEVEL, min_return=targets[i]).fit(frames[i]).weights_

    def riskfolio(i: int) -> object:
        import riskfolio as rp

        model = rp.Portfolio(returns=frames[i], alpha=1 - LEVEL)
        model.assets_stats(method_mu="hist", method_cov="hist")
        model.lowerret = targets[i]
        return model.optimization(model="Classic", rm="CVaR", obj="MinRisk")

    others = {f.__name__: (f, 1) for f in (pyportfolioopt, skfolio, riskfolio)}
    found = timed({**own, **others}, repeats)
    mine, theirs = {name: found[name] for name in own}, {name: found[name] for name in others}
    return {"ours": mine, "peers": theirs, "ratios": {kind: ratio(theirs, mine[kind]) for kind in own}}


def ratio(peers: dict, own: dict) -> dict[str, float]:
    """Fastest of the others over ours."""
    return {
        clock: round(min(peer[clock] for peer in peers.values()) / own[clock], 1) for clock in ("cpu_ms", "wall_ms")
    }


def main() -> None:
    warnings.simplefilter("ignore")
    quick = "--quick" in sys.argv
    results = {"mean_variance_100": mean_variance_case(100, 3 if quick else 11)}
    results["mean_cvar_20x10000"] = mean_cvar_case(20, 10_000, 1 if quick else 3)
    if not quick:
        results["mean_cvar_100x10000"] = mean_cvar_case(100, 10_000, 1)
        results["mean_cvar_20x100000"] = mean_cvar_case(20, 100_000, 3, peers=False)
    for case, wanted in WANTED.items():
        if case in results:
            results[case]["wanted_ratio"] = wanted
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
