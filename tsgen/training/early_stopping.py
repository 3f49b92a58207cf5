r"""When to stop gradient descent on noisy labels, without holding data out.

A wide network trained by gradient descent follows kernel regression with its tangent kernel. With eigenvalues
``lambda_j`` of the kernel's covariance operator and coefficients that are known up to a variance ``w_j`` (``sigma^2 /
n`` for plain noise), descent to the time ``t`` (sum of step sizes) has a squared bias of at most ``R^2 / (2 e t)`` for
functions of norm ``R``, and a variance of about ``t * C(t)^2`` with the local empirical Rademacher complexity
``C(t) = sqrt(sum_j w_j min(lambda_j, 1/t))``. Descent stops as soon as the variance takes over:

    stop at the first t with   C(t) > R / (c t).

Raskutti, Wainwright and Yu prove optimal rates for ``c = 2 e`` and ``R = 1``. Here the norm ``R`` is estimated from the
data, as is the noise: with ``R = 1`` the rule stops far too early (root mean square score errors of 1.66 times the
best, over ten Gaussian and mixture laws with 256 and 1,024 samples, four seeds each; 1.08 times with the estimate).
``c = 4`` by default, because the proof's constant is loose: on the same laws 1.06 times the best. Where the signal is
weak against the noise (a velocity that explains a few per cent of the labels, or heavy tails with a few hundred
samples), ``R`` is hard to estimate and the rule can be off by more; a network must then still beat the closed form.
"""

import math
from typing import NamedTuple, cast

import torch
from scipy.optimize import brentq
from torch import Tensor

from tsgen.errors import ConfigError, ShapeError
from tsgen.training.noise_level import SpectralRegression

DEFAULT_CONSTANT = 4.0


class StoppingTime(NamedTuple):
    """Where the rule stops, and what it was derived from."""

    time: float
    """Sum of step sizes of gradient descent on half the mean squared error; 0 if no signal was found."""
    radius: float
    """Norm of the target in the space of the kernel."""
    noise_level: float
    """Standard deviation of a label around its mean."""
    eigenvalues: Tensor
    """(direction,), decreasing: the kernel's spectrum over the data."""
    effective_directions: float
    """``sum_j (1 - exp(-lambda_j t))``: number of directions that have been learned at the stop."""


def local_complexity(eigenvalues: Tensor, variances: Tensor, time: float) -> float:
    """``sqrt(sum_j w_j min(lambda_j, 1/t))``: the local empirical Rademacher complexity times the noise level.

    Parameters
    ----------
    eigenvalues : Tensor of shape (direction,)
    variances : Tensor of shape (direction,)
        ``sigma^2 / n`` in every direction for independent labels of equal noise.
    time : float
        Sum of step sizes, positive.

    Examples
    --------
    >>> round(local_complexity(torch.tensor([4.0, 1.0]), torch.tensor([0.01, 0.01]), 0.5), 4)  # sqrt(0.02 + 0.01)
    0.1732
    """
    return math.sqrt(float((variances * eigenvalues.clamp(max=1.0 / time)).sum()))


