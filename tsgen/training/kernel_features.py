r"""Features whose products are a kernel: the leading eigenfunctions, found on a subsample of landmarks.

``psi_j(x) = k(x, landmarks) u_j / sqrt(M lambda_j)`` with the eigenpairs of the landmarks' Gram matrix divided by
``M``; ``psi(x) . psi(x')`` is the kernel projected on the span of the landmarks (Nystrom), and exact on them.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tsgen.errors import DataError
from tsgen.training.tangent_kernel import FeatureMap, HeadInputs, tangent_gradients, weights_with_gradient

Kernel = Callable[[HeadInputs, HeadInputs], Tensor]

_ROUNDING = 1e-11
_ROUNDING_OF_GRADIENTS = 1e-7
"""Eigenvalues below this share of the largest are rounding errors (float64 kernels, float32 gradients)."""


def leading_directions(gram: Tensor, *, smallest_share: float) -> Tensor:
    """Columns ``u_j / sqrt(M lambda_j)`` of the eigenpairs of ``gram / M``, shape (landmark, direction), float64.

    Raises
    ------
    DataError
        If the kernel vanishes on the landmarks or is not finite.
    """
    if not bool(torch.isfinite(gram).all()) or not float(gram.diagonal().max()) > 0.0:
        raise DataError("the tangent kernel is zero or not finite on the subsample. Check the data for extreme values.")
    values, vectors = torch.linalg.eigh(gram.double() / len(gram))
    values, vectors = values.flip(0), vectors.flip(1)
    kept = values > smallest_share * values[0]
    return vectors[:, kept] / (len(gram) * values[kept]).sqrt()


def kernel_features(kernel: Kernel, landmarks: HeadInputs) -> FeatureMap:
    """Feature map of a kernel function.

    Parameters
    ----------
    kernel : callable ``(left, right) -> (left row, right row)``
    landmarks : HeadInputs
        Subsample that spans the features.

    Returns
    -------
    callable ``inputs -> Tensor of shape (row, feature)``, float64
    """
    directions = leading_directions(kernel(landmarks, landmarks), smallest_share=_ROUNDING)
    return lambda inputs: kernel(inputs, landmarks).double() @ directions


def gradient_features(head: nn.Module, landmarks: HeadInputs, *, signs: Tensor) -> FeatureMap:
    """Feature map of the empirical tangent kernel of a head at its present weights.

    Parameters
    ----------
    head : Module
    landmarks : HeadInputs
        Subsample that spans the features.
    signs : Tensor of shape (asset,)
        From `tsgen.training.tangent_kernel.output_signs`.

    Returns
    -------
    callable ``inputs -> Tensor of shape (row, feature)``, float64

    Raises
    ------
    DataError
        If no weight moves the output, or gradients are not finite.
    """
    names = weights_with_gradient(head, landmarks, signs=signs)
    if not names:
        raise DataError("no weight of the head moves its output: it has no network, or a dead one.")
    gradients = tangent_gradients(head, landmarks, signs=signs, names=names).double()
    directions = leading_directions(gradients @ gradients.T, smallest_share=_ROUNDING_OF_GRADIENTS)
    basis = gradients.T @ directions  # orthonormal columns in the space of weights

    def features(inputs: HeadInputs) -> Tensor:
        parts = torch.arange(len(inputs.noisy), device=inputs.noisy.device).split(2048)
        found = (tangent_gradients(head, inputs.take(rows), signs=signs, names=names) for rows in parts)
        return torch.cat([part.double() @ basis for part in found])

    return features
