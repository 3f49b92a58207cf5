"""Classifier test: it sees time, takes other classifiers, keeps its level (see test_law_calibration), refuses."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from tests.support.volatile_windows import right_pairs, wrong_pairs
from tsgen.errors import DataError, ShapeError
from tsgen.evaluation import ComparisonEffort, PairedWindows, classifier_test, window_features

EFFORT = ComparisonEffort(null_worlds=19)


def test_sees_the_order_of_time():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((80, 9, 11, 1))
    moving = (noise[:, :, 1:] + noise[:, :, :-1]) / np.sqrt(2)
    order = rng.permuted(np.tile(np.arange(10), (80, 8, 1)), axis=2)
    shuffled = np.take_along_axis(moving[:, 1:], order[..., None], axis=2)
    pairs = PairedWindows(realised=moving[:, 0], generated=shuffled, assets=("A",), kind="log")
    result = classifier_test(pairs, seed=0, effort=EFFORT)
    assert result.verdict == "above floor"
    assert result.value > 0.7
    # chance level: half, with a binomial error of sqrt(1/4/160) = 0.04 a draw
    assert result.floor == pytest.approx(0.5, abs=0.04)


def test_a_classifier_that_guesses_stays_at_chance():
    guess = DummyClassifier(strategy="constant", constant=1)
    result = classifier_test(right_pairs(40, 4, 5, 2, seed=0), seed=0, classifier=guess, effort=EFFORT)
    assert result.value == 0.5


def test_broken_correlation_is_seen():
    pairs = wrong_pairs("broken correlation", 150, 8, 10, 3, seed=0)
    assert classifier_test(pairs, seed=0, effort=EFFORT).verdict == "above floor"


def test_features_by_hand():
    windows = np.array([[[[1.0], [-1.0], [1.0]], [[1.0], [1.0], [-1.0]]]])
    scale = windows.std()
    features = np.sinh(window_features(windows))[0]
    # 3 block sums, 3 block squares, r^2, r^4, max |r|, then lag 1: r r', |r||r'|, r r'^2
    np.testing.assert_allclose(features[0, :3], np.array([1, -1, 1]) / scale)
    np.testing.assert_allclose(features[0, 6:9], np.array([scale**-2, scale**-4, 1 / scale]))
    np.testing.assert_allclose(features[:, 9] * scale**2, [-1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(features[:, 10] * scale**2, [1.0, 1.0])


def test_refusals():
    with pytest.raises(DataError, match="at least 20 units: got 19"):
        classifier_test(right_pairs(19, 3, 4, 1, seed=0), seed=0)
    with pytest.raises(DataError, match="a classifier that sees time needs windows of at least 2"):
        classifier_test(right_pairs(30, 3, 1, 1, seed=0), seed=0)
    windows = np.random.default_rng(0).standard_normal((3, 2, 4, 2))
    with pytest.raises(ShapeError, match="with at least two periods"):
        window_features(windows[:, :, :1])
    with pytest.raises(ShapeError, match=r"axes \(unit, member, time, asset\)"):
        window_features(windows[0])
    with pytest.raises(DataError, match="windows must be finite: 48"):
        window_features(windows * np.nan)
    with pytest.raises(DataError, match="constant in all windows"):
        window_features(windows * np.array([1.0, 0.0]))
