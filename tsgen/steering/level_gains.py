r"""One gain per noise level, from the paths themselves: a calibration test of the control's scale.

Under the exact tilt the noise of a transition has mean ``v*``; regressing it, with the weights of the tilt, on the
control that was used says by how much that level over- or under-steers (the cross-entropy method in closed form).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsgen.steering.path_tape import PathTape

_PSEUDO_UNITS = 20.0
_SMALLEST, _LARGEST = 0.5, 3.0


def updated_gains(tape: PathTape, probabilities: NDArray[np.float64], gains: Tensor, n_nodes: int) -> Tensor:
    """Gains moved half-way to what the weighted tape says, shrunk to one common factor.

    Parameters
    ----------
    tape : PathTape
        Recorded under ``gains``.
    probabilities : ndarray of shape (path,)
        Of the exact tilt.
    gains : Tensor of shape (node,)
    n_nodes : int
        Transitions per period.
    """
    weights = torch.from_numpy(probabilities)[:, None]
    used = gains.double()
    # the shift before its gain: v = gain * v0
    on_noise = (weights * tape.shift_on_noise.double()).sum(dim=0).view(-1, n_nodes).sum(dim=0) / used
    square = (weights * tape.shift_square.double()).sum(dim=0).view(-1, n_nodes).sum(dim=0) / used.square()
    if float(square.sum()) <= 1e-12:
        return gains
    common = float(on_noise.sum() / square.sum())
    effective = float(1.0 / (probabilities**2).sum())
    raw = (effective * on_noise + _PSEUDO_UNITS * common) / (effective * square + _PSEUDO_UNITS)
    return (0.5 * used + 0.5 * raw.clamp(_SMALLEST, _LARGEST)).to(gains.dtype)
