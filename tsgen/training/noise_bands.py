"""Held-out loss by noise level: a network must not buy its gain at one level with a loss at another.

The mean over all levels hides it: most of a velocity's error lies at small angles, while tails and scale of what is
generated are decided at large ones.
"""

import torch
from torch import Tensor

from tsgen.diffusion.denoising_loss import SMALLEST_TRAINING_ANGLE, row_losses
from tsgen.networks.score_head import ScoreHead
from tsgen.training.training_loop import HeldOut
from tsgen.training.training_rows import TrainingRows

N_BANDS = 3
"""Equal parts of the range of angles in training."""

ALLOWED_ERRORS = 2.0
"""A candidate may be worse in a band by this many standard errors: less is not told from nothing."""

_BATCH = 8192


@torch.no_grad()
def band_losses(head: ScoreHead, data: TrainingRows, held: HeldOut) -> Tensor:
    """Held-out loss of every noise band and independent block, shape (band, block), float64.

    Sums over the rows of a block, in units of the average number of rows that a block has in the band: blocks
    without a row of some band do no harm.
    """
    parts = torch.arange(len(held.rows)).split(_BATCH)
    losses = [row_losses(head(held.noisy[p], held.tau[p], data.past(held.rows[p])), held.target[p]) for p in parts]
    share = (held.tau[:, 0].cpu() - SMALLEST_TRAINING_ANGLE) / (torch.pi / 2 - SMALLEST_TRAINING_ANGLE)
    band = (share * N_BANDS).long().clamp(0, N_BANDS - 1)
    n_blocks = int(held.block.max()) + 1
    cell = band * n_blocks + held.block
    total = torch.zeros(N_BANDS * n_blocks, dtype=torch.float64).index_add_(0, cell, torch.cat(losses).double().cpu())
    mean_count = torch.bincount(band, minlength=N_BANDS).clamp_min(1) / n_blocks
    return total.reshape(N_BANDS, n_blocks) / mean_count[:, None]


def worse_in_some_band(candidate: Tensor, incumbent: Tensor) -> bool:
    """Whether paired losses (band, block) of the candidate are significantly higher in one of the bands.

    Examples
    --------
    >>> better, worse = torch.zeros(3, 50), torch.zeros(3, 50)
    >>> worse[2] = 1.0 + 0.1 * torch.randn(50, generator=torch.Generator().manual_seed(0))
    >>> worse_in_some_band(worse, better), worse_in_some_band(better, worse)
    (True, False)
    """
    difference = candidate - incumbent
    error = difference.std(dim=1) / difference.shape[1] ** 0.5
    return bool((difference.mean(dim=1) > ALLOWED_ERRORS * error).any())
