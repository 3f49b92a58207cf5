"""Score error: exact velocity scores zero, known errors score what they are, refusals."""

import numpy as np
import pytest

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation import score_error
from tsgen.marketdata.known_processes import Arma, VarProcess

ANGLES = [0.05, 0.5, 1.2, np.pi / 2]
SIZE = {"past_lengths": [0, 1, 6], "n_paths": 400, "seed": 0}


def test_exact_velocity_scores_zero():
    process = VarProcess(np.array([[[0.4, 0.1], [0.0, 0.5]]]), np.array([[1.0, 0.3], [0.3, 2.0]]))

    def exact(u, tau, past):
        return process.conditional_law(past).velocity(u, tau)

    for result in score_error(exact, process, angles=ANGLES, **SIZE):
        assert result.value == 0.0
        assert result.n == 1200


def test_relative_error_has_the_size_it_was_given():
    process = Arma(phi=[0.7], theta=[])

    def too_large(u, tau, past):
        return 1.1 * process.conditional_law(past).velocity(u, tau)

    for result in score_error(too_large, process, angles=ANGLES, **SIZE):
        assert result.value == pytest.approx(0.1, rel=1e-9)
        # every draw has the same relative error: no spread
        assert result.standard_error < 1e-9


def test_forgetting_the_past_costs_what_theory_says():
    process = Arma(phi=[0.8], theta=[])
    tau = 0.6

    def blind(u, tau, past):
        return process.conditional_law(past[:, :0]).velocity(u, tau)

    (result,) = score_error(blind, process, angles=[tau], past_lengths=[1], n_paths=40_000, seed=1)
    # F = a u + b m with m the conditional mean: closed forms of Gaussian conditioning
    cosine, sine = np.cos(tau), np.sin(tau)

    def line(variance):
        total = cosine**2 * variance + sine**2
        slope = cosine * sine * (1 - variance) / total
        return slope, -(sine + slope * cosine)

    marginal = 1 / (1 - 0.64)
    (a, b), (blind_a, _) = line(1.0), line(marginal)
    mean_variance = 0.64 * marginal
    noised = cosine**2 * marginal + sine**2
    # exact: a u + b m, blind: blind_a u; cov(u, m) = cos * var(m)
    cross = cosine * mean_variance
    error = (a - blind_a) ** 2 * noised + b**2 * mean_variance + 2 * (a - blind_a) * b * cross
    size = a**2 * noised + b**2 * mean_variance + 2 * a * b * cross
    assert result.value == pytest.approx(np.sqrt(error / size), abs=4 * result.standard_error)
    assert 0 < result.standard_error < 0.02


def test_score_error_in_the_note():
    process = Arma(phi=[0.5], theta=[])

    def shifted(u, tau, past):
        return process.conditional_law(past).velocity(u, tau) + 0.1

    (result,) = score_error(shifted, process, angles=[0.4], past_lengths=[2], n_paths=20_000, seed=0)
    # score error 0.1 cot(tau); the score of the noised Gaussian has variance 1 / (cos^2 + sin^2) = 1
    assert float(result.note.split(": ")[1]) == pytest.approx(0.1 / np.tan(0.4), rel=0.03)


def test_refusals():
    process = Arma(phi=[0.5], theta=[])

    def zero(u, tau, past):
        return np.zeros_like(u)

    with pytest.raises(ConfigError, match=r"angles must be one or more radians in \(0, pi/2\]: got \[0.0\]"):
        score_error(zero, process, angles=[0.0], **SIZE)
    with pytest.raises(ConfigError, match="angles must be one or more radians"):
        score_error(zero, process, angles=[np.nan], **SIZE)
    with pytest.raises(ConfigError, match="angles must be different"):
        score_error(zero, process, angles=[0.5, 0.5], **SIZE)
    with pytest.raises(ConfigError, match="past_lengths must be one or more integers"):
        score_error(zero, process, angles=[0.5], **(SIZE | {"past_lengths": [-1]}))
    with pytest.raises(DataError, match=r"the exact velocity is zero at tau = 1\.571"):
        score_error(zero, process, angles=[np.pi / 2], **(SIZE | {"past_lengths": [0]}))
    with pytest.raises(ConfigError, match="n_paths must be an integer of at least 20"):
        score_error(zero, process, angles=[0.5], **(SIZE | {"n_paths": 3}))
    with pytest.raises(ShapeError, match=r"must return the shape of u: expected \(400, 1\), got \(400,\)"):
        score_error(lambda u, tau, past: u[:, 0], process, angles=[0.5], **SIZE)
    with pytest.raises(DataError, match=r"the velocity is not finite at tau = 0\.5, past length 0"):
        score_error(lambda u, tau, past: u * np.nan, process, angles=[0.5], **SIZE)
