"""Score error at the predicted stop, at the best possible stop, and after training to the end.

``kernel``: the regression of the theory, one noisy label per observation drawn once; gradient descent of kernel
regression with the exact kernel of the two-layer ReLU head in closed form, so every stopping time can be looked at
(from 4,096 observations on with the kernel projected on 1,024 of them). The rule knows the observations and noises them
again, 16 times (4 times from 4,096 on), to estimate the signal. ``fresh noise``: the same, but training draws fresh
noise at every step, as the generator does: the labels of many noised copies together. ``network``: the product's
two-layer ReLU head of 512 units with fresh noise in every batch, evaluated along the way; at most 2,000 steps.
"""

from typing import Any

import numpy as np
import torch
from score_laws import LAWS, Fresh, draw, without_past
from torch import Tensor

from tsgen.diffusion.denoising_loss import NoisedBatch, noised_batch
from tsgen.networks.score_head import HeadShape
from tsgen.torch_streams import torch_stream
from tsgen.training.early_stopping import critical_time, stopping_time
from tsgen.training.head_selection import build_head
from tsgen.training.kernel_features import kernel_features
from tsgen.training.kernel_training import diagnose_stopping
from tsgen.training.noise_level import SpectralRegression, spectral_regression
from tsgen.training.tangent_kernel import infinite_width_kernel
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_rows import make_rows

LARGEST_EXACT, FEWEST_COPIES, FRESH_ROWS = 1024, 32, 32_768
NETWORK_STEPS = 2000


def shape_of(name: str, width: int) -> HeadShape:
    return HeadShape(LAWS[name].means.shape[1], 0, "none", 1, width, 0, "relu", 0, True)


class Descent:
    """Kernel regression by gradient descent in closed form: its error at any time."""

    def __init__(self, eigenvalues: Tensor, energy: Tensor, at_fresh: Tensor, fresh: Fresh) -> None:
        # energy: labels in the eigenbasis; at_fresh: what one unit of dual coefficient adds at the fresh points
        self.values, self.energy, self.at_fresh, self.fresh = eigenvalues, energy, at_fresh, fresh
        self.times = np.geomspace(0.1, 1e7, 81) / float(eigenvalues.max())

    def errors(self, time: float) -> tuple[float, float]:
        """Of velocity and score."""
        gain = -torch.expm1(-time * self.values) / self.values
        return self.fresh.errors(self.at_fresh @ (gain[:, None] * self.energy))

    def facts(self, regression: SpectralRegression) -> dict[str, Any]:
        """The rule against all other times."""
        stop, curve = stopping_time(regression), [self.errors(time) for time in self.times]
        velocity, score = [v for v, _ in curve], [s for _, s in curve]
        unit = critical_time(regression.eigenvalues, regression.stopping_variance, radius=1.0)
        at_stop = self.errors(stop.time)
        return {
            "stop": stop.time, "best": float(self.times[int(np.argmin(velocity))]),
            "noise_level": stop.noise_level, "radius": stop.radius,
            "velocity": _ratios(at_stop[0], velocity), "score": _ratios(at_stop[1], score),
            "unit_radius": self.errors(unit)[0] / min(velocity),
            "critical_time": self.errors(stop.critical_time)[0] / min(velocity),
        }  # fmt: skip


