"""Steering, measured: the GARCH-mixture test bed with an exact velocity, and 20 US stocks with a trained generator.

    OMP_NUM_THREADS=1 python examples/experiments/pift/run.py [--law garch|stocks] [--targets NAMES] [--seeds 0 1 2]
        [--configs NAMES] [--generator FOLDER] [--paths N] [--output FILE]

Every target is measured against a large sample of the reference chain: its units, the dual on it, the log Z of the
steered law's own tilt, and the marginals of the re-weighted sample. Results are added to results.json one by one; a row
is kept if reference and steering code are the same. One core; about half a minute per row.
"""

import argparse
import hashlib
import json
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).absolute().parents[3]
sys.path.insert(0, str(ROOT))

import tsgen
from tests.support.garch_mixture import garch_mixture
from tests.support.weighted_ks import weighted_ks
from tsgen.steering import (
    BarrierHit,
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    RealisedVolatility,
    RiskConstraint,
    SteeringConfig,
    SteeringWarning,
    TerminalLoss,
    TerminalReturn,
    steer,
)
from tsgen.steering.controlled_chain import ControlledChain, simulate_block
from tsgen.steering.multiplier_search import find_multipliers
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.statistic_binding import bind_constraints
from tsgen.steering.steered_sample import SteeredSample, effective_share, log_tilt, normalised, sample_of
from tsgen.steering.steering_reference import reference_of

HERE = Path(__file__).parent
CONFIGS = {
    "default": {},
    "K=20": {"n_steps": 20, "n_iterations": 8},
    "K=32": {"n_steps": 32},
    "covariance": {"covariance_correction": True},
    "candidates": {"n_candidates": 4},
    "unbounded": {"bound_deviations": None},
    "mean_square": {"evaluation": "mean_square"},
}
N_CANDIDATES, CANDIDATE_TARGETS = 4, ("S -2", "DD +2.5", "RV +2.5")


def portfolio(assets):
    return dict.fromkeys(assets, 1.0 / len(assets))


def marginals(scenarios):
    """Seven numbers per path whose laws are compared."""
    weights = portfolio(scenarios.assets)
    short = tsgen.ScenarioSet(scenarios.returns[:, :5], assets=scenarios.assets, kind=scenarios.kind)
    growth = scenarios.growth().mean(axis=2)
    steps = np.diff(np.log(growth), axis=1, prepend=0.0)
    return {
        "terminal return": TerminalReturn(weights)(scenarios),
        "volatility": RealisedVolatility(weights)(scenarios),
        "drawdown": MaxDrawdown(weights)(scenarios),
        "lowest wealth": growth.min(axis=1),
        "first week": TerminalReturn(weights)(short),
        "worst day": steps.min(axis=1),
        "first asset": TerminalReturn(scenarios.assets[0])(scenarios),
    }


def reference_marginals(reference, horizon, n_paths, cache, *, n_steps=16, block_size=5000):
    if cache.exists():
        return dict(np.load(cache))
    book = PortfolioBook.of([TerminalReturn(portfolio(reference.assets))], reference.assets)
    chain = ControlledChain(reference=reference, book=book, horizon=horizon, n_steps=n_steps, block_size=block_size)
    parts = []
    for block in range(n_paths // block_size):
        tape = simulate_block(chain, None, n_periods=horizon, seed=1234, purpose="experiment", block=block)
        parts.append(
            marginals(tsgen.ScenarioSet.from_tensor(tape.returns, assets=reference.assets, kind=reference.kind))
        )
    found = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, **found)
    return found


def targets(values, weights):
    """Constraints by name, with the large sample's values of their functionals."""
    s, v, d, low = (values[k] for k in ("terminal return", "volatility", "drawdown", "lowest wealth"))

    def at(x, k):
        return float(x.mean() + k * x.std())

    terminal, volatility, drawdown = TerminalReturn(weights), RealisedVolatility(weights), MaxDrawdown(weights)
    loss = -float(np.quantile(s, 0.01))
    barrier = float(np.quantile(low, 0.02)) - 1.0
    tail = np.sort(-s)[-len(s) // 20 :].mean()
    return {
        "S -2": ([(terminal, "==", at(s, -2.0))], [s]),
        "S -2.5": ([(terminal, "==", at(s, -2.5))], [s]),
        "S -3": ([(terminal, "==", at(s, -3.0))], [s]),
        "DD +2.5": ([(drawdown, "==", at(d, 2.5))], [d]),
        "event": ([(EventProbability(TerminalLoss(of=weights, loss=loss)), "==", 0.5)], [(s <= -loss).astype(float)]),
        "barrier": (
            [(EventProbability(BarrierHit(of=weights, barrier=barrier)), "==", 0.5)],
            [(low <= 1.0 + barrier).astype(float)],
        ),
        "two": ([(terminal, "==", at(s, -1.0)), (volatility, "==", at(v, 1.5))], [s, v]),
        "RV +2.5": ([(volatility, "==", at(v, 2.5))], [v]),
        "ES x1.4": ([(ExpectedShortfall(weights, 0.95), ">=", 1.4 * float(tail))], [-s]),
    }


def share_with_candidates(steered, n_paths=4000):
    """Effective share of fresh paths under the same policy, each period picked from several candidates."""
    chain = replace(steered.chain, n_candidates=N_CANDIDATES)
    tape = simulate_paths(chain, steered.policy, n_paths, n_periods=chain.horizon, seed=11, purpose="candidates")
    sample = sample_of(tape, chain.book.functionals, chain.reference, chain.horizon)
    tilt = log_tilt(sample, steered.policy.statistics, steered.policy.multipliers)
    return effective_share(sample.log_ratio + tilt)


def code_digest():
    """Of the steering code: numbers of other code are not kept."""
    hashed = hashlib.sha256()
    for path in sorted((ROOT / "tsgen" / "steering").rglob("*.py")):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]


