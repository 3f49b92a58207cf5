r"""Simple returns above -100 %, and the unbounded coordinate in which they are modelled.

No holding loses more than itself, but location plus scale times innovation knows no bound. So simple returns of a
panel are modelled as ``x``, with

    r = x                                    for x >= -1/2,
    r = -1 + exp(2 (x + 1/2)) / 2            below,

which has a continuous slope and an exact inverse. Panels without such losses are modelled as they are, to the bit;
beyond, a return is in effect a log return.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_KINK = -0.5
_SHORTFALL = 1.0 + _KINK
LARGEST_LOSS = 1.0 - 2.0**-20
"""What is generated at most: still a number below one in float32, with a logarithm."""


def limited(unbounded: Tensor) -> Tensor:
    """Simple returns of the unbounded coordinate, element by element.

    Examples
    --------
    >>> limited(torch.tensor([0.1, -0.5, -1.5, -60.0])).tolist()
    [0.10000000149011612, -0.5, -0.9323323369026184, -0.9999990463256836]
    """
    # clamped first: exp of what is not chosen would overflow, and its gradient with it
    below = _SHORTFALL * torch.exp((unbounded.clamp(max=_KINK) - _KINK) / _SHORTFALL) - 1.0
    return torch.where(unbounded < _KINK, below.clamp(min=-LARGEST_LOSS), unbounded)


def unlimited(returns: Tensor) -> Tensor:
    """The unbounded coordinate of recorded simple returns, all above -1; the inverse of `limited`.

    Examples
    --------
    >>> unlimited(limited(torch.tensor([0.1, -0.5, -1.5], dtype=torch.float64))).round(decimals=12).tolist()
    [0.1, -0.5, -1.5]
    """
    lost = _KINK + _SHORTFALL * torch.log((1.0 + returns.clamp(max=_KINK)) / _SHORTFALL)
    return torch.where(returns < _KINK, lost, returns)


def modelled(recorded: NDArray[np.float64], *, limited_losses: bool) -> Tensor:
    """Recorded returns as the whitening sees them: `unlimited` where losses are limited, else as they are; a copy."""
    returns = torch.from_numpy(recorded.copy())
    return unlimited(returns) if limited_losses else returns
