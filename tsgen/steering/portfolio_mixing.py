"""Products with the mixing matrix of a prediction, whichever form it has."""

from torch import Tensor

from tsgen.whitening.whitening_protocol import Prediction


def mixed(prediction: Prediction, innovations: Tensor) -> Tensor:
    """Standardised shocks ``root z``, (path, asset)."""
    root = prediction.root
    if root is None:
        return innovations
    if not isinstance(root, Tensor):
        return root.colour(innovations)
    return innovations @ root[0].T if root.shape[0] == 1 else (root @ innovations[:, :, None])[:, :, 0]


def mixed_back(prediction: Prediction, loads: Tensor) -> Tensor:
    """``root' l`` for loads ``l`` of shape (path, portfolio, asset)."""
    root = prediction.root
    if root is None:
        return loads
    if not isinstance(root, Tensor):
        return root.transposed(loads)
    return loads @ (root[0] if root.shape[0] == 1 else root)
