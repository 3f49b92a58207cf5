"""Which closed form describes paths best? Families compete on paths they were not fitted to.

Linear prediction is the floor. A family with moving volatility, or with hidden regimes, replaces it if its
held-out log density per path is higher by more than three standard errors of the paired difference. Innovations
are judged with the law that the family brings along, or with a Student-t law fitted to the training paths.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tsgen.diffusion.regime_velocity import regime_axes, regime_log_density, unpack_regimes
from tsgen.whitening.linear_prediction import LinearPredictionWhitening
from tsgen.whitening.linear_prediction_fit import fit_linear_prediction
from tsgen.whitening.path_volatility_fit import fit_path_volatility
from tsgen.whitening.regime_switching import RegimeSwitchingWhitening
from tsgen.whitening.regime_switching_fit import fit_regime_switching
from tsgen.whitening.student_t_likelihood import log_density, student_t_parameters
from tsgen.whitening.whitening_protocol import Prediction, Whitening, predict_paths, whiten

Array = NDArray[np.float64]

ACCEPTANCE = 3.0
"""Standard errors by which a family must be better."""
FAMILIES = ("linear_prediction", "path_volatility", "regime_switching")
"""In the order in which they are tried; the first is the floor."""

SHORTEST_PATHS = 8
"""Periods below which volatility and regimes cannot be told from a heavy-tailed law."""
MOST_ASSETS_IN_REGIMES = 12
"""Assets beyond which every regime's own matrix of coefficients cannot be estimated from a few thousand paths."""


class FamilyScore(NamedTuple):
    """One family against the best before it; minus log density per period and path on held-out paths."""

    family: str
    loss: float
    difference: float
    standard_error: float
    accepted: bool


def fit_family(family: str, paths: Array, linear: LinearPredictionWhitening | None = None) -> Whitening:
    """Fit one family to paths of shape (path, time, asset); ``linear``: the linear prediction, if fitted already."""
    if family == "regime_switching":
        return fit_regime_switching(paths)
    fitted = fit_linear_prediction(paths) if linear is None else linear
    return fitted if family == "linear_prediction" else fit_path_volatility(paths, fitted)


def _log_volume(prediction: Prediction) -> Array:
    volume = prediction.scale.log().sum(dim=1)
    if prediction.root is not None:
        volume = volume + torch.linalg.slogdet(prediction.root).logabsdet
    return volume.numpy()


def _innovations(whitening: Whitening, paths: Array) -> tuple[Array, Prediction]:
    values = torch.from_numpy(np.ascontiguousarray(paths))
    prediction, rows, _ = predict_paths(whitening, values, whitening.start(len(values)))
    return whiten(prediction, rows).numpy(), prediction


def held_out_losses(whitening: Whitening, training: Array, held_out: Array) -> Array:
    """Minus log density per period of every held-out path, shape (path,)."""
    z, prediction = _innovations(whitening, held_out)
    if isinstance(whitening, RegimeSwitchingWhitening):
        law = unpack_regimes(prediction.features, whitening.n_regimes)
        density = regime_log_density(torch.from_numpy(z), law, regime_axes(whitening.shapes)).numpy()
    else:
        scale, dof = student_t_parameters(_innovations(whitening, training)[0])
        root = np.linalg.cholesky(scale)
        distance = (np.linalg.solve(root, z.T) ** 2).sum(axis=0)
        density = log_density(distance, float(np.log(np.diag(root)).sum()), dof, z.shape[1])
    return (_log_volume(prediction) - density).reshape(held_out.shape[1], len(held_out)).mean(axis=0)


def _families(n_periods: int, n_assets: int) -> tuple[str, ...]:
    """Families that paths of this shape can support, after the linear floor."""
    if n_periods < SHORTEST_PATHS:
        return ()
    return FAMILIES[1:] if n_assets <= MOST_ASSETS_IN_REGIMES else ("path_volatility",)


def choose_family(training: Array, held_out: Array) -> tuple[Whitening, list[FamilyScore]]:
    """Fit every family to ``training`` and judge it on ``held_out``, both (path, time, asset).

    Returns
    -------
    whitening : Whitening
        The winner, fitted to ``training``.
    scores : list of FamilyScore
    """
    linear = fit_linear_prediction(training)
    best: Whitening = linear
    losses = held_out_losses(linear, training, held_out)
    scores = [FamilyScore(linear.kind, float(losses.mean()), 0.0, 0.0, accepted=True)]
    for family in _families(*training.shape[1:]):
        candidate = fit_family(family, training, linear)
        own = held_out_losses(candidate, training, held_out)
        gap, error = float((own - losses).mean()), float((own - losses).std(ddof=1) / math.sqrt(len(own)))
        accepted = gap < -ACCEPTANCE * error
        scores.append(FamilyScore(family, float(own.mean()), gap, error, accepted=accepted))
        if accepted:
            best, losses = candidate, own
    return best, scores
