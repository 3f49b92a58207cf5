"""How much noise the last stochastic step adds: what the velocity leaves unexplained there."""

import torch
from torch import Tensor

from tsgen.diffusion.forward_noising import noised, velocity_target
from tsgen.networks.score_head import ScoreHead
from tsgen.torch_streams import torch_stream
from tsgen.training.training_rows import TrainingRows

_MOST_ROWS = 20_000


@torch.no_grad()
def residual_share(head: ScoreHead, data: TrainingRows, rows: Tensor, *, tau: float, seed: int) -> float:
    """``E|v - F|^2`` per coordinate at one angle, ``last_share`` of `tsgen.diffusion.stochastic_scheme`."""
    generator = torch_stream(seed, "residual share")
    chosen = rows[torch.randperm(len(rows), generator=generator)[:_MOST_ROWS]]
    clean = data.clean(chosen)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    angle = torch.full((len(clean), 1), tau, device=clean.device)
    predicted = head(noised(clean, noise, angle), angle, data.past(chosen))
    return float((velocity_target(clean, noise, angle) - predicted).square().mean())
