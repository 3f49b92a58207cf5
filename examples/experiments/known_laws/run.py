"""Known laws: the generator against processes whose law is known exactly, one row per law and seed.

    OMP_NUM_THREADS=1 python examples/experiments/known_laws/run.py [--laws arma] [--seeds 0 1 2] [--again] [--steps]

Writes results.json beside this file after every row; rows that are there are not measured again without --again.
Training time is CPU time of this process on one thread.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from conditional import conditional_row
from laws import Law, catalogue
from moments import gaussian_row, statistics_row
from steps import steps_row

import tsgen
from tsgen.marketdata.known_processes import ConditionallyKnownProcess, GaussianPathProcess

N_TRAINING, N_GENERATED, N_FORECASTS = 2048, 20_000, 10_000
N_STEP_PATHS = 10_000
RESULTS = Path(__file__).with_name("results.json")


def one(name: str, law: Law, seed: int, *, with_steps: bool) -> dict[str, Any]:
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    training = law.process.sample(N_TRAINING, law.horizon, rng=rng)
    assets = [f"x{i}" for i in range(training.shape[2])]
    begin = time.process_time()
    generator = tsgen.fit_generator(tsgen.ScenarioSet(training, assets=assets, kind="log"), seed=seed)
    seconds = time.process_time() - begin
    begin = time.process_time()
    generated = generator.sample(N_GENERATED, law.horizon, seed=seed).returns
    row: dict[str, Any] = {
        "law": name,
        "seed": seed,
        "generator": repr(generator),
        "whitening": generator.whitening.facts(),
        "comparisons": generator.record.comparisons,
        "training_cpu_seconds": round(seconds, 1),
        "sampling_cpu_seconds": round(time.process_time() - begin, 1),
    }
    if law.row in ("adapted", "covariance"):
        row |= gaussian_row(cast("GaussianPathProcess", law.process), generated, training, rng=rng)
    else:
        exact = law.process.sample(N_GENERATED, law.horizon, rng=rng)
        row |= statistics_row(generated, exact, n_training=N_TRAINING, lags=law.lags)
    if law.row == "conditional":
        process = cast("ConditionallyKnownProcess", law.process)
        row |= conditional_row(generator, process, law.horizon, count=N_FORECASTS, rng=rng)
    if with_steps:
        exact = law.process.sample(10 * N_STEP_PATHS, law.horizon, rng=rng)
        row |= {"steps": steps_row(generator, exact, n_paths=N_STEP_PATHS, horizon=law.horizon, seed=seed)}
    return row


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--laws", nargs="*", default=list(catalogue()))
    arguments.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    arguments.add_argument("--again", action="store_true", help="measure again what is there")
    arguments.add_argument("--steps", action="store_true", help="measure numbers of steps too, first seed only")
    arguments.add_argument("--results", type=Path, default=RESULTS)
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = json.loads(chosen.results.read_text()) if chosen.results.exists() else {}
    for name in chosen.laws:
        for seed in chosen.seeds:
            key = f"{name}/{seed}"
            with_steps = chosen.steps and seed == chosen.seeds[0] and catalogue()[name].row != "volatility"
            if key in found and not chosen.again and ("steps" in found[key] or not with_steps):
                continue
            found[key] = one(name, catalogue()[name], seed, with_steps=with_steps)
            chosen.results.write_text(json.dumps(found, indent=1, sort_keys=True, default=float) + "\n")
            shown = {k: v for k, v in found[key].items() if isinstance(v, (int, float, str))}
            print(json.dumps(shown, indent=1), flush=True)


if __name__ == "__main__":
    main()
