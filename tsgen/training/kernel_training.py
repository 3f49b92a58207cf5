r"""Training that stops by the kernel rule: no data are held out to decide when.

Gradient descent (heavy-ball momentum, step size falling linearly to zero) follows kernel regression with the tangent
kernel at its start; the rule of `tsgen.training.early_stopping` says how long. Steps and step size are planned so that
the sum of step sizes is the stopping time. Fresh noise in every batch, as in `tsgen.training.training_loop`.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.diffusion.denoising_loss import noised_batch, row_losses
from tsgen.errors import TrainingError
from tsgen.networks.score_head import ScoreHead
from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.torch_streams import torch_stream
from tsgen.training.early_stopping import StoppingTime, stopping_time
from tsgen.training.kernel_features import gradient_features, kernel_features
from tsgen.training.noise_level import SpectralRegression, spectral_regression
from tsgen.training.tangent_kernel import (
    FeatureMap,
    HeadInputs,
    gaussian_start,
    infinite_width_kernel,
    is_two_layer_relu,
    output_signs,
)
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_rows import TrainingRows

_LANDMARKS = 512
_FEWEST_COPIES, _MOST_COPIES = 8, 64
"""Noised copies per observation: their number decides how well signal and shared error are known, up to what the data
know of them."""
_MOST_NOISED_ROWS = 16_384
_MOMENTUM = 0.9
_FEWEST_STEPS = 200
"""Enough steps to average the noise of the batches."""
_STABLE_SHARE = 0.5
"""Largest step, as a share of the inverse of the largest eigenvalue of the loss."""
_GRADIENT_LIMIT = 10.0


class DescentPlan(NamedTuple):
    """How gradient descent reaches the stopping time."""

    steps: int
    step_size: float
    """Of the first step, for the mean squared error per coordinate; falls linearly to zero."""
    reached_time: float
    """Sum of step sizes in units of the kernel; below the stopping time only if ``max_steps`` came first."""
    stop: StoppingTime

    @property
    def limited(self) -> bool:
        """Whether ``max_steps`` ends training before the rule does."""
        return self.reached_time < 0.99 * self.stop.time


def noised_copies(n_observations: int) -> int:
    """How often each observation is noised to tell signal from noise.

    Examples
    --------
    >>> [noised_copies(n) for n in (100, 1000, 10_000)]
    [64, 16, 8]
    """
    return min(_MOST_COPIES, max(_FEWEST_COPIES, _MOST_NOISED_ROWS // n_observations))


def kernel_regression(head: ScoreHead, data: TrainingRows, rows: Tensor, *, seed: int) -> SpectralRegression:
    """What a head has to learn from the rows beyond its start, in the eigenbasis of its tangent kernel.

    Parameters
    ----------
    head : ScoreHead
        At its start. Two-layer ReLU heads use the exact kernel of infinite width, all others the empirical one.
    data : TrainingRows
    rows : Tensor of int
        Rows to train on; beyond 4,096 a random subsample is used, the noise is scaled to all of them.
    seed : int

    Returns
    -------
    SpectralRegression
    """
    order = torch.randperm(len(rows), generator=torch_stream(seed, "kernel rows"))
    copies = noised_copies(len(rows))
    chosen = rows[order[: _MOST_NOISED_ROWS // copies]].repeat_interleave(copies)
    batch = noised_batch(data.clean(chosen), generator=torch_stream(seed, "kernel noise"))
    inputs = HeadInputs(batch.noisy, batch.tau, data.past(chosen))
    with torch.no_grad():
        start = torch.cat([head(*inputs.take(part)) for part in torch.arange(len(chosen)).split(8192)])
    features = _features(head, inputs, len(chosen), seed=seed)
    return spectral_regression(features(inputs), batch.target - start, copies=copies, n_observations=len(rows))


def _features(head: ScoreHead, inputs: HeadInputs, n_rows: int, *, seed: int) -> FeatureMap:
    spread = torch.randperm(n_rows, generator=torch_stream(seed, "kernel landmarks"))[:_LANDMARKS]
    landmarks = inputs.take(spread)
    if is_two_layer_relu(head.shape):
        return kernel_features(infinite_width_kernel(head.shape), landmarks)
    return gradient_features(head, landmarks, signs=output_signs(head.shape.n_assets, seed=seed))


def plan_descent(
    stop: StoppingTime, *, n_outputs: int, max_steps: int, fewest_steps: int = _FEWEST_STEPS
) -> DescentPlan:
    """Steps and step size that add up to the stopping time; at least ``fewest_steps``, at most ``max_steps``.

    Notes
    -----
    The loss is a mean over ``n_outputs`` coordinates, so a step ``h`` with momentum ``b`` advances the time of the
    kernel by ``2 h / (n_outputs (1 - b))``.
    """
    if stop.time == 0.0:
        return DescentPlan(0, 0.0, 0.0, stop)
    per_step = 2.0 / (n_outputs * (1.0 - _MOMENTUM))
    largest = _STABLE_SHARE * n_outputs / (2.0 * float(stop.eigenvalues[0]))
    needed = 2.0 * stop.time / (per_step * largest)  # a linear decay covers half of what the first step would
    steps = min(max_steps, max(fewest_steps, math.ceil(min(needed, float(max_steps)))))
    step_size = min(largest, 2.0 * stop.time / (per_step * steps))
    return DescentPlan(steps, step_size, 0.5 * step_size * per_step * steps, stop)


def kernel_start(head: ScoreHead, *, seed: int) -> ScoreHead:
    """Copy of an untrained head from which the rule holds: two-layer ReLU heads get a Gaussian first layer."""
    head = copy.deepcopy(head)
    if is_two_layer_relu(head.shape):
        gaussian_start(head, seed=seed)
    return head


class Descent(NamedTuple):
    """A head trained to the stopping time."""

    head: ScoreHead
    plan: DescentPlan


def train_to_stop(
    head: ScoreHead,
    data: TrainingRows,
    rows: Tensor,
    config: TrainingConfig,
    *,
    seed: int,
    at_least_one: bool = False,
    progress: Progress = silent,
    stage: str = "training",
) -> Descent:
    """Train a head on all given rows for as long as the kernel rule says.

    Parameters
    ----------
    head : ScoreHead
        Untrained; not modified.
    data : TrainingRows
    rows : Tensor of int
        All of them are trained on.
    config : TrainingConfig
        ``max_steps`` and ``batch_rows`` are used; step size and stopping follow from the kernel.
    seed : int
    at_least_one : bool
        Train for a few steps even if the rule finds no signal.
    progress : callable
    stage : str

    Returns
    -------
    Descent

    Raises
    ------
    TrainingError
        If the loss is not finite.
    """
    head = kernel_start(head, seed=seed)
    stop = stopping_time(kernel_regression(head, data, rows, seed=seed))
    if at_least_one and stop.time == 0.0:
        stop = stop._replace(time=1.0 / float(stop.eigenvalues[0]))
    plan = plan_descent(stop, n_outputs=head.shape.n_assets, max_steps=config.max_steps)
    message = f"kernel rule: {plan.steps} steps, noise {stop.noise_level:.3f}"
    progress(ProgressEvent(stage, 0, max(1, plan.steps), message))
    _descend(head, data, rows, plan, config, seed=seed, decay=True)
    note = "limited by max_steps, the rule asks for more" if plan.limited else "stopped by the kernel rule"
    progress(ProgressEvent(stage, max(1, plan.steps), max(1, plan.steps), note))
    return Descent(head.requires_grad_(False), plan)


def _descend(
    head: ScoreHead,
    data: TrainingRows,
    rows: Tensor,
    plan: DescentPlan,
    config: TrainingConfig,
    *,
    seed: int,
    decay: bool,
    after_step: Callable[[int], None] | None = None,
) -> None:
    """Heavy-ball gradient descent in place."""
    if plan.steps == 0:
        return
    optimiser = torch.optim.SGD(head.parameters(), lr=plan.step_size, momentum=_MOMENTUM)
    for step in range(plan.steps):
        generator = torch_stream(seed, f"training step {step}")
        chosen = rows[torch.randint(len(rows), (config.batch_rows,), generator=generator)]
        batch = noised_batch(data.clean(chosen), generator=generator)
        loss = row_losses(head(batch.noisy, batch.tau, data.past(chosen)), batch.target).mean()
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"the training loss became {float(loss.detach())} at step {step + 1} of gradient descent. Check the "
                "data for extreme values, or use early_stopping='held_out'."
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), _GRADIENT_LIMIT)
        for group in optimiser.param_groups:
            group["lr"] = plan.step_size * ((1.0 - step / plan.steps) if decay else 1.0)
        optimiser.step()
        if after_step is not None:
            after_step(step + 1)


class StoppingDiagnostics(NamedTuple):
    """What the rule predicted, and what happened."""

    stop: StoppingTime
    predicted_step: float
    """Step of a descent with constant step size at which the rule stops."""
    curve: list[tuple[int, float]]
    """(step, loss from ``evaluate``) beyond the predicted step. The step size is constant; the loss is that of the
    weights averaged since the entry before, so that the noise of single batches does not pass for a minimum."""
    best_step: int
    """Step of the smallest loss."""
    excess: float
    """Loss at the evaluation nearest to the predicted step (the last one if it lies beyond) minus the smallest loss."""


class _WeightAverage:
    """Mean of a head's weights over the steps since it was last taken."""

    def __init__(self, head: ScoreHead) -> None:
        self._averaged, self._count = copy.deepcopy(head), 0
        self._pairs = list(zip(self._averaged.parameters(), head.parameters(), strict=True))

    @torch.no_grad()
    def add(self) -> None:
        self._count += 1
        for mean, weight in self._pairs:
            mean.lerp_(weight, 1.0 / self._count)

    def take(self) -> ScoreHead:
        self._count = 0
        return self._averaged