class Setting:
    """One sample of a law, the kernel on it, and what the rule makes of it."""

    def __init__(self, name: str, n: int, seed: int, n_landmarks: int) -> None:
        self.clean, self.n, self.seed = draw(name, n, seed), n, seed
        self.batch = noised_batch(self.clean, generator=torch_stream(seed, "noise"))
        self.inputs, self.fresh = without_past(self.batch), Fresh.of(name, seed)
        self.kernel = infinite_width_kernel(shape_of(name, 2))
        self.features = kernel_features(self.kernel, self.inputs.take(torch.arange(min(n, n_landmarks))))

    def copies(self, count: int, purpose: str) -> NoisedBatch:
        return noised_batch(
            self.clean.repeat_interleave(count, dim=0), generator=torch_stream(self.seed, f"noise of the {purpose}")
        )

    def regression(self, *, fixed_labels: bool) -> SpectralRegression:
        count = min(16, max(4, 16_384 // self.n))
        again = self.copies(count, "rule")
        return spectral_regression(
            self.features(without_past(again)), again.target, copies=count, fixed_labels=fixed_labels
        )


def kernel_part(name: str, n: int, seed: int) -> dict[str, Any]:
    """Labels that are drawn once."""
    at = Setting(name, n, seed, 512 if n <= LARGEST_EXACT else 1024)
    if n <= LARGEST_EXACT:
        values, vectors = torch.linalg.eigh(at.kernel(at.inputs, at.inputs) / n)
        energy, at_fresh = vectors.T @ at.batch.target.double(), at.kernel(at.fresh.inputs, at.inputs) @ vectors / n
        descent = Descent(values.clamp_min(1e-15), energy, at_fresh, at.fresh)
    else:
        rows = at.features(at.inputs)
        descent = in_features(at, rows.T @ rows / n, rows.T @ at.batch.target.double() / n)
    found = descent.facts(at.regression(fixed_labels=True))
    return {"setting": "kernel", "law": name, "n": n, "seed": seed, **found}


def fresh_noise_part(name: str, n: int, seed: int) -> dict[str, Any]:
    """Labels of many noised copies of every observation at once: what fresh noise at every step amounts to."""
    at = Setting(name, n, seed, 512)
    many = at.copies(max(FEWEST_COPIES, FRESH_ROWS // n), "training")
    inputs, n_rows = without_past(many), len(many.target)
    moments, products = 0.0, 0.0
    for part in torch.arange(n_rows).split(4096):
        rows = at.features(inputs.take(part))
        moments = moments + rows.T @ rows / n_rows
        products = products + rows.T @ many.target[part].double() / n_rows
    descent = in_features(at, torch.as_tensor(moments), torch.as_tensor(products))
    found = descent.facts(at.regression(fixed_labels=False))
    return {"setting": "fresh noise", "law": name, "n": n, "seed": seed, **found}


def in_features(at: Setting, moments: Tensor, products: Tensor) -> Descent:
    """Descent on linear weights of the features."""
    values, vectors = torch.linalg.eigh(moments)
    return Descent(values.clamp_min(1e-15), vectors.T @ products, at.features(at.fresh.inputs) @ vectors, at.fresh)


def network_part(name: str, n: int, seed: int) -> dict[str, Any]:
    """Errors of the head along its training; the rule sees the observations only."""
    data = make_rows(draw(name, n, seed)[:, None], torch.zeros(n, 1, 0), 1)
    rows, fresh = torch.arange(n), Fresh.of(name, seed)
    curve: list[float] = []

    def evaluate(head: torch.nn.Module) -> float:
        with torch.no_grad():
            velocity, score = fresh.errors(head(*fresh.inputs))
        curve.append(velocity)
        return score

    found = diagnose_stopping(
        build_head(shape_of(name, 512), data, rows, seed=seed), data, rows,
        TrainingConfig(max_steps=NETWORK_STEPS, batch_rows=512), seed=seed, evaluate=evaluate, beyond=16.0,
    )  # fmt: skip
    steps, score = [step for step, _ in found.curve], [value for _, value in found.curve]
    at = int(np.argmin([abs(step - found.predicted_step) for step in steps]))
    return {
        "setting": "network", "law": name, "n": n, "seed": seed,
        "stop": found.predicted_step, "best": found.best_step, "last": steps[-1],
        "noise_level": found.stop.noise_level, "radius": found.stop.radius,
        "velocity": _ratios(curve[at], curve), "score": _ratios(score[at], score),
    }  # fmt: skip


def _ratios(stopped: float, curve: list[float]) -> dict[str, float]:
    return {"stopped": stopped, "best": min(curve), "ratio": stopped / min(curve), "end_ratio": curve[-1] / min(curve)}


def summary(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line per setting, law and size: mean and standard error over seeds."""
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for part in parts:
        groups.setdefault((part["setting"], part["law"], part["n"]), []).append(part)
    lines = []
    for (setting, name, n), members in sorted(groups.items()):
        line: dict[str, Any] = {"setting": setting, "law": name, "n": n, "seeds": len(members)}
        for error in ("velocity", "score"):
            for field in ("best", "ratio", "end_ratio"):
                values = np.array([m[error][field] for m in members])
                line[f"{error} {field}"] = round(float(values.mean()), 4)
                if field == "ratio":
                    line[f"{error} ratio standard error"] = (
                        round(float(values.std(ddof=1) / np.sqrt(len(values))), 4) if len(values) > 1 else None
                    )
                    line[f"{error} worst ratio"] = round(float(values.max()), 3)
        if setting != "network":
            for label, field in (("estimated", "critical_time"), ("unit", "unit_radius")):
                mean = float(np.mean([m[field] for m in members]))
                line[f"velocity ratio at the critical time, {label} radius"] = round(mean, 3)
        lines.append(line)
    return lines
