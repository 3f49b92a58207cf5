"""Score error at the predicted stop, at the best possible stop, and after training to the end.

Two settings. ``kernel``: the regression of the theory, one noisy label per observation drawn once; gradient descent
of kernel regression with the exact kernel of the two-layer ReLU head in closed form, so every stopping time can be
looked at. ``network``: the product's two-layer ReLU head of 512 units, trained with fresh noise in every batch,
evaluated along the way.
"""

from typing import Any

import numpy as np
import torch
from score_laws import LAWS, Fresh, draw, without_past

from tsgen.diffusion.denoising_loss import noised_batch
from tsgen.networks.score_head import HeadShape
from tsgen.torch_streams import torch_stream
from tsgen.training.early_stopping import stopping_time
from tsgen.training.head_selection import build_head
from tsgen.training.kernel_features import kernel_features
from tsgen.training.kernel_training import diagnose_stopping
from tsgen.training.noise_level import spectral_regression
from tsgen.training.tangent_kernel import infinite_width_kernel
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_rows import make_rows

N_LANDMARKS = 512
NETWORK_STEPS = 1500


def shape_of(name: str, width: int) -> HeadShape:
    return HeadShape(LAWS[name].means.shape[1], 0, "none", 1, width, 0, "relu", 0, True)


def kernel_part(name: str, n: int, seed: int) -> dict[str, Any]:
    """Errors of kernel regression at all times; the rule sees the labels only."""
    batch = noised_batch(draw(name, n, seed), generator=torch_stream(seed, "noise"))
    fresh, inputs, kernel = Fresh.of(name, seed), without_past(batch), infinite_width_kernel(shape_of(name, 2))
    values, vectors = torch.linalg.eigh(kernel(inputs, inputs) / n)
    values, vectors = values.flip(0).clamp_min(1e-15), vectors.flip(1)
    energy, cross = vectors.T @ batch.target.double(), kernel(fresh.inputs, inputs) @ vectors / n

    def errors(time: float) -> tuple[float, float]:
        return fresh.errors(cross @ ((-torch.expm1(-time * values) / values)[:, None] * energy))

    features = kernel_features(kernel, inputs.take(torch.arange(min(n, N_LANDMARKS))))
    stop = stopping_time(spectral_regression(features(inputs), batch.target))
    literal = stopping_time(spectral_regression(features(inputs), batch.target), radius=1.0, constant=2.0 * np.e)
    times = np.geomspace(0.1, 1e7, 81) / float(values[0])
    curve = [errors(time) for time in times]
    return {
        "setting": "kernel", "law": name, "n": n, "seed": seed,
        "stop": stop.time, "best": float(times[int(np.argmin([v for v, _ in curve]))]),
        "noise_level": stop.noise_level, "radius": stop.radius,
        "velocity": _ratios(errors(stop.time)[0], [v for v, _ in curve]),
        "score": _ratios(errors(stop.time)[1], [s for _, s in curve]),
        "unit_radius": errors(literal.time)[0] / min(v for v, _ in curve),
    }  # fmt: skip


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
        if setting == "kernel":
            line["velocity ratio with unit radius"] = round(float(np.mean([m["unit_radius"] for m in members])), 3)
        lines.append(line)
    return lines
