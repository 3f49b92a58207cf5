"""The three studies of early stopping; parts are kept in runs/, so an interrupted study goes on where it stopped.

    OMP_NUM_THREADS=1 python examples/experiments/early_stopping/run.py [--minutes 60] [--study width score series]

Writes results.json beside this file and the tables of the README from all finished parts. One core: width two minutes,
score about an hour and a quarter (networks three quarters of it), series about ten minutes.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import score_error
import seven_series
import tables
import torch
import width_rate

from tsgen.complete_files import write_json

HERE = Path(__file__).resolve().parent
PARTS = HERE / "runs"
SEEDS = (0, 1, 2, 3, 4)
TRAINED = ("Gaussian, 3 assets, correlated", "two modes, 1 asset", "scale mixture, 1 asset")

Job = tuple[str, Callable[[], dict[str, Any]]]


def width_jobs() -> list[Job]:
    return [(f"width_{seed}", lambda s=seed: width_rate.one(s)) for seed in SEEDS]


def score_jobs() -> list[Job]:
    laws = list(enumerate(score_error.LAWS))
    kernel = [
        (f"score_kernel_{i}_{n}_{seed}", lambda a=name, b=n, c=seed: score_error.kernel_part(a, b, c))
        for n in (256, 1024, 4096) for seed in SEEDS for i, name in laws
    ]  # fmt: skip
    fresh = [
        (f"score_fresh_{i}_{n}_{seed}", lambda a=name, b=n, c=seed: score_error.fresh_noise_part(a, b, c))
        for n in (256, 1024, 4096) for seed in SEEDS for i, name in laws
    ]  # fmt: skip
    networks = [
        (f"score_{label}_{i}_{n}_{seed}", lambda f=part, a=name, b=n, c=seed: f(a, b, c))
        for label, part in (("fixed", score_error.fixed_network_part), ("network", score_error.network_part))
        for seed in SEEDS for n in (256, 1024, 4096) for i, name in laws if name in TRAINED
    ]  # fmt: skip
    return kernel + fresh + networks


def series_jobs() -> list[Job]:
    forced = [
        (f"series_{context}_{seed}", lambda a=context, b=seed: seven_series.forced_part(a, b))
        for seed in SEEDS for context in ("none", "features", "window")
    ]  # fmt: skip
    return forced + [(f"series_generator_{seed}", lambda b=seed: seven_series.generator_part(b)) for seed in SEEDS]


def order_of(name: str) -> tuple[int, int]:
    """The studies that decide first, the largest samples last; then seed by seed."""
    ranks = {"width": 0, "score_kernel": 0, "series": 1, "score_fresh": 2, "score_fixed": 2, "score_network": 3}
    rank = next(rank for start, rank in ranks.items() if name.startswith(start))
    return (max(rank, int("_4096_" in name)), int(name.rsplit("_", 1)[1]))


JOBS = {"width": width_jobs, "score": score_jobs, "series": series_jobs}


def collect() -> None:
    """Write results.json from the parts that exist."""
    found = {kind: [json.loads(p.read_text()) for p in sorted(PARTS.glob(f"{kind}_*.json"))] for kind in JOBS}
    results: dict[str, Any] = {"torch": torch.__version__}
    for kind, module in (("width", width_rate), ("score", score_error), ("series", seven_series)):
        if len(found[kind]) > 1:
            results[kind] = module.summary(found[kind])
    write_json(HERE / "results.json", results)
    tables.write(HERE / "README.md", results)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=600.0, help="start no part after this time")
    arguments.add_argument("--study", nargs="+", choices=tuple(JOBS), default=tuple(JOBS))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    begin = time.monotonic()
    jobs = sorted((entry for kind in options.study for entry in JOBS[kind]()), key=lambda entry: order_of(entry[0]))
    for name, job in jobs:
        part = PARTS / f"{name}.json"
        if part.exists() or time.monotonic() - begin > 60.0 * options.minutes:
            continue
        started = time.monotonic()
        write_json(part, job())
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    collect()


if __name__ == "__main__":
    main()
