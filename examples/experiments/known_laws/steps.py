"""How little the number of diffusion steps matters: few against many, deterministic and stochastic."""

import numpy as np
from numpy.typing import NDArray

from tsgen.generator import AdaptedDiffusionGenerator
from tsgen.sampling.sampler_config import SamplerConfig

Array = NDArray[np.float64]
_SCHEMES = {
    "deterministic 8": SamplerConfig(scheme="deterministic", n_steps=8),
    "deterministic 16": SamplerConfig(scheme="deterministic", n_steps=16),
    "deterministic 64": SamplerConfig(scheme="deterministic", n_steps=64),
    "stochastic 16": SamplerConfig(scheme="stochastic", n_steps=16),
}


def _scale(paths: Array) -> tuple[float, float]:
    """Pooled variance and 0.1 % quantile (mean of both tails), averaged over assets."""
    flat = paths.reshape(-1, paths.shape[2])
    flat = flat - flat.mean(axis=0)
    low, high = np.quantile(flat, [0.001, 0.999], axis=0)
    return float((flat**2).mean(axis=0).mean()), float(((high - low) / 2).mean())


def steps_row(
    generator: AdaptedDiffusionGenerator, exact: Array, *, n_paths: int, horizon: int, seed: int
) -> dict[str, float]:
    """Relative error of variance and extreme quantile of each scheme, against exact paths and against 64 steps."""
    found = {
        name: _scale(generator.sample(n_paths, horizon, seed=seed, sampler=config).returns)
        for name, config in _SCHEMES.items()
    }
    truth, many = _scale(exact), found["deterministic 64"]
    row: dict[str, float] = {}
    for name, (variance, quantile) in found.items():
        row[f"{name}: variance against exact"] = variance / truth[0] - 1.0
        row[f"{name}: quantile against exact"] = quantile / truth[1] - 1.0
        row[f"{name}: variance against 64"] = variance / many[0] - 1.0
        row[f"{name}: quantile against 64"] = quantile / many[1] - 1.0
    return row
