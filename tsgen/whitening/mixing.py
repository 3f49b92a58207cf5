"""Products with the mixing matrix between innovations and standardised shocks, whichever form it has."""

import torch
from torch import Tensor

from tsgen.whitening.moving_correlation import DirectedRoot

Root = Tensor | DirectedRoot | None
"""(path or 1, asset, asset) invertible matrix, or one that is applied without being formed; ``None``: the identity."""


def mixed(root: Root, innovations: Tensor) -> Tensor:
    """Standardised shocks ``root z``, (path, asset)."""
    if root is None:
        return innovations
    if not isinstance(root, Tensor):
        return root.colour(innovations)
    # one product for all paths instead of one per path
    return innovations @ root[0].T if root.shape[0] == 1 else (root @ innovations[:, :, None])[:, :, 0]


def unmixed(root: Root, standardised: Tensor) -> Tensor:
    """Innovations of standardised shocks (path, asset)."""
    if root is None:
        return standardised
    if not isinstance(root, Tensor):
        return root.whiten(standardised)
    return torch.linalg.solve(root, standardised[:, :, None])[:, :, 0]


def mixed_back(root: Root, loads: Tensor) -> Tensor:
    """``root' l`` for loads ``l`` of shape (path, portfolio, asset)."""
    if root is None:
        return loads
    if not isinstance(root, Tensor):
        return root.transposed(loads)
    return loads @ (root[0] if root.shape[0] == 1 else root)
