"""Maximum Student-t likelihood of the variance filter over many paths, all assets in one recursion.

Two starts compete by likelihood: a first variance that is the same for all paths (any value, gain constant), and
variances drawn from their stationary law (the long-run level, gain falling from a higher start).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from tsgen.whitening.linear_prediction import LinearPredictionWhitening
from tsgen.whitening.path_volatility import (
    PathVolatilityWhitening,
    VolatilityDynamics,
    filter_gains,
    next_variance,
)
from tsgen.whitening.student_t_likelihood import student_t_parameters
from tsgen.whitening.whitening_protocol import whiten_paths

Array = NDArray[np.float64]

_ITERATIONS = 80
_PRIOR_SPREAD = 0.3  # of log H and log h_1: what a short path cannot tell stays at the average variance, 1
_FEW_ITERATIONS = 15
_FIRST_PATHS = 400
_LARGEST_SAMPLE = 3_000_000  # values: a gigabyte of gradient records, and far more than seven numbers per asset need
# logit of persistence, logit of beta over persistence, log H, log (dof - 2), and log h_1 or log (r_1 - 1)
_FIRST_GUESS = (3.0, 2.0, 0.0, 1.5)
_BOX = ((-6.0, 7.5), (-6.0, 6.0), (-3.0, 3.0), (-2.0, 6.0))
_KNOWN_GUESS, _KNOWN_BOX = 0.0, (-3.0, 3.0)
_STATIONARY_GUESS, _STATIONARY_BOX = -2.0, (-12.0, 3.0)


def _dynamics(parameters: Tensor, *, known_start: bool) -> tuple[VolatilityDynamics, Tensor]:
    """Dynamics and degrees of freedom of unconstrained parameters (asset, 5)."""
    persistence = torch.sigmoid(parameters[:, 0])
    memory = persistence * torch.sigmoid(parameters[:, 1])
    level, dof, last = (parameters[:, i].exp() for i in range(2, 5))
    start, ratio = (last, torch.ones_like(last)) if known_start else (level.clone(), 1.0 + last)
    return VolatilityDynamics(start, level, persistence, memory, ratio), 2.0 + dof


def _loss(parameters: Tensor, errors: Tensor, *, known_start: bool, whitener: Tensor | None) -> Tensor:
    """Mean Student-t negative log likelihood per value, with the prior; ``errors`` (time, path, asset).

    Assets are taken one by one, or, with a ``whitener`` (inverse root of their correlation), as one law whose
    assets share the size of a period: one asset then tells how unusual the period was for the others.
    """
    dynamics, dof = _dynamics(parameters, known_start=known_start)
    gains = filter_gains(dynamics, len(errors))
    variance, path = dynamics.start.expand(errors.shape[1:]), []
    for t, square in enumerate(errors.square()):
        path.append(variance)
        variance = next_variance(variance, square, gains[t], dynamics)
    h = torch.stack(path)
    joint = 1 if whitener is None else errors.shape[2]
    distance = (errors.square() / h) if whitener is None else (errors / h.sqrt() @ whitener.T).square().sum(2)
    dof = dof if whitener is None else dof.log().mean().exp()
    constant = torch.lgamma(dof / 2) - torch.lgamma((dof + joint) / 2) + 0.5 * joint * torch.log(math.pi * (dof - 2.0))
    kernel = 0.5 * (dof + joint) * torch.log1p(distance / (dof - 2.0))
    scales = torch.stack([dynamics.level, dynamics.start]).log()
    prior = 0.5 * scales.square().sum(dim=0).mean() / (_PRIOR_SPREAD**2 * errors[:, :, 0].numel())
    return (constant.mean() + kernel.mean()) / joint + 0.5 * h.log().mean() + prior


def _minimise(
    errors: Tensor, start: Array, iterations: int, *, known_start: bool, whitener: Tensor | None = None
) -> tuple[Array, float]:
    def value_and_gradient(flat: Array) -> tuple[float, Array]:
        parameters = torch.from_numpy(flat.reshape(start.shape).copy()).requires_grad_()
        loss = _loss(parameters, errors, known_start=known_start, whitener=whitener)
        (gradient,) = torch.autograd.grad(loss, parameters)
        return float(loss.detach()), gradient.numpy().ravel()

    box = [*_BOX, _KNOWN_BOX if known_start else _STATIONARY_BOX]
    found = minimize(
        value_and_gradient,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=box * len(start),
        options={"maxiter": iterations, "ftol": 1e-10},
    )
    return found.x.reshape(start.shape), float(found.fun)


def _asset_by_asset(errors: Tensor, *, known_start: bool) -> tuple[Array, float]:
    """Parameters of largest likelihood, and minus that likelihood."""
    guess = (*_FIRST_GUESS, _KNOWN_GUESS if known_start else _STATIONARY_GUESS)
    parameters = np.tile(np.array(guess), (errors.shape[2], 1))
    iterations = _ITERATIONS
    if errors.shape[1] > 2 * _FIRST_PATHS:  # most of the way on a part of the paths
        part = errors[:, :_FIRST_PATHS].contiguous()
        parameters, _ = _minimise(part, parameters, _ITERATIONS, known_start=known_start)
        iterations = _FEW_ITERATIONS
    return _minimise(errors, parameters, iterations, known_start=known_start)


def _with_correlation(
    parameters: Array, values: Tensor, linear: LinearPredictionWhitening, *, known_start: bool
) -> PathVolatilityWhitening:
    """The filter of the parameters, with the Student-t correlation of what it leaves."""
    found, _ = _dynamics(torch.from_numpy(parameters), known_start=known_start)
    n_assets = linear.n_assets
    alone = PathVolatilityWhitening(linear=linear, dynamics=found, root=torch.eye(n_assets, dtype=torch.float64))
    z = whiten_paths(alone, values, alone.start(len(values))).innovations.reshape(-1, n_assets).numpy()
    scale, _ = student_t_parameters(z)
    spread = np.sqrt(np.diag(scale))
    root = torch.from_numpy(np.linalg.cholesky(scale / np.outer(spread, spread)))
    return PathVolatilityWhitening(linear=linear, dynamics=found, root=root)


def fit_path_volatility(paths: Array, linear: LinearPredictionWhitening) -> PathVolatilityWhitening:
    """Fit the variance filter to the errors of a linear prediction.

    Parameters
    ----------
    paths : ndarray of shape (path, time, asset), float64
    linear : LinearPredictionWhitening
        Fitted to the same paths.

    Returns
    -------
    PathVolatilityWhitening

    References
    ----------
    Bollerslev (1987), "A conditionally heteroskedastic time series model for speculative prices and rates of
    return", Review of Economics and Statistics 69 (the likelihood).
    """
    _, periods, n_assets = paths.shape
    values = torch.from_numpy(np.ascontiguousarray(paths[: max(_FIRST_PATHS, _LARGEST_SAMPLE // (periods * n_assets))]))
    identity = torch.eye(n_assets, dtype=torch.float64)
    still = VolatilityDynamics(*(torch.tensor(x, dtype=torch.float64).expand(n_assets) for x in (1, 1, 0, 0, 1)))
    unmoved = PathVolatilityWhitening(linear=linear, dynamics=still, root=identity)
    errors = whiten_paths(unmoved, values, unmoved.start(len(values))).innovations.transpose(0, 1).contiguous()
    fits = {known: _asset_by_asset(errors, known_start=known) for known in (True, False)}
    known = min(fits, key=lambda k: fits[k][1])
    parameters, _ = fits[known]
    fitted = _with_correlation(parameters, values, linear, known_start=known)
    if n_assets == 1:
        return fitted
    whitener = torch.linalg.inv(fitted.root)
    parameters, _ = _minimise(errors, parameters, _FEW_ITERATIONS, known_start=known, whitener=whitener)
    return _with_correlation(parameters, values, linear, known_start=known)
