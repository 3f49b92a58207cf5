r"""Root of a correlation with few factors, applied without ever forming it.

For ``R = U (I + W W') U`` with ``U`` diagonal the root is ``A = U (I + W W')^{1/2}``. The symmetric root in it is
``I + W f(W'W) W'`` with ``f(a) = 1 / (1 + sqrt(1 + a))`` on the eigenvalues of the small matrix ``W'W``, its inverse
the same with ``f(a) = -1 / (sqrt(1 + a) (1 + sqrt(1 + a)))``. Work and memory grow with the number of assets times
the number of factors.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class FactorRoot(NamedTuple):
    """The root ``A`` with ``A A' = R``, shared by all paths."""

    scale: Tensor
    """(asset,): diagonal of ``U``."""
    loadings: Tensor
    """(asset, factor): ``W``."""
    forward: Tensor
    """(factor, factor): ``f(W'W)`` of the root."""
    backward: Tensor
    """(factor, factor): the same of its inverse."""

    def colour(self, innovations: Tensor) -> Tensor:
        """``A z`` for rows z of shape (..., asset)."""
        return self.scale * self._plus(innovations, self.forward)

    def whiten(self, standardised: Tensor) -> Tensor:
        """``A^{-1} y`` for rows y of shape (..., asset)."""
        return self._plus(standardised / self.scale, self.backward)

    def transposed(self, loads: Tensor) -> Tensor:
        """``A' l`` for rows l of shape (..., asset)."""
        return self._plus(self.scale * loads, self.forward)

    def correlated(self, loads: Tensor) -> Tensor:
        """``R l`` for rows l of shape (..., asset)."""
        scaled = self.scale * loads
        return self.scale * (scaled + (scaled @ self.loadings) @ self.loadings.T)

    def _plus(self, values: Tensor, inner: Tensor) -> Tensor:
        return values + (values @ self.loadings) @ inner @ self.loadings.T


def factor_root(loadings: Tensor, unique: Tensor) -> FactorRoot:
    """Root of ``L L' + diag(u)``.

    Parameters
    ----------
    loadings : Tensor of shape (asset, factor)
        ``L``; no factor at all is allowed.
    unique : Tensor of shape (asset,)
        ``u``, positive.

    Returns
    -------
    FactorRoot
    """
    scale = unique.sqrt()
    bent = loadings / scale[:, None]
    values, vectors = torch.linalg.eigh(bent.T @ bent)
    root = torch.sqrt(1.0 + values.clamp_min(0.0))
    forward = (vectors / (1.0 + root)) @ vectors.T
    backward = (vectors / (-root * (1.0 + root))) @ vectors.T
    return FactorRoot(scale, bent, forward, backward)
