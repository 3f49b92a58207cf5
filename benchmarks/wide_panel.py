"""500 assets: fit on 2,500 days, sample 21 days, and the covariance of what comes out.

    OMP_NUM_THREADS=1 python benchmarks/wide_panel.py [preset]

The panel is simulated from a known factor model (five factors, Gaussian or Student-t(5) shocks), so the covariance
error has a truth. References on the same panel: principal components that are told the number of factors, with the rest
on the diagonal; Ledoit-Wolf; the sample covariance. The last case doubles the number of assets: work per path must
double, not quadruple. Prints one JSON object; rates are per CPU second of one thread.
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
import torch
from sklearn.covariance import ledoit_wolf

import tsgen
from tsgen.generator import GeneratorConfig
from tsgen.marketdata import ReturnPanel

DAYS, FACTORS, HORIZON, PATHS = 2500, 5, 21, 4096


def panel(n_assets: int, dof: float, seed: int) -> tuple[ReturnPanel, np.ndarray]:
    rng = np.random.default_rng(seed)
    loadings = 0.004 * rng.standard_normal((n_assets, FACTORS)) / (1 + 0.3 * np.arange(FACTORS))
    loadings[:, 0] = 0.008 + 0.003 * rng.standard_normal(n_assets)
    deviation = rng.uniform(0.01, 0.025, n_assets)

    def shocks(n: int) -> np.ndarray:
        x = rng.standard_normal((DAYS, n))
        return x if np.isinf(dof) else x * np.sqrt((dof - 2) / rng.chisquare(dof, (DAYS, n)))

    returns = shocks(FACTORS) @ loadings.T + shocks(n_assets) * deviation
    dates = pd.bdate_range("2010-01-01", periods=DAYS)
    frame = pd.DataFrame(returns, index=dates, columns=[f"A{i}" for i in range(n_assets)])
    return ReturnPanel(frame, kind="log"), loadings @ loadings.T + np.diag(deviation**2)


def principal_components(sample: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(sample)
    common = (vectors[:, -FACTORS:] * values[-FACTORS:]) @ vectors[:, -FACTORS:].T
    return common + np.diag(np.diag(sample - common))


def case(n_assets: int, dof: float, preset: str, seed: int) -> dict:
    data, truth = panel(n_assets, dof, seed)

    def error(covariance: np.ndarray) -> float:
        return float(np.linalg.norm(covariance - truth) / np.linalg.norm(truth))

    wall, cpu = time.perf_counter(), time.process_time()
    generator = tsgen.fit_generator(data, GeneratorConfig.preset(preset), seed=0)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    start = time.process_time()
    scenarios = generator.sample(PATHS, HORIZON, seed=1)
    seconds = time.process_time() - start
    generated = np.cov(scenarios.returns.reshape(-1, n_assets).T)
    sample = np.cov(data.values.T)
    known = error(principal_components(sample))
    return {
        "assets": n_assets,
        "dof": dof,
        "head": repr(generator),
        "factors_found": generator.whitening.facts()["n_factors"],
        "fit_seconds": round(wall, 1),
        "fit_cpu_seconds": round(cpu, 1),
        "largest_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "paths_per_cpu_second": round(PATHS / seconds, 1),
        "error_generated": round(error(generated), 4),
        "error_factors_known": round(known, 4),
        "error_ledoit_wolf": round(error(ledoit_wolf(data.values)[0]), 4),
        "error_sample": round(error(sample), 4),
        "generated_over_factors_known": round(error(generated) / known, 3),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    preset = sys.argv[1] if len(sys.argv) > 1 else "fast"
    results = [case(500, np.inf, preset, 0), case(500, 5.0, preset, 1), case(1000, 5.0, preset, 2)]
    print(json.dumps({"torch": torch.__version__, "days": DAYS, "horizon": HORIZON, "results": results}, indent=2))
