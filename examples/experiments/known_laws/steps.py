"""How little the number of diffusion steps matters: few against many, deterministic and stochastic, on shared noise."""

import numpy as np
from coupled_chains import coupled_paths
from numpy.typing import NDArray

from tsgen.generator import AdaptedDiffusionGenerator
from tsgen.sampling.sampler_config import SamplerConfig

Array = NDArray[np.float64]
_MANY, _FEW = 64, (4, 8, 16)
_STOCHASTIC_STEPS, _REFINEMENT = 16, 6
_BATCHES = 20


def _scale(paths: Array) -> Array:
    """Pooled variance and 0.1 % quantile (mean of both tails), averaged over assets."""
    flat = paths.reshape(-1, paths.shape[2])
    flat = flat - flat.mean(axis=0)
    low, high = np.quantile(flat, [0.001, 0.999], axis=0)
    return np.array([(flat**2).mean(), ((high - low) / 2).mean()])


def _against(paths: Array, reference: Array) -> Array:
    """Relative difference of variance and quantile between paired paths, and its standard error; (2, 2)."""
    value = _scale(paths) / _scale(reference) - 1.0
    index = np.array_split(np.arange(len(paths)), _BATCHES)
    # leave out one batch of paths at a time
    rest = [np.delete(np.arange(len(paths)), part) for part in index]
    jack = np.array([_scale(paths[r]) / _scale(reference[r]) - 1.0 for r in rest])
    error = np.sqrt((_BATCHES - 1) / _BATCHES * ((jack - jack.mean(axis=0)) ** 2).sum(axis=0))
    return np.array([value, error])


def _entry(found: Array) -> dict[str, float]:
    return {
        "variance": found[0, 0],
        "variance_error": found[1, 0],
        "quantile": found[0, 1],
        "quantile_error": found[1, 1],
    }


def steps_row(
    generator: AdaptedDiffusionGenerator, exact: Array, *, n_paths: int, horizon: int, seed: int
) -> dict[str, dict[str, float]]:
    """Relative error of variance and extreme quantile of each scheme, with standard errors.

    Deterministic: against 64 steps from the same noise. Stochastic: against a chain of about seven times as many steps
    on the same Brownian path. Last, 64 steps against exact paths: what fitting and sampling leave, at any number.
    """

    def flow(n_steps: int) -> Array:
        config = SamplerConfig(scheme="deterministic", n_steps=n_steps)
        return generator.sample(n_paths, horizon, seed=seed, sampler=config).returns

    many = flow(_MANY)
    row = {f"deterministic {k} against {_MANY}": _entry(_against(flow(k), many)) for k in _FEW}
    pair = coupled_paths(generator, n_paths, horizon, n_steps=_STOCHASTIC_STEPS, refinement=_REFINEMENT, seed=seed + 1)
    row[f"stochastic {_STOCHASTIC_STEPS} against many"] = _entry(_against(pair.coarse, pair.fine))
    row[f"deterministic {_MANY} against exact"] = _entry(_unpaired(many, exact))
    return row


def _unpaired(paths: Array, exact: Array) -> Array:
    """Relative difference from independent paths, and its standard error."""
    value, errors = _scale(paths) / _scale(exact) - 1.0, []
    for sample in (paths, exact):
        batches = np.array([_scale(part) for part in np.array_split(sample, _BATCHES)])
        errors.append(batches.std(axis=0, ddof=1) / np.sqrt(_BATCHES) / _scale(sample))
    return np.array([value, np.hypot(*errors)])
