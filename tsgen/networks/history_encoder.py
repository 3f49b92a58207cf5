"""Causal encoder of the truncated past: what the score head may know besides the noisy coordinate.

The context of period ``t`` is a function of the last ``lookback`` innovations (with a mark for periods before
the start of the path) and of the features the whitening knew before ``t``. Beyond the look-back the past has no
effect, which is the truncation that makes finite-sample guarantees possible (Cao, Chen, Han, Xu 2026).
"""

from typing import Literal, NamedTuple, final

import torch
from torch import Tensor, nn

ContextKind = Literal["none", "features", "window"]
Activation = Literal["silu", "relu"]

_LARGEST_INPUT = 6.0  # innovations beyond six standard deviations look alike to the encoder


class Past(NamedTuple):
    """What is known before one period."""

    window: Tensor
    """(batch, lookback, asset): last innovations, nearest last; zeros before the start."""
    known: Tensor
    """(batch, lookback): 1 where the period exists, 0 before the start."""
    features: Tensor
    """(batch, feature): from the whitening."""


def activation_of(name: Activation) -> nn.Module:
    """Module of the activation ``name``."""
    return nn.SiLU() if name == "silu" else nn.ReLU()


@final
class HistoryEncoder(nn.Module):
    """Context vector of the truncated past.

    Parameters
    ----------
    kind : {"none", "features", "window"}
        Nothing; the whitening's features only; features and the last innovations.
    n_assets, n_features, lookback, width : int
        Sizes.
    activation : {"silu", "relu"}
    """

    feature_mean: Tensor
    feature_deviation: Tensor

    def __init__(
        self, *, kind: ContextKind, n_assets: int, n_features: int, lookback: int, width: int, activation: Activation
    ) -> None:
        super().__init__()
        self.kind = kind
        self.lookback = lookback if kind == "window" else 0
        inputs = {"none": 0, "features": n_features, "window": n_features + self.lookback * (n_assets + 1)}[kind]
        self.context_size = width if inputs else 0
        self.layers = (
            nn.Sequential(nn.Linear(inputs, width), activation_of(activation), nn.Linear(width, width))
            if inputs
            else None
        )
        self.register_buffer("feature_mean", torch.zeros(n_features))
        self.register_buffer("feature_deviation", torch.ones(n_features))

    def forward(self, past: Past) -> Tensor:
        """Context of shape (batch, context_size); independent of anything older than the look-back."""
        if self.layers is None:
            return past.features[:, :0]
        return self.layers(self.inputs(past))

    def inputs(self, past: Past) -> Tensor:
        """What the layers see: standardised features and, with a window, the last innovations and their marks."""
        parts = [(past.features - self.feature_mean) / self.feature_deviation]
        if self.kind == "window":
            window = past.window[:, past.window.shape[1] - self.lookback :]
            parts += [window.clamp(-_LARGEST_INPUT, _LARGEST_INPUT).flatten(1), past.known[:, -self.lookback :]]
        return torch.cat(parts, dim=1)
