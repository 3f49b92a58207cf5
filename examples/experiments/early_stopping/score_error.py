"""Score error at the predicted stop, at the best possible stop, and after training to the end.

``kernel``: the regression of the theory, one noisy label per observation drawn once; gradient descent of kernel
regression with the exact kernel of the two-layer ReLU head in closed form, so every stopping time can be looked at
(from 4,096 observations on with the kernel projected on 1,024 of them). ``fresh noise``: the same, but training draws
fresh noise at every step for ever, as the generator does: the label of a noisy point is its mean over all observations.
``network`` and ``network, labels drawn once``: the product's two-layer ReLU head of 512 units in the two settings,
trained by gradient descent for 16 times the predicted stop, but at most 20,000 steps: where the stop lies beyond, they
say only that going on did no harm. "Best" is the best of the times looked at. The rule knows the
observations and noises them again (`noised_copies`) to tell signal from noise.
"""

from typing import Any

import numpy as np
import torch
from score_laws import LAWS, Fresh, draw, empirical_velocity, without_past
from torch import Tensor

from tsgen.diffusion.denoising_loss import NoisedBatch, noised_batch
from tsgen.networks.score_head import HeadShape
from tsgen.torch_streams import torch_stream
from tsgen.training.early_stopping import critical_time, stopping_time
from tsgen.training.head_selection import build_head
from tsgen.training.kernel_features import kernel_features
from tsgen.training.kernel_training import diagnose_stopping, kernel_start, noised_copies, plan_descent
from tsgen.training.noise_level import SpectralRegression, spectral_regression
from tsgen.training.tangent_kernel import infinite_width_kernel
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_rows import make_rows

