"""The closed-form anchor is the floor: a refinement of the head must earn its place on held-out data.

Candidates come smallest first: standard normal residuals; a closed-form mixture; a Student-t law; the regime law of
a whitening that has one; a network without memory; a network that sees the volatility level; a network that sees
the last innovations. Each is compared with the best so far on the same held-out noise; the difference is averaged
over independent blocks (paths, or twenty days), and where blocks abound, those that stopped a network's training
do not judge it. Of the closed forms the best one is the floor; a network's difference to it must be below minus
two standard errors (three where blocks abound): an early-stopped loss is the best of many looks at validation data. And
it must not be worse than the floor in any band of noise levels.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.networks.head_shape import HeadShape, ResidualLaw
from tsgen.networks.history_encoder import Activation, ContextKind
from tsgen.networks.score_head import ScoreHead
from tsgen.progress import Progress, silent
from tsgen.torch_streams import module_initialisation
from tsgen.training.closed_form_density import mean_log_density
from tsgen.training.coordinate_anchor import fit_coordinate_mixture
from tsgen.training.kernel_training import train_to_stop
from tsgen.training.mixture_anchor import fit_mixture
from tsgen.training.noise_bands import band_losses, worse_in_some_band
from tsgen.training.student_t_anchor import N_NODES, fit_student_t
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_loop import HeldOut, Trained, block_losses, hold_out, train_head
from tsgen.training.training_rows import RowSplit, TrainingRows

FEWEST_BLOCKS_TO_SHARE = 100
"""Independent validation blocks from which one half stops the training and the other half judges its outcome."""

STRICTER_WITH_MANY_BLOCKS = 1.5
"""Factor on the acceptance then: several networks are tried, and with that much evidence a real gain stands out."""

LARGEST_FULL_ANCHOR = 60
"""Assets beyond which an anchor with full covariances is neither affordable nor estimable."""


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
        Standard errors by which a network must be better; half as many again with 100 or more validation blocks.
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


def closed_form_shape(
    data: TrainingRows, head: HeadConfig, *, n_components: int, residual: ResidualLaw = "mixture", n_regimes: int = 0
) -> HeadShape:
    """Shape of a head without a network, for these rows."""
    return HeadShape(
        n_assets=data.innovations.shape[2],
        n_features=data.features.shape[2],
        context="none",
        lookback=data.lookback,
        width=head.width,
        n_blocks=head.n_blocks,
        activation=head.activation,
        n_components=n_components,
        learned=False,
        residual=residual,
        n_regimes=n_regimes,
    )


def build_head(shape: HeadShape, data: TrainingRows, rows: Tensor, *, seed: int) -> ScoreHead:
    """Untrained head: anchor fitted to the rows, network initialised from the seed."""
    anchor = None
    if shape.n_components and shape.residual == "coordinates":
        anchor = fit_coordinate_mixture(data.clean(rows), n_components=shape.n_components)
    elif shape.n_components and shape.residual == "student_t":
        anchor = fit_student_t(data.clean(rows))
    elif shape.n_components:
        anchor = fit_mixture(data.clean(rows), n_components=shape.n_components, seed=seed)
    with module_initialisation(seed, "score head"):
        head = ScoreHead(shape, anchor, data.regime_shapes).to(data.innovations.device)
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
        blocks = torch.arange(int(self.held.block.max()) + 1)
        self.validation, self.many = split.validation, len(blocks) >= FEWEST_BLOCKS_TO_SHARE
        self.stopping = blocks[0::2] if self.many else blocks
        self.judging = blocks[1::2] if self.many else blocks
        self.comparisons: list[Comparison] = []
        self.floor_bands: Tensor | None = None

    def train(self, shape: HeadShape, stage: str) -> Trained:
        """Train a candidate, or just build it if it has no network."""
        head = build_head(shape, self.data, self.rows, seed=self.seed)
        if not shape.learned:
            return Trained(head, 0, [])
        if self.training.early_stopping == "ntk":
            descent = train_to_stop(
                head,
                self.data,
                self.rows,
                self.training,
                seed=self.seed,
                at_least_one=not self.head.anchor_is_floor,
                progress=self.progress,
                stage=stage,
            )
            return Trained(descent.head, descent.plan.steps, [])
        return train_head(
            head,
            self.data,
            self.rows,
            self.training,
            seed=self.seed,
            evaluate=lambda h: float(block_losses(h, self.data, self.held)[self.stopping].mean()),
            keep_start=self.head.anchor_is_floor,
            progress=self.progress,
            stage=stage,
        )

    def bands(self, head: ScoreHead) -> Tensor:
        """Judging losses by noise level, (band, block)."""
        return band_losses(head, self.data, self.held)[:, self.judging]

    def worse_than_floor(self, head: ScoreHead) -> bool:
        """Whether a candidate loses against the best closed form in some band."""
        return self.floor_bands is not None and worse_in_some_band(self.bands(head), self.floor_bands)

    def denser(self, candidate: ScoreHead, incumbent: ScoreHead) -> bool | None:
        """Whether a closed form has the higher held-out density; ``None`` if it is unknown or the blocks are few."""
        own, other = (mean_log_density(head, self.data, self.validation) for head in (candidate, incumbent))
        return None if own is None or other is None or not self.many else own > other

    def judge(
        self, name: str, trained: Trained, incumbent: Tensor | None, *, forced: bool | None, closed_form: bool = False
    ) -> tuple[bool, Tensor]:
        """Record a candidate; returns whether it is accepted, and its block losses.

        ``forced``: the verdict, if it is known without the losses. Closed forms compete on equal terms, the lower
        held-out loss wins (where blocks abound, the higher density): heavy tails must not be lost because a short
        validation part cannot prove them.
        """
        losses = block_losses(trained.head, self.data, self.held)[self.judging]
        difference, error = (0.0, 0.0) if incumbent is None else _paired(losses, incumbent)
        demanded = self.head.acceptance * (STRICTER_WITH_MANY_BLOCKS if self.many else 1.0)
        bar = 0.0 if closed_form else -demanded * error
        earned = (incumbent is None or difference < bar) and not self.worse_than_floor(trained.head)
        accepted = earned if forced is None else forced
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
    best = contest.train(closed_form_shape(data, head, n_components=0), "anchor")
    best_shape = best.head.shape
    _, best_losses = contest.judge("standard normal anchor", best, None, forced=True)
    candidates: list[tuple[str, HeadShape]] = []
    if head.n_components and data.innovations.shape[2] > LARGEST_FULL_ANCHOR:
        wide = closed_form_shape(data, head, n_components=head.n_components, residual="coordinates")
        candidates.append((f"coordinate anchor ({head.n_components})", wide))
    elif head.n_components:
        mixture = closed_form_shape(data, head, n_components=head.n_components)
        candidates.append((f"mixture anchor ({head.n_components})", mixture))
        candidates.append(
            ("Student-t anchor", closed_form_shape(data, head, n_components=N_NODES, residual="student_t"))
        )
    if head.n_components and data.regime_shapes is not None:
        regimes = closed_form_shape(data, head, n_components=0, n_regimes=len(data.regime_shapes))
        candidates.append((f"regime anchor ({len(data.regime_shapes)})", regimes))
    contexts = head.contexts if head.anchor_is_floor else head.contexts[-1:]
    for name, shape in candidates:
        trained = contest.train(shape, name)
        denser = contest.denser(trained.head, best.head)
        accepted, losses = contest.judge(name, trained, best_losses, forced=denser, closed_form=True)
        if accepted:
            best, best_shape, best_losses = trained, shape, losses
    contest.floor_bands = contest.bands(best.head)
    for context in contexts:
        if context == "features" and data.features.shape[2] == 0:
            continue  # this whitening knows nothing beyond the innovations
        name = f"network, context {context}"
        shape = best_shape._replace(context=context, learned=True)
        trained = contest.train(shape, name)
        accepted, losses = contest.judge(name, trained, best_losses, forced=None if head.anchor_is_floor else True)
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
    """Train the selected head again on all rows, for the steps that validation chose or the kernel rule allows."""
    # held-out dates may confirm another factor, which is another feature
    shape = selection.shape._replace(n_features=data.features.shape[2])
    head = build_head(shape, data, rows, seed=seed)
    if not selection.shape.learned or selection.steps == 0:
        return head.requires_grad_(False)
    if training.early_stopping == "ntk":
        descent = train_to_stop(
            head, data, rows, training, seed=seed, at_least_one=True, progress=progress, stage="refit on all data"
        )
        return descent.head
    trained = train_head(
        head, data, rows, training, seed=seed, stop_at=selection.steps, progress=progress, stage="refit on all data"
    )
    return trained.head
