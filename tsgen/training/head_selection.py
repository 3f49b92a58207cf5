"""The closed-form anchor is the floor: a refinement of the head must earn its place on held-out data.

Candidates come smallest first: standard normal residuals; a closed-form mixture; a network without memory; a
network that sees the volatility level; a network that sees the last innovations. Each is compared with the
best so far on the same held-out noise; the difference is averaged over independent blocks (paths, or twenty
days). Of the two closed forms the better one is the floor; a network's difference to it must be below minus
``acceptance`` standard errors. Two standard errors by default: the early-stopped
loss of a network is already the best of many looks at the validation part.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.diffusion.forward_noising import noised, velocity_target
from tsgen.networks.history_encoder import Activation, ContextKind
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.progress import Progress, silent
from tsgen.torch_streams import module_initialisation, torch_stream
from tsgen.training.mixture_anchor import fit_mixture
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_loop import HeldOut, Trained, block_losses, hold_out, train_head
from tsgen.training.training_rows import RowSplit, TrainingRows


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Which heads compete.

    Parameters
    ----------
    n_components : int
        Components of the mixture anchor; 0: only the standard normal anchor.
    contexts : tuple of {"none", "features", "window"}
        Contexts a network may have, in the order in which they are tried; empty: no network.
    lookback : int
        Truncation of the past, in periods.
    width, n_blocks : int
        Size of the network.
    activation : {"silu", "relu"}
    anchor_is_floor : bool
        ``True``: candidates must beat the anchor on held-out data. ``False``: the last context is trained and kept
        whatever it scores (the published model, for comparison).
    acceptance : float
        Standard errors by which a candidate must be better.
    """

    n_components: int = 4
    contexts: tuple[ContextKind, ...] = ("none", "features", "window")
    lookback: int = 8
    width: int = 64
    n_blocks: int = 2
    activation: Activation = "silu"
    anchor_is_floor: bool = True
    acceptance: float = 2.0


class Comparison(NamedTuple):
    """One candidate against the best head before it; losses are held-out, per coordinate."""

    candidate: str
    loss: float
    difference: float
    standard_error: float
    accepted: bool
    steps: int


class Selection(NamedTuple):
    """Outcome of the competition."""

    shape: HeadShape
    steps: int
    """Training steps of the chosen network; 0 without one."""
    head: ScoreHead
    comparisons: list[Comparison]


def build_head(shape: HeadShape, data: TrainingRows, rows: Tensor, *, seed: int) -> ScoreHead:
    """Untrained head: anchor fitted to the rows, network initialised from the seed."""
    anchor = None
    if shape.n_components:
        anchor = fit_mixture(data.clean(rows), n_components=shape.n_components, seed=seed)
    with module_initialisation(seed, "score head"):
        head = ScoreHead(shape, anchor).to(data.innovations.device)
    features = data.features.flatten(0, 1)[rows]
    if features.shape[1]:
        head.encoder.feature_mean.copy_(features.mean(dim=0))
        head.encoder.feature_deviation.copy_(features.std(dim=0).clamp_min(1e-3))
    return head


def _paired(candidate: Tensor, incumbent: Tensor) -> tuple[float, float]:
    difference = candidate - incumbent
    return float(difference.mean()), float(difference.std() / math.sqrt(len(difference)))


