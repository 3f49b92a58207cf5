"""Networks of growing width against the kernel regression that they should become.

Full-batch gradient descent on the velocity regression of one noised Gaussian-mixture sample: the two-layer ReLU
network (first layer trained) and kernel regression with the exact kernel take the same steps, up to the stopping time
of the rule or 300 steps. The root mean square distance of their predictions on fresh points should fall like
width^(-1/2).
"""

import math
from typing import Any

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
N_ROWS, N_FRESH, SHARE, MOST_STEPS = 128, 256, 0.9, 300


def noised_mixture(n: int, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """Inputs (state, features of the angle, constant) and velocity targets, float64."""
    generator = torch_stream(seed, purpose)
    sign = torch.randint(2, (n, 1), generator=generator).double() * 2.0 - 1.0
    clean = 0.95 * sign + 0.3 * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    batch = noised_batch(clean, generator=generator)
    inputs = torch.cat([batch.noisy, angle_features(batch.tau) / 2.0, torch.ones_like(batch.tau)], dim=1)
    return inputs, batch.target


def one(seed: int) -> dict[str, Any]:
    """Distances at every width, for one sample and one start per width."""
    inputs, labels = noised_mixture(N_ROWS, seed, "rows")
    fresh, _ = noised_mixture(N_FRESH, seed, "fresh")
    gram = two_layer_relu_kernel(inputs, inputs)
    features = gram @ leading_directions(gram, smallest_share=1e-11)
    stop = stopping_time(spectral_regression(features, labels))
    step = SHARE / float(stop.eigenvalues[0])
    steps = min(MOST_STEPS, max(100, math.ceil(stop.time / step)))
    by_kernel = kernel_descent(gram, two_layer_relu_kernel(fresh, inputs), labels, step, steps)
    distances = {}
    for width in WIDTHS:
        network = TwoLayerReluNetwork(
            inputs.shape[1], 1, width, generator=torch_stream(seed, f"start {width}"), dtype=torch.float64
        )
        weights = network.weights
        for _ in range(steps):
            loss = 0.5 * (network(inputs) - labels).square().mean()
            (gradient,) = torch.autograd.grad(loss, weights)
            with torch.no_grad():
                weights -= step * gradient
        with torch.no_grad():
            distances[str(width)] = float((network(fresh) - by_kernel).square().mean().sqrt())
    return {"seed": seed, "steps": steps, "prediction": float(by_kernel.square().mean().sqrt()), "distance": distances}


def kernel_descent(gram: Tensor, cross: Tensor, labels: Tensor, step: float, steps: int) -> Tensor:
    """Predictions of kernel regression after ``steps`` steps of gradient descent from zero."""
    dual = torch.zeros_like(labels)
    for _ in range(steps):
        dual -= step / len(labels) * (gram @ dual - labels)
    return cross @ dual


def summary(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Slope of log distance on log width: mean and standard error over seeds."""
    width = np.log(np.array(WIDTHS, dtype=float))
    logs = np.log(np.array([[part["distance"][str(w)] for w in WIDTHS] for part in parts]))
    slopes = np.polyfit(width, logs.T, 1)[0]
    return {
        "slope": float(slopes.mean()),
        "standard_error": float(slopes.std(ddof=1) / np.sqrt(len(slopes))),
        "rms_distance": {str(w): float(np.exp(v)) for w, v in zip(WIDTHS, logs.mean(axis=0), strict=True)},
        "rms_prediction": float(np.mean([part["prediction"] for part in parts])),
        "seeds": len(parts),
    }
