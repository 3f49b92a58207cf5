"""The published experiments of adapted sequential diffusion, both presets, with floors and standard errors.

    OMP_NUM_THREADS=1 python examples/experiments/adapted_diffusion_paper/run.py [--minutes 60] [--only default]

Each cell (one fit) is written to runs/ beside this file when it is done; an interrupted study goes on where it stopped.
`summary.py` turns the parts into results.json and the tables of the README. One core: the cells of the default preset
take ten seconds to four minutes each, those of the published model twenty seconds to six minutes.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import wealth_target
from cells import Cell, all_cells
from gaussian_targets import arma, gaussian_process, judge, learned_score_error

import tsgen
from tsgen.complete_files import write_json
from tsgen.generator import GeneratorConfig
from tsgen.random_streams import numpy_stream

PARTS = Path(__file__).resolve().parent / "runs"


def configuration(cell: Cell) -> GeneratorConfig:
    config = GeneratorConfig.preset(cell.preset)
    changes = {k: v for k, v in (("lookback", cell.lookback), ("width", cell.width)) if v is not None}
    return replace(config, head=replace(config.head, **changes))


def gaussian_cell(cell: Cell) -> dict[str, Any]:
    target = gaussian_process(cell.horizon) if cell.target == "gp" else arma(cell.horizon)
    # one long draw per seed: the training sets of different sizes are nested
    everything = target.process.sample(4096, cell.horizon, rng=numpy_stream(cell.seed, f"training {cell.target}"))
    training = everything[: cell.n_training]
    begin = time.perf_counter()
    scenarios = tsgen.ScenarioSet(training, assets=["x"], kind="log")
    generator = tsgen.fit_generator(scenarios, configuration(cell), seed=cell.seed)
    fitted = time.perf_counter()
    paths = generator.sample(target.n_generated, cell.horizon, seed=cell.seed).returns
    sampled = time.perf_counter()
    exact = target.process.sample(target.n_generated, cell.horizon, rng=numpy_stream(cell.seed, "exact sampler"))
    return {
        "generated": judge(paths, target, training),
        "exact_sampler": judge(exact, target, training),
        "training": judge(training, target, training),
        "score": learned_score_error(generator, target, seed=cell.seed),
        "comparisons": generator.record.comparisons,
        "whitening": generator.whitening.facts(),
        "fit_seconds": round(fitted - begin, 1),
        "sample_seconds": round(sampled - fitted, 1),
    }


def wealth_cell(cell: Cell) -> dict[str, Any]:
    training, test = wealth_target.panels()
    begin = time.perf_counter()
    generator = tsgen.fit_generator(training, configuration(cell), seed=cell.seed)
    fitted = time.perf_counter()
    generated = wealth_target.generated_half_years(generator, training, seed=cell.seed)
    sampled = time.perf_counter()
    log_returns = training.values[:, 0]
    later = wealth_target.monthly_bootstrap(
        test.values[:, 0], wealth_target.N_TEST, rng=numpy_stream(cell.seed, "wealth test")
    )
    recorded = wealth_target.half_years(log_returns)
    resampled = wealth_target.monthly_bootstrap(log_returns, len(generated), rng=numpy_stream(cell.seed, "bootstrap"))
    found: dict[str, Any] = {
        "fit_seconds": round(fitted - begin, 1),
        "sample_seconds": round(sampled - fitted, 1),
        "comparisons": generator.record.comparisons,
        "annual_drift": {
            k: float(v.mean() / wealth_target.PERIOD) for k, v in _sources(recorded, generated, resampled)
        },
        "annual_volatility": {
            k: float(v.std() / np.sqrt(wealth_target.PERIOD)) for k, v in _sources(recorded, generated, resampled)
        },
        "spread": wealth_target.spread(recorded, generated),
    }
    for name, paths in _sources(recorded, generated, resampled):
        found[f"policy on {name} paths"] = wealth_target.judge(wealth_target.policy_on_paths(paths), later)
        found[f"moments of {name} paths"] = wealth_target.judge(wealth_target.policy_from_moments(paths), later)
    found["policy on the test paths"] = wealth_target.judge(wealth_target.policy_on_paths(later), later)
    return found


def _sources(recorded: Any, generated: Any, resampled: Any) -> list[tuple[str, Any]]:
    return [("recorded", recorded), ("generated", generated), ("bootstrap", resampled)]


def run(cell: Cell) -> None:
    part = PARTS / f"{cell.name}.json"
    result = wealth_cell(cell) if cell.study == "wealth" else gaussian_cell(cell)
    write_json(part, {"cell": cell._asdict(), **result})


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=600.0, help="start no cell after this time")
    arguments.add_argument("--only", choices=("default", "paper"), help="cells of one preset")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    begin = time.monotonic()
    for cell in all_cells():
        if options.only not in (None, cell.preset) or (PARTS / f"{cell.name}.json").exists():
            continue
        if time.monotonic() - begin > 60.0 * options.minutes:
            print("time is up; the same command goes on with the next cell")
            return
        started = time.monotonic()
        run(cell)
        print(f"{cell.name}: {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
