"""Paths per second on one thread, beside the bare matrix products that the same network must do.

    OMP_NUM_THREADS=1 python benchmarks/sampling_speed.py

Prints one JSON object. Ratios are taken within one run; absolute numbers depend on the machine.
"""

import json
import time

import numpy as np
import torch

import tsgen
from tsgen.generator import GeneratorConfig
from tsgen.marketdata.known_processes import Arma, StudentTAr
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.training.head_selection import HeadConfig

HORIZON, PATHS, REPEATS = 32, 8_192, 5


def median_seconds(work) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def bare_products(head, config: SamplerConfig) -> float:
    """Seconds of the network's matrix products alone, on the same batch."""
    width, blocks = head.shape.width, head.shape.n_blocks
    n = head.shape.n_assets
    batch = torch.zeros(config.block_size, n)
    first, middle, last = torch.zeros(n, width), torch.zeros(width, width), torch.zeros(width, n)

    def work() -> None:
        for _ in range(HORIZON * config.n_steps * (PATHS // config.block_size)):
            hidden = batch @ first
            for _ in range(blocks):
                hidden = hidden @ middle
            hidden @ last

    return median_seconds(work)


def case(name: str, process, config: GeneratorConfig) -> dict[str, float | str]:
    paths = process.sample(2048, HORIZON, rng=np.random.default_rng(0))
    generator = tsgen.fit_generator(tsgen.ScenarioSet(paths, assets=["x"], kind="log"), config, seed=0)
    seconds = median_seconds(lambda: generator.sample(PATHS, HORIZON, seed=1))
    result: dict[str, float | str] = {"case": name, "head": repr(generator), "paths_per_second": PATHS / seconds}
    if generator.head.shape.learned:
        result["bare_products_share"] = bare_products(generator.head, config.sampler) / seconds
    return result


if __name__ == "__main__":
    torch.set_num_threads(1)
    network = GeneratorConfig(head=HeadConfig(contexts=("window",), anchor_is_floor=False))
    results = [
        case("ARMA(2,2), default (closed form accepted)", Arma((0.6, -0.3), (0.5, 0.2)), GeneratorConfig()),
        case("AR(1) Student-t(4), network forced, 16 steps", StudentTAr((0.5,), dof=4.0), network),
        case("AR(1) Student-t(4), published model", StudentTAr((0.5,), dof=4.0), GeneratorConfig.preset("paper")),
    ]
    print(json.dumps({"torch": torch.__version__, "threads": 1, "horizon": HORIZON, "results": results}, indent=2))
