"""The deterministic scheme with exact velocities, with and without its corrector: no training, no Monte Carlo error.

    OMP_NUM_THREADS=1 python examples/experiments/known_laws/schemes.py

In one dimension the probability flow is the quantile map. For every law and number of steps: relative error of the
variance and of the 0.1 % quantile (the worse tail), and Wasserstein distance, in percent (of the standard deviation).
Writes schemes.json beside this file.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import invgamma, norm
from torch import Tensor

from tsgen.diffusion.angle_grid import deterministic_angles
from tsgen.diffusion.deterministic_scheme import DeterministicPlan, Velocity, deterministic_pass, deterministic_plan
from tsgen.diffusion.mixture_velocity import GaussianMixture, mixture_level, mixture_velocity_at

Array = NDArray[np.float64]
Pass = Callable[[Velocity, Tensor, DeterministicPlan], Tensor]
_TAIL = np.geomspace(1e-7, 1e-3, 60)
_HALF = np.concatenate([_TAIL[:-1], np.geomspace(1e-3, 0.5, 160)])
LEVELS = np.concatenate([_HALF, 1.0 - _HALF[:-1][::-1]])
STEPS = (4, 6, 8, 12, 16, 32)


class Mixture(NamedTuple):
    """One-dimensional Gaussian mixture of mean zero and variance one."""

    weights: Array
    means: Array
    variances: Array


def standardised(weights: Array, means: Array, variances: Array) -> Mixture:
    centred = means - weights @ means
    scale = weights @ (variances + centred**2)
    return Mixture(weights, centred / np.sqrt(scale), variances / scale)


def student(dof: float, nodes: int = 80) -> Mixture:
    """Scale mixture, cut where the variance exceeds its 1 - 1e-6 quantile."""
    low, high = np.log(invgamma(dof / 2, scale=dof / 2).ppf([1e-6, 1 - 1e-6]))
    size = np.linspace(low, high, nodes)
    weights = np.exp(-0.5 * dof * (size + np.exp(-size)))
    return standardised(weights / weights.sum(), np.zeros(nodes), np.exp(size))


LAWS = {
    "Student-t(3)": student(3),
    "Student-t(4)": student(4),
    "Student-t(6)": student(6),
    "skewed": standardised(np.array([0.7, 0.2, 0.1]), np.array([0.25, -0.2, -1.35]), np.array([0.4, 0.8, 2.5])),
    "two modes": standardised(np.array([0.5, 0.5]), np.array([-1.0, 1.0]), np.array([0.1225, 0.1225])),
}


def exact_quantiles(law: Mixture) -> Array:
    low, high = np.full(len(LEVELS), -3000.0), np.full(len(LEVELS), 3000.0)
    for _ in range(90):
        middle = 0.5 * (low + high)
        below = norm.cdf((middle[:, None] - law.means) / np.sqrt(law.variances)) @ law.weights < LEVELS
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def predicted_only(velocity: Velocity, start: Tensor, plan: DeterministicPlan) -> Tensor:
    """Adams-Bashforth alone: the step that led to a level stays as it was predicted."""
    u, recent = start, []
    for k, weights in enumerate(plan.predictor.tolist()):
        recent = [velocity(u, k), *recent[: len(weights) - 1]]
        u = u + sum(w * past for w, past in zip(weights, recent, strict=False))
    return u


def errors(law: Mixture, exact: Array, n_steps: int, run: Pass) -> list[float]:
    plan = deterministic_plan(deterministic_angles(n_steps))
    mixture = GaussianMixture(
        torch.from_numpy(np.log(law.weights)),
        torch.from_numpy(law.means[:, None]),
        torch.from_numpy(law.variances[:, None, None]),
    )
    levels = [mixture_level(mixture, float(tau)) for tau in plan.angles]
    start = torch.from_numpy(norm.ppf(LEVELS))[:, None]
    found = run(lambda u, k: mixture_velocity_at(u, levels[k]), start, plan)[:, 0].numpy()
    mass = np.gradient(LEVELS)
    variances = [mass @ x**2 - (mass @ x) ** 2 for x in (found, exact)]
    tails = [len(_TAIL) - 1, len(LEVELS) - len(_TAIL)]
    quantile = max((found[tails] / exact[tails] - 1).tolist(), key=abs)
    distance = np.sqrt(mass @ (found - exact) ** 2)
    return [round(100 * float(x), 2) for x in (variances[0] / variances[1] - 1, quantile, distance)]


def main() -> None:
    table: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name, law in LAWS.items():
        exact = exact_quantiles(law)
        table[name] = {
            kind: {str(k): errors(law, exact, k, run) for k in STEPS}
            for kind, run in (("corrected", deterministic_pass), ("predicted only", predicted_only))
        }
        print(name, json.dumps(table[name]), flush=True)
    Path(__file__).with_name("schemes.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
