"""Adapted Wasserstein distance of generated ARMA(2,2) paths to the true law, per sqrt(T).

    OMP_NUM_THREADS=1 python examples/experiments/arma_adapted_distance/run.py [--no-paper]

Writes results.json beside this file and prints the table of the README. One core; about five minutes with the published
model, half a minute without.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

import tsgen
from tsgen.evaluation import fitted_adapted_wasserstein, sampling_floor
from tsgen.generator import GeneratorConfig
from tsgen.marketdata.known_processes import Arma

HORIZON, N_TRAINING, N_GENERATED, SEEDS = 32, 2048, 20_000, (0, 1)
PHI, THETA = (0.6, -0.3), (0.5, 0.2)


def one(start: str, seed: int, preset: str) -> dict[str, float | str | int]:
    unit = Arma(PHI, THETA).covariance(200)[-1, -1] ** 0.5
    process = Arma(PHI, THETA, innovation_sd=1 / unit, start=start)
    mean, covariance = np.zeros((HORIZON, 1)), process.covariance(HORIZON)
    paths = process.sample(N_TRAINING, HORIZON, rng=np.random.default_rng(seed))
    begin = time.perf_counter()
    generator = tsgen.fit_generator(
        tsgen.ScenarioSet(paths, assets=["x"], kind="log"), GeneratorConfig.preset(preset), seed=seed
    )
    training = time.perf_counter() - begin
    begin = time.perf_counter()
    generated = generator.sample(N_GENERATED, HORIZON, seed=seed).returns
    sampling = time.perf_counter() - begin
    floor = sampling_floor(
        mean, covariance, n_assets=1, n_paths=N_GENERATED, repetitions=10, rng=np.random.default_rng(seed)
    )
    root = np.sqrt(HORIZON)
    return {
        "start": start,
        "seed": seed,
        "preset": preset,
        "generator": repr(generator),
        "distance": fitted_adapted_wasserstein(generated, mean, covariance) / root,
        "training_paths_distance": fitted_adapted_wasserstein(paths, mean, covariance) / root,
        "exact_sampler": floor.mean / root,
        "exact_sampler_sd": floor.standard_deviation / root,
        "training_seconds": round(training, 1),
        "paths_per_second": round(N_GENERATED / sampling),
    }


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--no-paper", action="store_true", help="skip the published model")
    presets = ("default",) if arguments.parse_args().no_paper else ("default", "paper")
    torch.set_num_threads(1)
    rows = [one(start, seed, preset) for preset in presets for start in ("zero", "stationary") for seed in SEEDS]
    facts = {"horizon": HORIZON, "n_training": N_TRAINING, "n_generated": N_GENERATED, "phi": PHI, "theta": THETA}
    text = json.dumps({"setting": facts, "torch": torch.__version__, "rows": rows}, indent=2)
    Path(__file__).with_name("results.json").write_text(text + "\n")
    print("| | distance, mean (range) |\n|---|---|")
    for preset in presets:
        values = [r["distance"] for r in rows if r["preset"] == preset]
        print(f"| preset {preset} | {np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f}) |")
    for name in ("training_paths_distance", "exact_sampler"):
        values = [r[name] for r in rows if r["preset"] == "default"]
        print(f"| {name} | {np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f}) |")


if __name__ == "__main__":
    main()
