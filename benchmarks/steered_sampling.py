"""What a steered path costs beside an unsteered one: 20 US stocks, 21 days, one thread.

    OMP_NUM_THREADS=1 python benchmarks/steered_sampling.py [--generator FOLDER]

Prints one JSON object. For every constraint 2,000 paths are timed in three ways, in turn: steered; unsteered on the
same noise (the same scheme, levels and blocks); unsteered as `generator.sample` does by itself. Ratios are of
medians over the repetitions, of CPU seconds: on a busy machine only those say something about the program.
"""

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

import tsgen
from tsgen.steering import (
    EventProbability,
    MaxDrawdown,
    RealisedVolatility,
    RiskConstraint,
    SteeringConfig,
    SteeringWarning,
    TerminalLoss,
    TerminalReturn,
    steer,
)

HORIZON, PATHS, REPEATS = 21, 2_000, 7
# the cost of a path does not depend on how well its control was trained
QUICK = SteeringConfig(n_iterations=1, n_paths=1_000, n_fit_steps=20, n_certificate_paths=200, gain_band=None)


def seconds(work: Callable[..., object], *arguments: Any, **more: Any) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work(*arguments, **more)
    return time.process_time() - start


def tasks(assets: tuple[str, ...]) -> dict[str, list[RiskConstraint]]:
    """One constraint of each kind, and two at once."""
    equal = dict.fromkeys(assets, 1.0 / len(assets))
    terminal, volatility = TerminalReturn(equal), RealisedVolatility(equal)
    return {
        "terminal return": [RiskConstraint(terminal, "==", -0.06)],
        "maximum drawdown": [RiskConstraint(MaxDrawdown(equal), "==", 0.055)],
        "event": [RiskConstraint(EventProbability(TerminalLoss(of=equal, loss=0.05)), "==", 0.4)],
        "two constraints": [RiskConstraint(terminal, "==", -0.03), RiskConstraint(volatility, ">=", 0.009)],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--generator", default=None)
    options = parser.parse_args()
    warnings.simplefilter("ignore", SteeringWarning)
    torch.set_num_threads(1)
    if options.generator is None:
        panel, _ = tsgen.load_returns("us_stocks").split("2013-12-31")
        generator = tsgen.fit_generator(panel, seed=0)
    else:
        generator = tsgen.load_generator(options.generator)
    report = {}
    for name, constraints in tasks(generator.assets).items():
        steered = steer(generator, constraints, horizon=HORIZON, config=QUICK)
        timed = {"steered": [], "same noise": [], "default": []}
        for seed in range(REPEATS):
            timed["steered"].append(seconds(steered.sample, PATHS, seed=seed))
            same = seconds(generator.sample, PATHS, HORIZON, seed=seed, sampler=steered.sampler)
            timed["same noise"].append(same)
            timed["default"].append(seconds(generator.sample, PATHS, HORIZON, seed=seed))
        steered_ms, same_ms, default_ms = (1e3 * median(times) / PATHS for times in timed.values())
        report[name] = {
            "steered_ms_per_path": round(steered_ms, 3),
            "ratio_to_same_noise": round(steered_ms / same_ms, 2),
            "ratio_to_default_sampler": round(steered_ms / default_ms, 2),
        }
    facts = {"horizon": HORIZON, "paths": PATHS, "repeats": REPEATS, "machine": platform.machine()}
    print(json.dumps({**facts, "torch": torch.__version__, "constraints": report}, indent=2))


if __name__ == "__main__":
    main()