def one(reference, horizon, name, asked, values, config, seed):
    constraints = [RiskConstraint(*c) for c in asked[0]]
    begin, wall = time.process_time(), time.perf_counter()
    steered = steer(reference, constraints, horizon=horizon, seed=seed, config=SteeringConfig(**CONFIGS[config]))
    seconds, wall = time.process_time() - begin, time.perf_counter() - wall
    certificate = steered.certificate
    statistics = bind_constraints(constraints, asked[1], bound=SteeringConfig(**CONFIGS[config]).bound_deviations)
    large = SteeredSample(tuple(asked[1]), np.zeros(len(asked[1][0])))
    dual = find_multipliers(large, statistics, [0.0] * len(statistics))
    tilt = log_tilt(large, dual.statistics, dual.multipliers)
    exact = normalised(tilt)
    own_tilt = log_tilt(large, steered.policy.statistics, steered.policy.multipliers)
    picked = len(reference.assets) == 1 and config == "K=32" and name in CANDIDATE_TARGETS
    drawn = steered.sample(8000 if len(reference.assets) == 1 else 6000, seed=99)
    own, equal = marginals(drawn), np.full(drawn.n_scenarios, 1.0 / drawn.n_scenarios)
    shown = [c.__dict__ for c in certificate.constraints]
    return {
        "target": name,
        "config": config,
        "seed": seed,
        "verdict": certificate.verdict,
        "unweighted_bias": [c["unweighted_bias"] for c in shown],
        "weighted_bias": [c["weighted_bias"] for c in shown],
        "weighted_error": [c["weighted_error"] / c["unit"] for c in shown],
        "levels": [c["level"] for c in shown],
        "unweighted": [c["unweighted"] for c in shown],
        "weighted": [c["weighted"] for c in shown],
        "multipliers": [c["multiplier_standardised"] for c in shown],
        "multipliers_of_dual": list(dual.multipliers),
        "effective_share": certificate.effective_share,
        "effective_share_of_reweighting": effective_share(tilt),
        "path_divergence": certificate.path_divergence,
        "least_divergence": certificate.least_divergence,
        "gap": certificate.gap,
        "gap_error": certificate.gap_error,
        "log_partition": certificate.log_partition,
        "log_partition_error": certificate.log_partition_error,
        "log_partition_steered": certificate.log_partition_steered,
        "log_partition_of_large_sample": float(np.log(np.mean(np.exp(own_tilt)))),
        "log_partition_of_large_sample_error": float(np.exp(own_tilt - own_tilt.max()).std())
        / float(np.exp(own_tilt - own_tilt.max()).mean())
        / len(own_tilt) ** 0.5,
        "effective_share_with_4_candidates": share_with_candidates(steered) if picked else None,
        "reasons": list(certificate.reasons),
        "pareto_shape": certificate.pareto_shape,
        "largest_weight": certificate.largest_weight,
        "halves_effective_ratio": certificate.halves_effective_ratio,
        "gain": certificate.gain,
        "largest_shift": certificate.largest_shift,
        "ks_weighted": max(weighted_ks(own[k], drawn.weights, values[k], exact) for k in own),
        "ks_unweighted": max(weighted_ks(own[k], equal, values[k], exact) for k in own),
        "iterations": [(round(i["biases"][0], 3), round(i["effective_share"], 3)) for i in certificate.iterations],
        "cpu_seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
    }


def law_of(name, folder):
    if name == "garch":
        return garch_mixture(), 20
    if folder is None:
        panel, _ = tsgen.load_returns("us_stocks").split("2013-12-31")
        return reference_of(tsgen.fit_generator(panel, seed=0)), 21
    return reference_of(tsgen.load_generator(folder)), 21


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--law", choices=["garch", "stocks"], default="garch")
    parser.add_argument("--targets", nargs="*", default=None)
    parser.add_argument("--configs", nargs="*", default=["default"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--generator", default=None)
    parser.add_argument("--paths", type=int, default=200_000)
    parser.add_argument("--cache", default=None)
    parser.add_argument("--output", default=str(HERE / "results.json"))
    options = parser.parse_args()
    warnings.simplefilter("ignore", SteeringWarning)  # verdicts are in the rows
    reference, horizon = law_of(options.law, options.generator)
    digest, code = reference.digest()[:16], code_digest()
    output = Path(options.output)
    for config in options.configs:
        n_steps = SteeringConfig(**CONFIGS[config]).n_steps
        cache = Path(options.cache or HERE / "runs") / f"{options.law}-{digest}-{n_steps}-{options.paths}.npz"
        values = reference_marginals(reference, horizon, options.paths, cache, n_steps=n_steps)
        asked = targets(values, portfolio(reference.assets))
        for seed in options.seeds:
            for name in options.targets or list(asked):
                results = json.loads(output.read_text()) if output.exists() else {}
                key = f"{options.law} | {name} | {config} | {seed}"
                if (results.get(key, {}).get("digest"), results.get(key, {}).get("code")) == (digest, code):
                    continue
                found = one(reference, horizon, name, asked[name], values, config, seed)
                results = json.loads(output.read_text()) if output.exists() else {}
                results[key] = {
                    "law": options.law,
                    "digest": digest,
                    "code": code,
                    "reference_paths": options.paths,
                    **found,
                }
                output.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
                print(key, json.dumps({k: v for k, v in found.items() if k not in ("target", "config", "seed")}))


if __name__ == "__main__":
    main()
