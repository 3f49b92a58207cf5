"""Scores against scoringrules, differences against a closed form, refusals."""

import numpy as np
import pytest
import scoringrules

from tests.support.volatile_windows import right_pairs
from tsgen.errors import DataError
from tsgen.evaluation import PairedWindows, energy_scores, proper_scores, score_differences, variogram_scores
from tsgen.evaluation.block_mean import block_mean
from tsgen.evaluation.proper_scores import block_sums


def flat(pairs):
    scale = pairs.realised.reshape(-1, pairs.n_assets).std(axis=0)
    return (pairs.realised / scale).reshape(pairs.n_units, -1), (pairs.generated / scale).reshape(
        pairs.n_units, pairs.n_scenarios, -1
    )


def test_energy_score_agrees_with_scoringrules():
    pairs = right_pairs(12, 7, 4, 2, seed=0)
    observed, ensemble = flat(pairs)
    expected = scoringrules.es_ensemble(observed, ensemble, estimator="fair", backend="numpy")
    np.testing.assert_allclose(energy_scores(pairs), expected, rtol=1e-10)


def test_variogram_score_agrees_with_scoringrules():
    pairs = right_pairs(12, 7, 4, 2, seed=0)
    observed, ensemble = flat(pairs)
    expected = scoringrules.vs_ensemble(observed, ensemble, p=0.5, backend="numpy") / (8 * 7)
    np.testing.assert_allclose(variogram_scores(pairs), expected, rtol=1e-10)


def test_block_sums_keep_the_total():
    members = np.random.default_rng(0).standard_normal((3, 2, 20, 7))
    blocks = block_sums(members)
    assert blocks.shape == (3, 2, 14 * 7)
    np.testing.assert_allclose(blocks.reshape(3, 2, 14, 7).sum(axis=2), members.sum(axis=2), atol=1e-12)
    assert block_sums(np.ones((2, 2, 3, 150))).shape == (2, 2, 100)


def test_gaussian_energy_score_of_one_variable():
    # CRPS of N(0, 1) at its own draws has expectation 1 / sqrt(pi); scaled by the realised deviation
    rng = np.random.default_rng(0)
    pairs = PairedWindows(
        realised=rng.standard_normal((2000, 1, 1)),
        generated=rng.standard_normal((2000, 20, 1, 1)),
        assets=("A",),
        kind="log",
    )
    scores = energy_scores(pairs)
    expected = 1 / np.sqrt(np.pi) / pairs.realised.std()
    assert scores.mean() == pytest.approx(expected, abs=4 * scores.std() / np.sqrt(2000))


def test_true_law_wins():
    right = right_pairs(200, 20, 6, 2, seed=5)
    broken = PairedWindows(
        realised=right.realised,
        generated=np.stack([np.roll(right.generated[..., i], i, axis=1) for i in range(2)], axis=-1),
        assets=right.assets,
        kind="log",
        dates=right.dates,
    )
    # scenarios of the second asset moved by one: margins right, dependence across assets lost
    energy, variogram = score_differences(right, broken)
    assert variogram.value < 0
    assert variogram.p_value < 0.01
    assert energy.value < 0
    assert energy.verdict == variogram.verdict == "report"
    opposite = score_differences(broken, right)
    assert opposite[1].value == pytest.approx(-variogram.value)
    assert score_differences(right, right)[0].p_value == 1.0


def test_block_standard_error_of_dependent_series():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(200):
        noise = rng.standard_normal(1001)
        errors.append(block_mean(noise[1:] + noise[:-1], dependent=True).standard_error)
    # MA(1) with theta = 1: variance of the mean 4 / n; blocks of 10 miss the share 1/20 of it
    assert np.mean(errors) == pytest.approx(2 / np.sqrt(1000), rel=0.06)
    assert block_mean(noise[1:] + noise[:-1], dependent=False).standard_error < 1.7 / np.sqrt(1000)


def test_refusals():
    one = right_pairs(10, 1, 4, 1, seed=0)
    with pytest.raises(DataError, match="at least 2 scenarios per unit: got 1"):
        proper_scores(one, seed=0)
    with pytest.raises(DataError, match="at least 2 variables"):
        variogram_scores(right_pairs(10, 3, 1, 1, seed=0))
    with pytest.raises(DataError, match="same realised windows"):
        score_differences(right_pairs(10, 3, 4, 1, seed=0), right_pairs(10, 3, 4, 1, seed=1))
    with pytest.raises(DataError, match="at least 8 values: got 3"):
        block_mean(np.zeros(3), dependent=True)
    # the last, incomplete block is left out: its missing value would leave the error finite
    with pytest.raises(DataError, match="finite values: 1 are not"):
        block_mean(np.append(np.ones(9), np.nan), dependent=True)