class _Contest:
    """Runs candidates against the incumbent on the same held-out noise."""

    def __init__(
        self,
        data: TrainingRows,
        split: RowSplit,
        head: HeadConfig,
        training: TrainingConfig,
        *,
        seed: int,
        progress: Progress,
    ) -> None:
        self.data, self.rows, self.head, self.training = data, split.train, head, training
        self.seed, self.progress = seed, progress
        self.held: HeldOut = hold_out(data, split.validation, split.validation_block, seed=seed)
        self.comparisons: list[Comparison] = []

    def shape(self, *, n_components: int, context: ContextKind | None) -> HeadShape:
        """Shape of a candidate; ``context=None`` means no network."""
        return HeadShape(
            n_assets=self.data.innovations.shape[2],
            n_features=self.data.features.shape[2],
            context=context or "none",
            lookback=self.data.lookback,
            width=self.head.width,
            n_blocks=self.head.n_blocks,
            activation=self.head.activation,
            n_components=n_components,
            learned=context is not None,
        )

    def train(self, shape: HeadShape, stage: str) -> Trained:
        """Train a candidate, or just build it if it has no network."""
        head = build_head(shape, self.data, self.rows, seed=self.seed)
        if not shape.learned:
            return Trained(head, 0, [])
        return train_head(
            head,
            self.data,
            self.rows,
            self.training,
            seed=self.seed,
            evaluate=lambda h: float(block_losses(h, self.data, self.held).mean()),
            keep_start=self.head.anchor_is_floor,
            progress=self.progress,
            stage=stage,
        )

    def judge(
        self, name: str, trained: Trained, incumbent: Tensor | None, *, forced: bool, closed_form: bool = False
    ) -> tuple[bool, Tensor]:
        """Record a candidate; returns whether it is accepted, and its block losses.

        Two closed forms compete on equal terms, the lower held-out loss wins: neither is the floor of the other, and
        heavy tails must not be lost because a short validation part cannot prove them.
        """
        losses = block_losses(trained.head, self.data, self.held)
        difference, error = (0.0, 0.0) if incumbent is None else _paired(losses, incumbent)
        accepted = forced or incumbent is None or difference < (0.0 if closed_form else -self.head.acceptance * error)
        self.comparisons.append(Comparison(name, float(losses.mean()), difference, error, accepted, trained.steps))
        return accepted, losses


def select_head(
    data: TrainingRows,
    split: RowSplit,
    head: HeadConfig,
    training: TrainingConfig,
    *,
    seed: int,
    progress: Progress = silent,
) -> Selection:
    """Let the candidates compete on the validation rows.

    Parameters
    ----------
    data : TrainingRows
        Whitened with numbers fitted on the training part only.
    split : RowSplit
    head, training : HeadConfig, TrainingConfig
    seed : int
    progress : callable

    Returns
    -------
    Selection
    """
    contest = _Contest(data, split, head, training, seed=seed, progress=progress)
    best = contest.train(contest.shape(n_components=0, context=None), "anchor")
    best_shape = best.head.shape
    _, best_losses = contest.judge("standard normal anchor", best, None, forced=True)
    candidates: list[tuple[str, int | None, ContextKind | None]] = []
    if head.n_components:
        candidates.append((f"mixture anchor ({head.n_components})", head.n_components, None))
    contexts = head.contexts if head.anchor_is_floor else head.contexts[-1:]
    for context in contexts:
        if context == "features" and data.features.shape[2] == 0:
            continue  # this whitening knows nothing beyond the innovations
        candidates.append((f"network, context {context}", None, context))
    for name, n_components, context in candidates:
        components = best_shape.n_components if n_components is None else n_components
        shape = contest.shape(n_components=components, context=context)
        trained = contest.train(shape, name)
        forced = not head.anchor_is_floor
        accepted, losses = contest.judge(name, trained, best_losses, forced=forced, closed_form=context is None)
        if accepted:
            best, best_shape, best_losses = trained, shape, losses
    return Selection(best_shape, best.steps, best.head, contest.comparisons)


def refit_head(
    selection: Selection,
    data: TrainingRows,
    rows: Tensor,
    training: TrainingConfig,
    *,
    seed: int,
    progress: Progress = silent,
) -> ScoreHead:
    """Train the selected head again on all rows, for the number of steps that validation chose."""
    head = build_head(selection.shape, data, rows, seed=seed)
    if not selection.shape.learned or selection.steps == 0:
        return head.requires_grad_(False)
    trained = train_head(
        head, data, rows, training, seed=seed, stop_at=selection.steps, progress=progress, stage="refit on all data"
    )
    return trained.head


@torch.no_grad()
def residual_share(head: ScoreHead, data: TrainingRows, rows: Tensor, *, tau: float, seed: int) -> float:
    """``E|v - F|^2`` per coordinate at one angle: the noise share of the last stochastic step."""
    generator = torch_stream(seed, "residual share")
    chosen = rows[torch.randperm(len(rows), generator=generator)[:20_000]]
    clean = data.clean(chosen)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    angle = torch.full((len(clean), 1), tau, device=clean.device)
    predicted = head(noised(clean, noise, angle), angle, data.past(chosen))
    return float((velocity_target(clean, noise, angle) - predicted).square().mean())
