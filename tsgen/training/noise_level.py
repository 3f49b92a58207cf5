r"""Signal and noise of a regression, direction by direction of a kernel, estimated from the data.

Denoising is a regression with noisy labels: given ``(u, tau, past)`` the velocity target scatters around its mean. In
the basis of the kernel's eigenfunctions ``phi_j`` (orthonormal over the data) the labels have coefficients
``c_j = mean phi_j y``, and what matters for stopping is how uncertain each of them is. Labels may be heteroscedastic,
and rows that are noised copies of one observation share its error, so the variance of ``c_j`` is taken between
observations. How large the signal is follows from maximising the marginal likelihood of the coefficients under a
Gaussian process with this kernel (empirical Bayes).

Most of the noise of a denoising label is noise that was added, and can be added again: with several noised copies of
every observation the signal is known far better than from the labels that training may see once. If training draws it
afresh at every step, it averages out, and descent has to stop only for the error that all copies of an observation
share: half of the noise in the leading directions, less than a hundredth of it in most others.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.errors import DataError, ShapeError

_FEWEST_OBSERVATIONS = 20
_POOLED_WEIGHT = 0.75
"""Weight, in logarithms, of one noise level for all directions: levels of single directions are noisy estimates."""


class SpectralRegression(NamedTuple):
    """Labels in the eigenbasis of a kernel."""

    eigenvalues: Tensor
    """(direction,), decreasing: of the kernel's covariance operator over the data."""
    coefficients: Tensor
    """(direction, output)."""
    noise_level: float
    """Standard deviation of a label around its mean."""
    coefficient_variance: Tensor
    """(direction,): of ``coefficients``, mean over outputs."""
    stopping_variance: Tensor
    """(direction,): variance of the coefficient that gradient descent sees, with all observations. With fresh noise an
    average over neighbouring directions, and never below its own standard error."""
    amplitude: float
    """Variance of the Gaussian process (in units of the kernel) that fits the coefficients best."""
    signal: Tensor
    """(direction,): expected square of the true coefficient given the labels, mean over outputs."""