def diagnose_stopping(
    head: ScoreHead,
    data: TrainingRows,
    rows: Tensor,
    config: TrainingConfig,
    *,
    seed: int,
    evaluate: Callable[[ScoreHead], float],
    beyond: float = 8.0,
) -> StoppingDiagnostics:
    """Train past the predicted stop and compare it with the actual minimum of a loss.

    Parameters
    ----------
    head : ScoreHead
        Untrained; not modified.
    data, rows, config, seed
        As in `train_to_stop`.
    evaluate : callable
        Loss of a head on data of its own, for example `tsgen.training.training_loop.block_losses` on held-out rows, or
        the error of the score where the law is known.
    beyond : float
        How many times the predicted stop to train for, within ``max_steps``.

    Returns
    -------
    StoppingDiagnostics
    """
    head = kernel_start(head, seed=seed)
    stop = stopping_time(kernel_regression(head, data, rows, seed=seed))
    target = stop._replace(time=beyond * max(stop.time, 1.0 / float(stop.eigenvalues[0])))
    # half the time at constant step size takes as many steps as the whole with linear decay
    plan = plan_descent(
        target._replace(time=0.5 * target.time),
        n_outputs=head.shape.n_assets,
        max_steps=config.max_steps,
        fewest_steps=math.ceil(beyond * _FEWEST_STEPS),  # so that momentum, which lags by nine steps, does not count
    )
    per_step = 2.0 * plan.step_size / (head.shape.n_assets * (1.0 - _MOMENTUM))
    predicted = stop.time / per_step
    moments = {round(plan.steps ** (i / 40)) for i in range(41)}
    curve = [(0, evaluate(head))]
    average = _WeightAverage(head)

    def record(step: int) -> None:
        average.add()
        if step in moments:
            curve.append((step, evaluate(average.take())))

    _descend(head, data, rows, plan, config, seed=seed, decay=False, after_step=record)
    best_step, smallest = min(curve, key=lambda point: point[1])
    nearest = min(curve, key=lambda point: abs(point[0] - min(predicted, plan.steps)))
    return StoppingDiagnostics(stop, predicted, curve, best_step, nearest[1] - smallest)