LARGEST_EXACT, FEWEST_COPIES, FRESH_ROWS = 1024, 32, 32_768
NETWORK_STEPS, BEYOND, WIDTH = 20_000, 16.0, 512
FEWEST_STEPS = 3200  # momentum lags by nine steps: the stop, a sixteenth of the way, must be many times that


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

    def __init__(self, name: str, n: int, seed: int, n_landmarks: int, *, width: int = 2) -> None:
        self.clean, self.n, self.seed = draw(name, n, seed), n, seed
        self.batch = noised_batch(self.clean, generator=torch_stream(seed, "noise"))
        self.inputs, self.fresh = without_past(self.batch), Fresh.of(name, seed)
        self.kernel = infinite_width_kernel(shape_of(name, width))
        self.features = kernel_features(self.kernel, self.inputs.take(torch.arange(min(n, n_landmarks))))

    def copies(self, count: int, purpose: str) -> NoisedBatch:
        return noised_batch(
            self.clean.repeat_interleave(count, dim=0), generator=torch_stream(self.seed, f"noise of the {purpose}")
        )

    def regression(self, *, fixed_labels: bool, start: torch.nn.Module | None = None) -> SpectralRegression:
        """What the rule knows; ``start``: the head whose error is to be learned (default: zero)."""
        count = noised_copies(self.n)
        again = self.copies(count, "rule")
        inputs, labels = without_past(again), again.target
        if start is not None:
            with torch.no_grad():
                labels = labels - start(*inputs)
        return spectral_regression(self.features(inputs), labels, copies=count, fixed_labels=fixed_labels)


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
    """The mean over all noise of the labels of noisy points; rows are only the points at which it is averaged.

    The labels of these rows themselves would do for no number of copies: with 32,768 rows and 512 directions their own
    noise has an error of 0.95 sqrt(512 / 32,768) = 0.12 at the end, more than the error from the observations.
    """
    at = Setting(name, n, seed, 512)
    many = at.copies(max(FEWEST_COPIES, FRESH_ROWS // n), "training")
    inputs, n_rows, labels = without_past(many), len(many.target), empirical_velocity(many, at.clean)
    moments, products = 0.0, 0.0
    for part in torch.arange(n_rows).split(4096):
        rows = at.features(inputs.take(part))
        moments = moments + rows.T @ rows / n_rows
        products = products + rows.T @ labels[part] / n_rows
    descent = in_features(at, torch.as_tensor(moments), torch.as_tensor(products))
    found = descent.facts(at.regression(fixed_labels=False))
    return {"setting": "fresh noise", "law": name, "n": n, "seed": seed, **found}


def in_features(at: Setting, moments: Tensor, products: Tensor) -> Descent:
    """Descent on linear weights of the features."""
    values, vectors = torch.linalg.eigh(moments)
    return Descent(values.clamp_min(1e-15), vectors.T @ products, at.features(at.fresh.inputs) @ vectors, at.fresh)


def network_part(name: str, n: int, seed: int) -> dict[str, Any]:
    """Errors of the head along its training with fresh noise in every batch."""
    data = make_rows(draw(name, n, seed)[:, None], torch.zeros(n, 1, 0), 1)
    rows, fresh = torch.arange(n), Fresh.of(name, seed)
    curve: list[float] = []

    def evaluate(head: torch.nn.Module) -> float:
        with torch.no_grad():
            velocity, score = fresh.errors(head(*fresh.inputs))
        curve.append(velocity)
        return score

    found = diagnose_stopping(
        build_head(shape_of(name, WIDTH), data, rows, seed=seed), data, rows,
        TrainingConfig(max_steps=NETWORK_STEPS, batch_rows=512), seed=seed, evaluate=evaluate, beyond=BEYOND,
    )  # fmt: skip
    points = [(step, velocity, score) for (step, score), velocity in zip(found.curve, curve, strict=True)]
    return {"setting": "network", "law": name, "n": n, "seed": seed} | _along(points, found.predicted_step)


def fixed_network_part(name: str, n: int, seed: int) -> dict[str, Any]:
    """The same head on one noisy label per observation, drawn once; all of them in every step, up to 1,024."""
    at = Setting(name, n, seed, 512, width=WIDTH)
    data = make_rows(at.clean[:, None], torch.zeros(n, 1, 0), 1)
    head = kernel_start(build_head(shape_of(name, WIDTH), data, torch.arange(n), seed=seed), seed=seed)
    stop = stopping_time(at.regression(fixed_labels=True, start=head))
    n_outputs, momentum = head.shape.n_assets, 0.9
    target = stop._replace(time=0.5 * BEYOND * max(stop.time, 1.0 / float(stop.eigenvalues[0])))
    plan = plan_descent(target, n_outputs=n_outputs, max_steps=NETWORK_STEPS, fewest_steps=FEWEST_STEPS)
    optimiser = torch.optim.SGD(head.parameters(), lr=plan.step_size, momentum=momentum)
    moments = {round(plan.steps ** (i / 40)) for i in range(41)}
    points: list[tuple[int, float, float]] = []
    for step in range(plan.steps + 1):
        if step == 0 or step in moments:
            with torch.no_grad():
                points.append((step, *at.fresh.errors(head(*at.fresh.inputs))))
        chosen = torch.arange(n)
        if n > LARGEST_EXACT:
            chosen = torch.randint(n, (LARGEST_EXACT,), generator=torch_stream(seed, f"rows of step {step}"))
        loss = (head(*at.inputs.take(chosen)) - at.batch.target[chosen]).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    predicted = stop.time * n_outputs * (1.0 - momentum) / (2.0 * plan.step_size)
    return {"setting": "network, labels drawn once", "law": name, "n": n, "seed": seed} | _along(points, predicted)


def _along(points: list[tuple[int, float, float]], predicted: float) -> dict[str, Any]:
    """Errors at the predicted step (the last one if it lies beyond) against those of (step, velocity, score)."""
    steps, velocity, score = ([point[i] for point in points] for i in range(3))
    at = int(np.argmin([abs(step - min(predicted, steps[-1])) for step in steps]))
    return {
        "stop": predicted, "best": steps[int(np.argmin(velocity))], "last": steps[-1],
        "velocity": _ratios(velocity[at], velocity), "score": _ratios(score[at], score),
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
        if not str(setting).startswith("network"):
            for label, field in (("estimated", "critical_time"), ("unit", "unit_radius")):
                mean = float(np.mean([m[field] for m in members]))
                line[f"velocity ratio at the critical time, {label} radius"] = round(mean, 3)
        else:
            line["stops beyond the last step"] = sum(m["stop"] > m["last"] for m in members)
        lines.append(line)
    return lines