def critical_time(
    eigenvalues: Tensor, variances: Tensor, *, radius: float = 1.0, constant: float = DEFAULT_CONSTANT
) -> float:
    """First time at which ``t * local_complexity(t)`` exceeds ``radius / constant``.

    Parameters
    ----------
    eigenvalues : Tensor of shape (direction,)
        Positive, of the kernel's covariance operator (Gram matrix divided by n).
    variances : Tensor of shape (direction,)
        Variance of the coefficient of each direction; ``sigma^2 / n`` for plain noise.
    radius : float
        Norm of the target in the space of the kernel; 0: stop at once.
    constant : float
        ``2 e`` in the proof.

    Returns
    -------
    float
        Sum of step sizes; infinite if the labels have no noise.

    Raises
    ------
    ShapeError, ConfigError
        If shapes differ, or numbers are outside their range.

    References
    ----------
    Raskutti, Wainwright, Yu (2014), "Early stopping and non-parametric regression: an optimal data-dependent
    stopping rule", JMLR 15, equation 8; Han, Razaviyayn, Xu (2024), arXiv 2401.15604, section 5 (its use for scores).

    Examples
    --------
    One direction of eigenvalue 1: ``t sqrt(w / t) = R / c`` beyond ``t = 1``, so ``t = R^2 / (c^2 w)``.

    >>> one = torch.ones(1, dtype=torch.float64)
    >>> round(critical_time(one, 0.01 * one, radius=2.0, constant=4.0), 6)
    25.0
    """
    if eigenvalues.ndim != 1 or eigenvalues.shape != variances.shape or len(eigenvalues) == 0:
        raise ShapeError(
            f"eigenvalues and variances need one entry per direction: got shapes {tuple(eigenvalues.shape)} and "
            f"{tuple(variances.shape)}."
        )
    if not (bool((eigenvalues > 0).all()) and bool((variances >= 0).all())):
        raise ConfigError("eigenvalues must be positive and variances not negative. Leave empty directions out.")
    if not (math.isfinite(radius) and radius >= 0.0 and math.isfinite(constant) and constant > 0.0):
        raise ConfigError(f"radius must be 0 or more and constant positive: got {radius!r} and {constant!r}.")
    if radius == 0.0:
        return 0.0
    values, noise = eigenvalues.double(), variances.double()
    if float(noise.max()) == 0.0:
        return math.inf

    def excess(log_time: float) -> float:
        time = math.exp(log_time)
        return log_time + math.log(local_complexity(values, noise, time)) - math.log(radius / constant)

    low = math.log(radius / constant) - 0.5 * math.log(float((noise * values).sum()))
    # before the largest eigenvalue is cut off the product is linear in time, so it never crosses before `low`
    high = low + 1.0
    while excess(high) <= 0.0:
        high += 2.0
    crossing = low if excess(low) >= 0.0 else brentq(excess, low, high, xtol=1e-10)
    return math.exp(float(cast(float, crossing)))


def estimated_radius(regression: SpectralRegression) -> float:
    """Norm of the target: coefficients without their noise, shrunk by empirical Bayes, per output."""
    signal = regression.amplitude * regression.eigenvalues
    shrinkage = signal / (signal + regression.coefficient_variance)
    excess = (regression.coefficients.square().mean(dim=1) - regression.coefficient_variance).clamp_min(0.0)
    return math.sqrt(float((shrinkage * excess / regression.eigenvalues).sum()))


def stopping_time(
    regression: SpectralRegression, *, radius: float | None = None, constant: float = DEFAULT_CONSTANT
) -> StoppingTime:
    """Apply the rule to a regression whose signal and noise were estimated from the data.

    Parameters
    ----------
    regression : SpectralRegression
        From `tsgen.training.noise_level.spectral_regression`.
    radius : float, optional
        Known norm of the target; default: estimated.
    constant : float
        See the module's text.

    Returns
    -------
    StoppingTime

    Examples
    --------
    >>> from tsgen.training.noise_level import spectral_regression
    >>> generator = torch.Generator().manual_seed(0)
    >>> x, noise = torch.randn(2, 400, 1, generator=generator, dtype=torch.float64)
    >>> signal, nothing = (stopping_time(spectral_regression(x, b * x + noise)) for b in (1.0, 0.0))
    >>> signal.time > 10 * nothing.time
    True
    """
    norm = estimated_radius(regression) if radius is None else radius
    time = critical_time(regression.eigenvalues, regression.stopping_variance, radius=norm, constant=constant)
    learned = float(-torch.expm1(-regression.eigenvalues * min(time, 1e30)).sum())
    return StoppingTime(time, norm, regression.noise_level, regression.eigenvalues, learned)
