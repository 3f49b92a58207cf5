"""Where roll-outs start: the state of the filters after a recorded history, or before any."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from tsgen.random_streams import addressed_normals
from tsgen.whitening.whitening_protocol import State, Whitening, whiten

_START_ADDRESS = 2**40  # no period is ever so late: the draw of the starting state shares no number with the noise


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One state from which all paths start (leading axis 1), or several of which each path draws one; float64."""

    state: State
    window: Tensor
    """(state, lookback, asset): last innovations, nearest last; zeros where there are none."""
    known: Tensor
    """(state, lookback): 1 where the innovation exists."""

    @property
    def n_states(self) -> int:
        """Length of the leading axis."""
        return self.window.shape[0]

    def drawn(self, key: NDArray[np.uint64], block: int, n_paths: int) -> "Origin":
        """One state per path, drawn with equal probability; with a single state, the origin itself."""
        if self.n_states == 1:
            return self
        normals = addressed_normals(key, block=block, period=_START_ADDRESS, shape=(n_paths,))
        rows = torch.from_numpy((ndtr(normals.astype(np.float64)) * self.n_states).astype(np.int64))
        rows = rows.clamp_max(self.n_states - 1)
        return Origin(state=tuple(s[rows] for s in self.state), window=self.window[rows], known=self.known[rows])


def joined(origins: Sequence[Origin]) -> Origin:
    """Several single-state origins as one, of which each path draws a state."""
    return Origin(
        state=tuple(torch.cat(parts) for parts in zip(*(o.state for o in origins), strict=True)),
        window=torch.cat([o.window for o in origins]),
        known=torch.cat([o.known for o in origins]),
    )


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
            z = whiten(whitening.predict(state), row, largest_mixed=whitening.largest_mixed)  # as heads learnt it
            window = torch.cat([window[:, 1:], z[:, None]], dim=1)
            known = torch.cat([known[:, 1:], torch.ones(1, 1, dtype=torch.float64)], dim=1)
        state = whitening.observe(state, row)
    return found
