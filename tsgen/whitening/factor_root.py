r"""Root of correlations with the same few factors in other strengths, applied without ever forming it.

    R = D^{-1} (L diag(H) L' + U) D^{-1},    D^2 = diag(L diag(H) L' + U),    U diagonal,

has the root ``A = D^{-1} U^{1/2} (I + W W')^{1/2}`` with ``W = U^{-1/2} L diag(H)^{1/2}``. The symmetric root in it is
``I + W f(W'W) W'`` with ``f(a) = 1 / (1 + sqrt(1 + a))`` on the eigenvalues of the small matrix ``W'W``, its inverse
the same with ``f(a) = -1 / (sqrt(1 + a) (1 + sqrt(1 + a)))``. Work and memory grow with the number of assets times the
number of factors.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class FactorRoot(NamedTuple):
    """The root ``A`` of every path, or of all paths (leading axis 1)."""

    loadings: Tensor
    """(asset, factor): ``U^{-1/2} L``, shared."""
    scale: Tensor
    """(path or 1, asset): ``D^{-1} U^{1/2}``."""
    strength: Tensor
    """(path or 1, factor): ``H``."""
    forward: Tensor
    """(path or 1, factor, factor): ``diag(H)^{1/2} f(W'W) diag(H)^{1/2}`` of the root."""
    backward: Tensor
    """(path or 1, factor, factor): the same of its inverse."""

    def colour(self, innovations: Tensor) -> Tensor:
        """``A z`` for z of shape (path, asset)."""
        return self.scale * self._plus(innovations, self.forward)

    def whiten(self, standardised: Tensor) -> Tensor:
        """``A^{-1} y`` for y of shape (path, asset)."""
        return self._plus(standardised / self.scale, self.backward)

    def transposed(self, loads: Tensor) -> Tensor:
        """``A' l`` for loads of shape (path, asset)."""
        return self._plus(self.scale * loads, self.forward)

    def correlated(self, loads: Tensor) -> Tensor:
        """``R l`` for loads of shape (path, asset)."""
        scaled = self.scale * loads
        return self.scale * (scaled + ((scaled @ self.loadings) * self.strength) @ self.loadings.T)

    def repeated(self, copies: int) -> "FactorRoot":
        """The roots of all paths, several times one after the other."""
        if len(self.scale) == 1:
            return self
        return FactorRoot(self.loadings, *(x.repeat(copies, *[1] * (x.dim() - 1)) for x in self[1:]))

    def _plus(self, values: Tensor, inner: Tensor) -> Tensor:
        factors = (values @ self.loadings)[:, :, None]
        return values + (inner @ factors)[:, :, 0] @ self.loadings.T


def factor_root(loadings: Tensor, unique: Tensor, strength: Tensor) -> FactorRoot:
    """Root of the correlation of ``L diag(H) L' + diag(u)``.

    Parameters
    ----------
    loadings : Tensor of shape (asset, factor)
        ``L``; no factor at all is allowed.
    unique : Tensor of shape (asset,)
        ``u``, positive.
    strength : Tensor of shape (path, factor)
        ``H``, not negative.

    Returns
    -------
    FactorRoot
    """
    bent = loadings / unique.sqrt()[:, None]
    outer = (strength[:, :, None] * strength[:, None, :]).sqrt()
    values, vectors = torch.linalg.eigh((bent.T @ bent) * outer)
    root = torch.sqrt(1.0 + values.clamp_min(0.0))

    def inner(f: Tensor) -> Tensor:
        return outer * ((vectors * f[:, None, :]) @ vectors.transpose(1, 2))

    scale = (1.0 + strength @ bent.square().T).rsqrt()
    return FactorRoot(bent, scale, strength, inner(1.0 / (1.0 + root)), inner(-1.0 / (root * (1.0 + root))))