def _whitened(features: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues of the features' second moments, and features in that basis with unit mean square."""
    values, vectors = torch.linalg.eigh(features.T @ features / len(features))
    kept = values.flip(0) > 1e-12 * values[-1]
    values, vectors = values.flip(0)[kept], vectors.flip(1)[:, kept]
    return values, features @ vectors / values.sqrt()


def _label_variance(coefficients: Tensor, labels: Tensor) -> float:
    """Variance of a label around its mean: what the leading directions, at most half of them, leave unexplained.

    Estimated apart from the amplitude: a likelihood that is free in both calls weak signal noise.
    """
    n_rows = len(labels)
    used = min(len(coefficients), n_rows // 2)
    left = labels.square().mean(dim=1).sum() - n_rows * coefficients[:used].square().mean(dim=1).sum()
    return float(left.clamp_min(0.0)) / (n_rows - used)


def _amplitude(eigenvalues: Tensor, coefficients: Tensor, variance: Tensor) -> float:
    """Amplitude of the process from coefficients of known variance."""
    candidates = torch.cat([torch.zeros(1), torch.logspace(-8, 8, 161)]).double()
    candidates = candidates * (variance / eigenvalues).median()
    spread = candidates[:, None] * eigenvalues + variance
    energy = coefficients.square().mean(dim=1)
    return float(candidates[torch.argmin((spread.log() + energy / spread).sum(dim=1))])


def _expected_square(prior: Tensor, coefficients: Tensor, variance: Tensor) -> Tensor:
    """Posterior second moment of coefficients with a normal prior of the given variance."""
    kept = prior / (prior + variance).clamp_min(torch.finfo(torch.float64).tiny)
    return kept.square() * coefficients.square().mean(dim=1) + kept * variance


def _check(features: Tensor, labels: Tensor, copies: int) -> int:
    if features.ndim != 2 or labels.ndim != 2 or len(features) != len(labels) or len(features) % copies:
        raise ShapeError(
            f"features and labels need one row per noised copy, {copies} in a row per observation: got shapes "
            f"{tuple(features.shape)} and {tuple(labels.shape)}."
        )
    n_observations = len(features) // copies
    if n_observations < _FEWEST_OBSERVATIONS:
        raise DataError(
            f"the noise level needs at least {_FEWEST_OBSERVATIONS} observations: got {n_observations}. Use more rows, "
            "or early_stopping='held_out'."
        )
    return n_observations


def spectral_regression(
    features: Tensor,
    labels: Tensor,
    *,
    copies: int = 1,
    n_observations: int | None = None,
    fixed_labels: bool = False,
) -> SpectralRegression:
    """Eigenvalues, coefficients and their noise, from features of a kernel.

    Parameters
    ----------
    features : Tensor of shape (row, feature)
        From `tsgen.training.kernel_features`. Rows ``i * copies`` to ``(i + 1) * copies - 1`` are noised copies of
        observation ``i``.
    labels : Tensor of shape (row, output)
        What is regressed on the features.
    copies : int
        One: the noise was drawn once, and training sees these very rows. More: training draws fresh noise at every
        step, and only the error common to all copies of an observation remains (but see ``fixed_labels``).
    n_observations : int, optional
        Number of observations in training, if ``features`` hold a subsample of them.
    fixed_labels : bool
        Training sees one noisy label per observation, drawn once; several copies only serve to know the signal.

    Returns
    -------
    SpectralRegression

    Raises
    ------
    ShapeError
        If rows do not match or are no multiple of ``copies``.
    DataError
        If there are fewer than 20 observations.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(2000, 1, generator=generator, dtype=torch.float64)
    >>> y = 2.0 * x + 0.5 * torch.randn(2000, 1, generator=generator, dtype=torch.float64)
    >>> round(spectral_regression(x, y).noise_level, 1)
    0.5
    """
    n_sampled = _check(features, labels, copies)
    n_rows, n_total = len(features), n_observations or n_sampled
    labels = labels.double()
    eigenvalues, basis = _whitened(features.double())
    coefficients = basis.T @ labels / n_rows
    noise_variance = _label_variance(coefficients, labels)
    plain = torch.full_like(eigenvalues, noise_variance / n_rows)
    signal = _amplitude(eigenvalues, coefficients, plain) * eigenvalues
    shrinkage = signal / (signal + plain).clamp_min(torch.finfo(torch.float64).tiny)
    leverage = (basis.square() @ shrinkage / n_rows).clamp(max=0.9)
    residual = (labels - basis @ (shrinkage[:, None] * coefficients)) / (1.0 - leverage)[:, None]
    squares, sums = _label_squares(basis, residual, copies)
    single, grouped = (x.mean(dim=0) / copies for x in (squares, sums))
    alone = noise_variance**_POOLED_WEIGHT * single ** (1.0 - _POOLED_WEIGHT)
    variance = alone * grouped / single / n_rows
    stopping = (alone if copies == 1 or fixed_labels else _shared_variance(squares, sums, copies)) / n_total
    amplitude = _amplitude(eigenvalues, coefficients, variance)
    known = _expected_square(amplitude * eigenvalues, coefficients, variance)
    return SpectralRegression(eigenvalues, coefficients, noise_variance**0.5, variance, stopping, amplitude, known)


def _label_squares(basis: Tensor, residual: Tensor, copies: int) -> tuple[Tensor, Tensor]:
    """Per observation and direction, mean over outputs: sum over copies of ``(phi_j r)^2``, square of their sum."""
    n_outputs = residual.shape[1]
    squares = (basis.square() * residual.square().mean(dim=1, keepdim=True)).view(-1, copies, basis.shape[1]).sum(dim=1)
    if copies == 1:
        return squares, squares
    sums = torch.zeros_like(squares)
    for output in range(n_outputs):
        sums += (basis * residual[:, output, None]).view(-1, copies, basis.shape[1]).sum(dim=1).square() / n_outputs
    return squares, sums


def _shared_variance(squares: Tensor, sums: Tensor, copies: int) -> Tensor:
    """Variance per observation of the error that its copies share, from `_label_squares`; shape (direction,).

    The mean product of two different copies of an observation, averaged over neighbouring directions (three to five
    quarters of the index). It is no smaller than its standard error between observations.
    """
    n_observations, n_directions = sums.shape
    pairs = (sums - squares) / (copies * (copies - 1))
    index = torch.arange(n_directions)
    first, last = index - index // 4, (index + index // 4 + 1).clamp(max=n_directions)
    total = torch.cat([pairs.new_zeros(n_observations, 1), pairs.cumsum(dim=1)], dim=1)
    shared = (total[:, last] - total[:, first]) / (last - first)
    return torch.maximum(shared.mean(dim=0), shared.std(dim=0) / math.sqrt(n_observations))
