"""Where roll-outs start: the state of the filters after a recorded history, or before any."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsgen.whitening.whitening_protocol import State, Whitening, whiten


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One path's state, leading axis 1, float64."""

    state: State
    window: Tensor
    """(1, lookback, asset): last innovations, nearest last; zeros where there are none."""
    known: Tensor
    """(1, lookback): 1 where the innovation exists."""


def origin_at_start(whitening: Whitening, lookback: int) -> Origin:
    """Origin of paths without a past."""
    return Origin(
        state=whitening.start(1),
        window=torch.zeros(1, lookback, whitening.n_assets, dtype=torch.float64),
        known=torch.zeros(1, lookback, dtype=torch.float64),
    )


def origins_at(whitening: Whitening, returns: Tensor, observed: Sequence[int], lookback: int) -> list[Origin]:
    """Origins after the first ``n`` recorded periods, for every ``n`` asked for, in one pass.

    Parameters
    ----------
    whitening : Whitening
    returns : Tensor of shape (time, asset), float64
    observed : sequence of int
        Numbers of observed periods, non-decreasing, each between 0 and the length of ``returns``.
    lookback : int

    Returns
    -------
    list of Origin
        The one for ``n`` depends on ``returns[:n]`` alone.
    """
    origin = origin_at_start(whitening, lookback)
    state, window, known = origin.state, origin.window, origin.known
    found: list[Origin] = []
    queue = list(observed)
    for t in range(queue[-1] + 1):
        while queue and queue[0] == t:
            found.append(Origin(state=state, window=window, known=known))
            queue.pop(0)
        if not queue:
            break
        row = returns[t][None]
        if t >= queue[0] - lookback:  # only innovations that some window will still hold are needed
            z = whiten(whitening.predict(state), row)
            window = torch.cat([window[:, 1:], z[:, None]], dim=1)
            known = torch.cat([known[:, 1:], torch.ones(1, 1, dtype=torch.float64)], dim=1)
        state = whitening.observe(state, row)
    return found
