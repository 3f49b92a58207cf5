"""The learned part of the value function: one scalar, shared by all periods and noise levels."""

from typing import final

import torch
from torch import Tensor, nn

from tsgen.torch_streams import module_initialisation

_LARGEST_INPUT = 6.0
_SMALLEST_DEVIATION = 1e-3


@final
class ValueNetwork(nn.Module):
    """Two SiLU layers beside a linear map, on standardised look-ahead features; starts at zero.

    Parameters
    ----------
    n_features, width : int
    """

    centre: Tensor
    deviation: Tensor

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(n_features))
        self.register_buffer("deviation", torch.ones(n_features))
        self.hidden = nn.Sequential(nn.Linear(n_features, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.out = nn.Linear(width, 1)
        self.linear = nn.Linear(n_features, 1, bias=False)
        for layer in (self.out, self.linear):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.out.bias)

    @classmethod
    def initialised(cls, features: Tensor, width: int, *, seed: int) -> "ValueNetwork":
        """A network that is zero, standardised by ``features`` of shape (row, feature)."""
        with module_initialisation(seed, "steering value"):
            network = cls(features.shape[1], width)
        network.centre.copy_(features.mean(dim=0))
        spread = features.std(dim=0)
        # a feature that does not move in the reference carries nothing: keep it from being blown up
        network.deviation.copy_(torch.where(spread > _SMALLEST_DEVIATION * features.abs().mean(dim=0), spread, 1e6))
        return network

    def standardised(self, features: Tensor) -> Tensor:
        """Inputs of the layers: standardised and limited to six deviations."""
        return ((features - self.centre) / self.deviation).clamp(-_LARGEST_INPUT, _LARGEST_INPUT)

    def forward(self, features: Tensor) -> Tensor:
        """Value of shape (row,)."""
        return self.of_standardised(self.standardised(features))

    @torch.no_grad()
    def slope(self, features: Tensor) -> Tensor:
        """Slope of the value with respect to the features (row, feature), without automatic gradients."""
        scaled = (features - self.centre).div_(self.deviation)
        inputs = scaled.clamp(-_LARGEST_INPUT, _LARGEST_INPUT)
        first, second = self._layer(0), self._layer(2)
        one, bent_one = _silu_with_slope_(torch.addmm(first.bias, inputs, first.weight.T))
        _, bent_two = _silu_with_slope_(torch.addmm(second.bias, one, second.weight.T))
        back = torch.mm(bent_two.mul_(self.out.weight), second.weight).mul_(bent_one)
        slope = torch.addmm(self.linear.weight, back, first.weight).div_(self.deviation)
        return slope.mul_(scaled == inputs)

    def _layer(self, position: int) -> nn.Linear:
        layer = self.hidden[position]
        if not isinstance(layer, nn.Linear):  # pragma: no cover  (built so above)
            raise TypeError(type(layer).__name__)
        return layer

    def of_standardised(self, inputs: Tensor) -> Tensor:
        """Value from inputs that are standardised already (fitting)."""
        return (self.out(self.hidden(inputs)) + self.linear(inputs))[:, 0]


def _silu_with_slope_(before: Tensor) -> tuple[Tensor, Tensor]:
    """SiLU and its derivative; overwrites the argument, because fresh memory costs more than the arithmetic."""
    gate = torch.sigmoid(before)
    value = before.mul_(gate)
    # g + v (1 - g)
    return value, torch.addcmul(gate, value, gate, value=-1.0).add_(value)
