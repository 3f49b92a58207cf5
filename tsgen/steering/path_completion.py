"""The path so far, completed by its expected continuation: what a user's function of the path is shown early."""

from typing import NamedTuple

import torch
from torch import Tensor


class PathCompletion(NamedTuple):
    """Returns already made, and the expected ones of the periods after the current one."""

    made: Tensor
    """(path, periods before this one, asset)."""
    expected: Tensor
    """(path, asset): location of the current period, repeated for the periods after it."""
    n_after: int

    def with_current(self, returns: Tensor) -> Tensor:
        """Whole paths (path, time, asset) with ``returns`` in the current period."""
        after = self.expected[:, None].expand(-1, self.n_after, -1)
        return torch.cat([self.made, returns[:, None], after], dim=1)
