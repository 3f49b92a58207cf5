"""The closed-form residual law that sits inside the score head, fitted by expectation maximisation.

Covariances are shrunk half-way to isotropic ones and means by pseudo-counts: a few thousand days support
the common scale of a heavy-tailed mixture, not its fine structure (design note on whitening, section 3).
"""

import numpy as np
import torch
from sklearn.mixture import GaussianMixture as SklearnMixture
from torch import Tensor

from tsgen.diffusion.mixture_velocity import GaussianMixture

_SHRINKAGE = 0.5
_PSEUDO_COUNTS = 20.0
_SMALLEST_VARIANCE = 0.02


def fit_mixture(innovations: Tensor, *, n_components: int, seed: int) -> GaussianMixture:
    """Fit a shrunk Gaussian mixture to innovations.

    Parameters
    ----------
    innovations : Tensor of shape (row, asset)
    n_components : int
    seed : int
        Start of the expectation maximisation.

    Returns
    -------
    GaussianMixture
        float32.
    """
    rows = innovations.double().cpu().numpy()
    n_assets = rows.shape[1]
    # own start: components are quantile groups of the size of the shock, what a scale mixture looks like
    size = (rows**2).mean(axis=1)
    edges = np.quantile(size, [0.0, *np.linspace(0.55, 0.95, n_components - 1), 1.0]) if n_components > 1 else None
    start = np.array(
        [1.0 / max(size.mean(), 1e-6)]
        if edges is None
        else [1.0 / max(size[(size >= a) & (size <= b)].mean(), 1e-6) for a, b in zip(edges, edges[1:], strict=False)]
    )
    model = SklearnMixture(
        n_components,
        covariance_type="full",
        means_init=np.zeros((n_components, n_assets)),
        precisions_init=start[:, None, None] * np.eye(n_assets),
        reg_covar=_SMALLEST_VARIANCE / 2,
        max_iter=60,
        tol=1e-4,
        random_state=seed % 2**32,
    )
    import warnings  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sixty iterations are enough for an anchor that held-out loss judges
        model.fit(rows)
    isotropic = np.trace(model.covariances_, axis1=1, axis2=2)[:, None, None] / n_assets * np.eye(n_assets)
    covariances = (1.0 - _SHRINKAGE) * model.covariances_ + _SHRINKAGE * isotropic
    counts = model.weights_ * len(rows)
    means = model.means_ * (counts / (counts + _PSEUDO_COUNTS))[:, None]
    return GaussianMixture(
        torch.from_numpy(np.log(model.weights_)).float(),
        torch.from_numpy(means).float(),
        torch.from_numpy(covariances).float(),
    )
