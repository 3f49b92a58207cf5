"""The exact conditional law passes at its level; a wrong one is found."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.conditional_law import conditional_law_check
from tsgen.marketdata.known_processes import StudentTAr


@pytest.fixture(scope="module")
def process():
    return StudentTAr(phi=[0.5], dof=4.0)


def exact(process):
    return lambda past, rng: process.conditional_law(past).sample(rng=rng)


def test_level(process):
    verdicts = [
        conditional_law_check(exact(process), process, past_lengths=[0, 4], n_paths=100, seed=s)[0].verdict
        for s in range(200)
    ]
    assert binomtest(verdicts.count("reject"), 200, 0.05).pvalue > 1e-3


def test_a_forecast_that_forgets_the_past_is_rejected(process):
    def forgetful(past, rng):
        return process.conditional_law(np.zeros_like(past)).sample(rng=rng)

    found = conditional_law_check(forgetful, process, past_lengths=[5], n_paths=2_000, seed=0)[0]
    assert found.verdict == "reject"
    assert found.value > found.floor + 5 * found.floor_deviation


def test_a_tail_cut_short_is_rejected(process):
    def clipped(past, rng):
        law = process.conditional_law(past)
        return law.mean + 0.7 * (law.sample(rng=rng) - law.mean)

    assert conditional_law_check(clipped, process, past_lengths=[3], n_paths=2_000, seed=0)[0].verdict == "reject"


@pytest.mark.parametrize(
    ("draw", "arguments", "error", "message"),
    [
        (lambda past, rng: np.zeros(3), {}, ShapeError, "one value per past"),
        (lambda past, rng: np.full((len(past), 1), np.nan), {}, DataError, "not finite"),
        (lambda past, rng: np.zeros((len(past), 1)), {"n_paths": 5}, ConfigError, "at least 20 paths"),
        (lambda past, rng: np.zeros((len(past), 1)), {"past_lengths": []}, ConfigError, "past lengths"),
    ],
)
def test_bad_input_is_refused(process, draw, arguments, error, message):
    with pytest.raises(error, match=message):
        conditional_law_check(draw, process, **{"past_lengths": [2], "n_paths": 50, "seed": 0} | arguments)
