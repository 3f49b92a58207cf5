r"""Symmetric root of a correlation with few factors, applied without ever forming it.

For ``C = I + W W'`` with ``W = diag(r) L diag(q)``, ``L`` shared by all paths and ``r, q`` their own, the symmetric
root is ``C^{1/2} = I + W f(W'W) W'`` with ``f(a) = 1 / (1 + sqrt(1 + a))`` on the eigenvalues of the small matrix
``W'W``, and its inverse the same with ``f(a) = -1 / (sqrt(1 + a) (1 + sqrt(1 + a)))``. Work and memory grow with the
number of assets times the number of factors.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class LowRankRoot(NamedTuple):
    """The root ``C^{1/2}`` of every path."""

    loadings: Tensor
    """(asset, factor): ``L``, shared."""
    row_scale: Tensor
    """(path, asset): ``r``."""
    forward: Tensor
    """(path, factor, factor): ``diag(q) f(W'W) diag(q)`` of the root."""
    backward: Tensor
    """(path, factor, factor): the same of its inverse."""

    def colour(self, innovations: Tensor) -> Tensor:
        """``C^{1/2} z`` for ``z`` of shape (path, asset)."""
        return self._plus(innovations, self.forward)

    def whiten(self, standardised: Tensor) -> Tensor:
        """``C^{-1/2} y`` for ``y`` of shape (path, asset)."""
        return self._plus(standardised, self.backward)

    def transposed(self, loads: Tensor) -> Tensor:
        """``C^{1/2} l``, the root being symmetric, for loads of shape (path, portfolio, asset)."""
        return torch.stack([self.colour(loads[:, s]) for s in range(loads.shape[1])], dim=1)

    def dense(self) -> Tensor:
        """The root as matrices of shape (path, asset, asset)."""
        bent = self.row_scale[:, :, None] * self.loadings
        eye = torch.eye(len(self.loadings), dtype=bent.dtype, device=bent.device)
        return eye + bent @ self.forward @ bent.transpose(1, 2)

    def _plus(self, values: Tensor, inner: Tensor) -> Tensor:
        factors = ((values * self.row_scale) @ self.loadings)[:, :, None]
        return torch.addcmul(values, self.row_scale, (inner @ factors)[:, :, 0] @ self.loadings.T)


def low_rank_root(loadings: Tensor, row_scale: Tensor, factor_scale: Tensor) -> LowRankRoot:
    """Root of ``I + W W'`` with ``W = diag(row_scale) loadings diag(factor_scale)``.

    Parameters
    ----------
    loadings : Tensor of shape (asset, factor)
    row_scale : Tensor of shape (path, asset)
    factor_scale : Tensor of shape (path, factor)

    Returns
    -------
    LowRankRoot
    """
    n_assets, n_factors = loadings.shape
    products = (loadings[:, :, None] * loadings[:, None, :]).reshape(n_assets, n_factors**2)
    gram = (row_scale.square() @ products).view(-1, n_factors, n_factors)
    outer = factor_scale[:, :, None] * factor_scale[:, None, :]
    values, vectors = torch.linalg.eigh(gram * outer)
    root = torch.sqrt(1.0 + values.clamp_min(0.0))

    def inner(f: Tensor) -> Tensor:
        return outer * ((vectors * f[:, None, :]) @ vectors.transpose(1, 2))

    return LowRankRoot(loadings, row_scale, inner(1.0 / (1.0 + root)), inner(-1.0 / (root * (1.0 + root))))
