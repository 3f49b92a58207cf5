"""Networks of growing width against the kernel regression that they should become.

Full-batch gradient descent on the velocity regression of one noised Gaussian-mixture sample: the two-layer ReLU
network (first layer trained) and kernel regression with the exact kernel take the same steps. The root mean square
distance of their predictions on fresh points should fall like width^(-1/2) at any fixed time, once the width is large
for that time: it is looked at where the rule stops, and after 10, 30 and 100 steps.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tsgen.diffusion.denoising_loss import noised_batch
from tsgen.networks.score_head import angle_features
from tsgen.torch_streams import torch_stream
from tsgen.training.early_stopping import stopping_time
from tsgen.training.kernel_features import leading_directions
from tsgen.training.noise_level import spectral_regression
from tsgen.training.two_layer_relu import TwoLayerReluNetwork, two_layer_relu_kernel

WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
N_ROWS, N_FRESH, SHARE, STARTS, COPIES = 128, 256, 0.9, 3, 16
MOMENTS, MOST_STEPS = (10, 30, 100), 100


class Noised(NamedTuple):
    """Inputs (state, features of the angle, constant) and velocity targets, float64."""

    inputs: Tensor
    labels: Tensor


def mixture(n: int, generator: torch.Generator) -> Tensor:
    """Clean values with two modes, shape (n, 1)."""
    sign = torch.randint(2, (n, 1), generator=generator).double() * 2.0 - 1.0
    return 0.95 * sign + 0.3 * torch.randn(n, 1, generator=generator, dtype=torch.float64)


def noise(clean: Tensor, generator: torch.Generator) -> Noised:
    """One noised copy of every value."""
    batch = noised_batch(clean, generator=generator)
    inputs = torch.cat([batch.noisy, angle_features(batch.tau) / 2.0, torch.ones_like(batch.tau)], dim=1)
    return Noised(inputs, batch.target)


def steps_of_the_rule(clean: Tensor, rows: Noised, gram: Tensor, generator: torch.Generator) -> int:
    """Number of steps of size ``SHARE`` over the largest eigenvalue at which the rule stops, at least one."""
    again = noise(clean.repeat_interleave(COPIES, dim=0), generator)
    features = two_layer_relu_kernel(again.inputs, rows.inputs) @ leading_directions(gram, smallest_share=1e-11)
    stop = stopping_time(spectral_regression(features, again.labels, copies=COPIES, fixed_labels=True))
    return max(1, min(MOST_STEPS, round(stop.time * largest(gram) / SHARE)))


def largest(gram: Tensor) -> float:
    return float(torch.linalg.eigvalsh(gram / len(gram))[-1])


def one(seed: int) -> dict[str, Any]:
    """Mean square distances at every width and moment, over the starts, for one sample."""
    generator = torch_stream(seed, "rows")
    clean = mixture(N_ROWS, generator)
    rows, fresh = noise(clean, generator), noise(mixture(N_FRESH, generator), generator)
    gram, cross = (two_layer_relu_kernel(at, rows.inputs) for at in (rows.inputs, fresh.inputs))
    stop = steps_of_the_rule(clean, rows, gram, generator)
    step, moments = SHARE / largest(gram), sorted({stop, *MOMENTS})
    by_kernel = {m: kernel_descent(gram, cross, rows.labels, step, m) for m in moments}
    squares: dict[str, dict[int, float]] = {}
    for width in WIDTHS:
        total = dict.fromkeys(moments, 0.0)
        for start in range(STARTS):
            for moment, found in network_descent(rows, fresh, width, step, moments, seed, start):
                total[moment] += float((found - by_kernel[moment]).square().mean()) / STARTS
        squares[str(width)] = total
    return {
        "seed": seed,
        "stop": stop,
        "prediction": {m: float(by_kernel[m].square().mean().sqrt()) for m in moments},
        "distance": {w: {m: math.sqrt(v) for m, v in total.items()} for w, total in squares.items()},
    }


def network_descent(
    rows: Noised, fresh: Noised, width: int, step: float, moments: list[int], seed: int, start: int
) -> Iterator[tuple[int, Tensor]]:
    """Predictions of one network on fresh points at the given numbers of steps."""
    generator = torch_stream(seed, f"start {width} {start}")
    network = TwoLayerReluNetwork(rows.inputs.shape[1], 1, width, generator=generator, dtype=torch.float64)
    weights = network.weights
    for moment in range(1, moments[-1] + 1):
        loss = 0.5 * (network(rows.inputs) - rows.labels).square().mean()
        (gradient,) = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            weights -= step * gradient
            if moment in moments:
                yield moment, network(fresh.inputs)


def kernel_descent(gram: Tensor, cross: Tensor, labels: Tensor, step: float, steps: int) -> Tensor:
    """Predictions of kernel regression after ``steps`` steps of gradient descent from zero."""
    dual = torch.zeros_like(labels)
    for _ in range(steps):
        dual -= step / len(labels) * (gram @ dual - labels)
    return cross @ dual


def summary(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Slopes of log distance on log width: mean and standard error over seeds, for all widths and the larger half."""
    lines: dict[str, Any] = {
        "seeds": len(parts),
        "starts": STARTS,
        "stop of the rule, steps": [p["stop"] for p in parts],
    }
    for name in ("the stop", *MOMENTS):
        moments = [str(part["stop"] if name == "the stop" else name) for part in parts]
        table = np.array(
            [[part["distance"][str(w)][m] for w in WIDTHS] for part, m in zip(parts, moments, strict=True)]
        )
        distance = np.sqrt((table**2).mean(axis=0))
        lines[f"at {name}" if name == "the stop" else f"after {name} steps"] = {
            **slopes(WIDTHS, table, "slope"),
            **slopes(WIDTHS[4:], table[:, 4:], "slope from 1024"),
            "rms_distance": dict(zip(map(str, WIDTHS), distance.round(5).tolist(), strict=True)),
            "rms_prediction": float(np.mean([p["prediction"][m] for p, m in zip(parts, moments, strict=True)])),
        }
    return lines


def slopes(widths: tuple[int, ...], table: np.ndarray, name: str) -> dict[str, float]:
    found = np.polyfit(np.log(np.array(widths, dtype=float)), np.log(table).T, 1)[0]
    return {name: float(found.mean()), f"{name}, standard error": float(found.std(ddof=1) / np.sqrt(len(found)))}
