"""Paths per second on one thread, beside the bare matrix products that the same network must do.

    OMP_NUM_THREADS=1 python benchmarks/sampling_speed.py

Prints one JSON object. Ratios are taken within one run; absolute numbers depend on the machine. Rates per CPU second
stand beside those per wall second: on a busy machine only the former say something about the program.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

import tsgen
from tsgen.generator import AdaptedDiffusionGenerator, GeneratorConfig
from tsgen.marketdata.known_processes import Arma, StudentTAr
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.training.head_selection import HeadConfig
from tsgen.training.training_config import TrainingConfig

HORIZON, PATHS, REPEATS = 32, 2_048, 7
PANEL_HORIZON, PANEL_PATHS = 250, 512


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Smallest wall and CPU seconds: what else runs on the machine can only add."""
    wall, cpu = [], []
    for _ in range(REPEATS):
        start, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return min(wall), min(cpu)


def bare_products(head, config: SamplerConfig, paths: int, horizon: int) -> Callable[[], None]:
    """The network's matrix products alone, on the same batch: no anchor, activations, biases, noise or whitening.

    Per period the encoder's two (its last layer and the one that follows are one product), per noise level the body's.
    """
    width, n, layers = head.shape.width, head.shape.n_assets, head.encoder.layers
    batch = torch.zeros(config.block_size, n)
    past = torch.zeros(config.block_size, layers[0].in_features if layers is not None else 0)
    entrance = torch.zeros(past.shape[1], width)
    first, middle, last = torch.zeros(n, width), torch.zeros(width, width), torch.zeros(width, n)

    def work() -> None:
        for _ in range(horizon * (paths // config.block_size)):
            if layers is not None:
                past @ entrance @ middle
            for _ in range(config.n_steps):
                hidden = batch @ first
                for _ in range(head.shape.n_blocks):
                    hidden = hidden @ middle
                hidden @ last

    return work


def rates(generator: AdaptedDiffusionGenerator, config: SamplerConfig, paths: int, horizon: int) -> dict[str, float]:
    wall, cpu = seconds(lambda: generator.sample(paths, horizon, seed=1, sampler=config))
    result = {"paths_per_second": round(paths / wall), "paths_per_cpu_second": round(paths / cpu)}
    if generator.head.shape.learned:
        bare = seconds(bare_products(generator.head, config, paths, horizon))[1]
        result |= {"bare_products_paths_per_cpu_second": round(paths / bare), "bare_share": round(bare / cpu, 3)}
    return result


def one_asset(name: str, process, config: GeneratorConfig, steps: tuple[int, ...]) -> list[dict]:
    paths = process.sample(2048, HORIZON, rng=np.random.default_rng(0))
    generator = tsgen.fit_generator(tsgen.ScenarioSet(paths, assets=["x"], kind="log"), config, seed=0)
    samplers = [replace(config.sampler, n_steps=k) for k in steps]
    return [
        {"case": name, "head": repr(generator), "steps": s.n_steps, **rates(generator, s, PATHS, HORIZON)}
        for s in samplers
    ]


def stocks(name: str, config: GeneratorConfig, steps: tuple[int, ...]) -> list[dict]:
    generator = tsgen.fit_generator(tsgen.load_returns("us_stocks"), config, seed=0)
    samplers = [replace(config.sampler, n_steps=k) for k in steps]
    return [
        {"case": name, "head": repr(generator), "steps": s.n_steps, **rates(generator, s, PANEL_PATHS, PANEL_HORIZON)}
        for s in samplers
    ]


def linearity(config: GeneratorConfig) -> dict[str, float]:
    """CPU seconds of four times the horizon, and of four times the paths, over four times the CPU seconds of one."""
    paths = StudentTAr((0.5,), dof=4.0).sample(2048, HORIZON, rng=np.random.default_rng(0))
    generator = tsgen.fit_generator(tsgen.ScenarioSet(paths, assets=["x"], kind="log"), config, seed=0)
    base = seconds(lambda: generator.sample(1024, 32, seed=1))[1]
    return {
        "four_times_the_horizon": round(seconds(lambda: generator.sample(1024, 128, seed=1))[1] / (4 * base), 3),
        "four_times_the_paths": round(seconds(lambda: generator.sample(4096, 32, seed=1))[1] / (4 * base), 3),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    forced = HeadConfig(contexts=("window",), anchor_is_floor=False)
    network = GeneratorConfig(head=forced)
    short = GeneratorConfig(head=forced, training=TrainingConfig(max_steps=100))  # how fast, not how good
    student = StudentTAr((0.5,), dof=4.0)
    results = [
        *one_asset("ARMA(2,2), default", Arma((0.6, -0.3), (0.5, 0.2)), GeneratorConfig(), (8, 16)),
        *one_asset("AR(1) Student-t(4), network forced", student, network, (8, 16)),
        *one_asset("AR(1) Student-t(4), published model", student, GeneratorConfig.preset("paper"), (32,)),
        *stocks("20 stocks, 250 days, closed form", GeneratorConfig.preset("fast"), (8, 16)),
        *stocks("20 stocks, 250 days, network forced", short, (8, 16)),
    ]
    content = {"torch": torch.__version__, "threads": 1, "results": results, "cost_per_unit": linearity(network)}
    print(json.dumps(content, indent=2))
