"""Gradient training of a score head with weight averaging and held-out early stopping."""

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
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_rows import TrainingRows

_WARM_UP = 50
_GRADIENT_LIMIT = 1.0
_EVALUATION_ROWS = 40_000


class HeldOut(NamedTuple):
    """Fixed noisy validation rows: every candidate sees the same draws, so differences are paired."""

    rows: Tensor
    tau: Tensor
    noisy: Tensor
    target: Tensor
    block: Tensor
    """Independent unit of every evaluation row (a path, or twenty days)."""


class Trained(NamedTuple):
    """Outcome of one training run."""

    head: ScoreHead
    """Averaged weights at the best step."""
    steps: int
    """The step that was kept."""
    curve: list[tuple[int, float]]
    """(step, held-out loss) at every evaluation; empty when no rows were held out."""


def hold_out(data: TrainingRows, rows: Tensor, block: Tensor, *, seed: int) -> HeldOut:
    """Draw the fixed noise of the validation rows, several angles per row."""
    repeats = max(1, min(16, _EVALUATION_ROWS // max(1, len(rows))))
    repeated = rows.repeat(repeats)
    batch = noised_batch(data.clean(repeated), generator=torch_stream(seed, "validation noise"))
    return HeldOut(repeated, batch.tau, batch.noisy, batch.target, block.repeat(repeats))


@torch.no_grad()
def block_losses(head: ScoreHead, data: TrainingRows, held: HeldOut) -> Tensor:
    """Mean held-out loss of every independent block, shape (block,), float64."""
    losses = []
    for part in torch.arange(len(held.rows)).split(8192):
        predicted = head(held.noisy[part], held.tau[part], data.past(held.rows[part]))
        losses.append(row_losses(predicted, held.target[part]))
    loss = torch.cat(losses).double().cpu()
    n_blocks = int(held.block.max()) + 1
    total = torch.zeros(n_blocks, dtype=torch.float64).index_add_(0, held.block, loss)
    return total / torch.bincount(held.block, minlength=n_blocks)


def _rate(step: int, config: TrainingConfig) -> float:
    """Warm-up, then cosine decay to zero at ``max_steps``."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    return warm * 0.5 * (1.0 + math.cos(math.pi * step / config.max_steps))


@torch.no_grad()
def _average(averaged: ScoreHead, head: ScoreHead, step: int, decay: float) -> None:
    kept = min(decay, (1.0 + step) / (10.0 + step))  # young averages forget their random start quickly
    for mean, value in zip(averaged.parameters(), head.parameters(), strict=True):
        mean.lerp_(value, 1.0 - kept)


def _step(
    head: ScoreHead, data: TrainingRows, rows: Tensor, config: TrainingConfig, generator: torch.Generator
) -> Tensor:
    chosen = rows[torch.randint(len(rows), (config.batch_rows,), generator=generator)]
    batch = noised_batch(data.clean(chosen), generator=generator)
    return row_losses(head(batch.noisy, batch.tau, data.past(chosen)), batch.target).mean()


class _Best:
    """Best averaged weights so far and how long ago they were found."""

    def __init__(self, head: ScoreHead, loss: float) -> None:
        self.head, self.loss, self.step, self.waited = copy.deepcopy(head), loss, 0, 0

    def consider(self, head: ScoreHead, loss: float, step: int) -> None:
        """Keep ``head`` if it is better."""
        if loss < self.loss:
            self.head, self.loss, self.step, self.waited = copy.deepcopy(head), loss, step, 0
        else:
            self.waited += 1


def train_head(
    head: ScoreHead,
    data: TrainingRows,
    rows: Tensor,
    config: TrainingConfig,
    *,
    seed: int,
    evaluate: Callable[[ScoreHead], float] | None = None,
    stop_at: int | None = None,
    keep_start: bool = True,
    progress: Progress = silent,
    stage: str = "training",
) -> Trained:
    """Train by parallel score matching; every draw is a function of (seed, step).

    Parameters
    ----------
    head : ScoreHead
        Starting weights; not modified.
    data : TrainingRows
    rows : Tensor of int
        Rows to train on.
    config : TrainingConfig
    seed : int
    evaluate : callable, optional
        Held-out loss of a head; the best averaged weights are kept and training stops early.
    stop_at : int, optional
        Without ``evaluate``: number of steps, on the learning-rate schedule of ``max_steps``.
    keep_start : bool
        Whether the starting weights compete; ``False``: some training is always kept.
    progress : callable
    stage : str
        Name in progress reports.

    Raises
    ------
    TrainingError
        If the loss is not finite.
    """
    head = copy.deepcopy(head)
    averaged = copy.deepcopy(head).requires_grad_(False)
    optimiser = torch.optim.AdamW(head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, config))
    total = config.max_steps if stop_at is None else stop_at
    best, curve = None, []
    if evaluate is not None:
        start = evaluate(averaged)
        best, curve = _Best(averaged, start if keep_start else math.inf), [(0, start)]
    for step in range(total):
        generator = torch_stream(seed, f"training step {step}")
        loss = _step(head, data, rows, config, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), _GRADIENT_LIMIT)
        optimiser.step()
        schedule.step()
        _average(averaged, head, step, config.average_decay)
        done = step + 1
        if done % config.evaluate_every and done != total:
            continue
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"the training loss became {float(loss.detach())} at step {done}. Lower learning_rate (now "
                f"{config.learning_rate}) and check the data for extreme values."
            )
        progress(ProgressEvent(stage, done, total, f"loss {float(loss.detach()):.4f}"))
        if best is not None and evaluate is not None:
            held = evaluate(averaged)
            curve.append((done, held))
            best.consider(averaged, held, done)
            if best.waited >= config.patience:
                progress(ProgressEvent(stage, total, total, f"stopped early at step {done}"))
                break
    if best is None:
        return Trained(averaged, total, curve)
    return Trained(best.head, best.step, curve)
