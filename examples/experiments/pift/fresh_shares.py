"""How much a few paths decide: effective shares of many fresh samples of one policy, mixture with its exact velocity.

    OMP_NUM_THREADS=1 python examples/experiments/pift/fresh_shares.py [--targets NAMES] [--seeds 0 1 2]

A certificate is measured on 4,000 paths. Here every policy makes eight such samples; their least and mean effective
share, that of all 32,000 paths, the gap and the largest weights go to fresh_shares.json. One minute per policy.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from run import CONFIGS, law_of, portfolio, reference_marginals, targets

from tsgen.steering import RiskConstraint, SteeringConfig, SteeringWarning, steer
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.steered_sample import effective_share, log_mean_exp, log_tilt, sample_of

HERE = Path(__file__).parent
SAMPLES, PATHS, REFERENCE_PATHS = 8, 4_000, 200_000


def one(reference, horizon, constraints, seed):
    steered = steer(reference, constraints, horizon=horizon, seed=seed, config=SteeringConfig(**CONFIGS["K=32"]))
    chain, policy = steered.chain, steered.policy
    tape = simulate_paths(chain, policy, SAMPLES * PATHS, n_periods=horizon, seed=78, purpose="fresh shares")
    sample = sample_of(tape, chain.book.functionals, reference, horizon)
    log_weights = sample.log_ratio + log_tilt(sample, policy.statistics, policy.multipliers)
    log_weights -= log_mean_exp(log_weights)
    shares = [effective_share(part) for part in np.split(log_weights, SAMPLES)]
    return {
        "certificate": round(steered.certificate.effective_share, 3),
        "effective_share": round(effective_share(log_weights), 3),
        "least_of_samples": round(min(shares), 3),
        "mean_of_samples": round(float(np.mean(shares)), 3),
        "gap": round(float(-log_weights.mean()), 4),
        "largest_weights": np.exp(np.sort(log_weights)[:-4:-1]).round(1).tolist(),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", nargs="*", default=["barrier", "S -2.5", "S -3"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    warnings.simplefilter("ignore", SteeringWarning)
    reference, horizon = law_of("garch", None)
    cache = HERE / "runs" / f"garch-{reference.digest()[:16]}-32-{REFERENCE_PATHS}.npz"
    values = reference_marginals(reference, horizon, REFERENCE_PATHS, cache, n_steps=32)
    asked = targets(values, portfolio(reference.assets))
    found = {}
    for name in options.targets:
        for seed in options.seeds:
            found[f"{name} | {seed}"] = one(reference, horizon, [RiskConstraint(*c) for c in asked[name][0]], seed)
            print(name, seed, json.dumps(found[f"{name} | {seed}"]), flush=True)
            (HERE / "fresh_shares.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
