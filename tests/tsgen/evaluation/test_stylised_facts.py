"""Stylised facts: estimators against statsmodels and numpy, bands against theory, wrong generators outside them."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.tsa.stattools import acf

from tests.support.volatile_windows import paired, right_pairs, wrong_pairs
from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation import PairedWindows, StylisedFact, stylised_facts
from tsgen.evaluation.stylised_facts import ABSOLUTE, LEVERAGE, PAIRS, QUANTILES, TAILS, fact_numbers


def by_name(facts):
    return {fact.name: fact for fact in facts}


def test_estimators_agree_with_other_programs():
    rng = np.random.default_rng(0)
    path = rng.standard_t(5, size=(400, 3)) * 0.01
    path[1:] += 0.3 * np.abs(path[:-1])
    numbers = fact_numbers(path[None], kind="log")
    # one window: the mean over products inside the window is the adjusted estimator
    standardised = (path - path.mean(axis=0)) / path.std(axis=0)
    expected = [acf(np.abs(standardised[:, i]), nlags=20, adjusted=True)[1:] for i in range(3)]
    np.testing.assert_allclose(numbers[ABSOLUTE], np.mean(expected, axis=0), atol=1e-12)
    square = standardised**2
    unit = (square - square.mean(axis=0)) / square.std(axis=0)
    leverage = [np.mean(standardised[:-k] * unit[k:]) for k in range(1, 21)]
    np.testing.assert_allclose(numbers[LEVERAGE], leverage, atol=1e-12)
    np.testing.assert_allclose(numbers[PAIRS], np.corrcoef(path, rowvar=False)[np.triu_indices(3, k=1)], atol=1e-12)
    losses = -np.log(np.exp(path).mean(axis=1))  # equal weights, rebalanced every period, as a log return
    np.testing.assert_allclose(numbers[TAILS], np.quantile(losses, [0.9, 0.95, 0.975, 0.99, 0.995]), atol=1e-15)


def test_quantiles_of_normal_returns_are_normal_quantiles():
    rng = np.random.default_rng(1)
    pairs = paired(0.02 + 0.01 * rng.standard_normal((200, 20, 2)), 0.01 * rng.standard_normal((200, 4, 20, 2)))
    fact = by_name(stylised_facts(pairs, seed=0, replications=50))[QUANTILES]
    levels = np.asarray(fact.points, dtype=float)
    expected = stats.norm.ppf(levels)
    for values, n in ((fact.real, 8000), (fact.generated, 32000)):
        # standard error of a sample quantile: sqrt(p (1 - p) / n) / density
        error = np.sqrt(levels * (1 - levels) / n) / stats.norm.pdf(expected)
        assert (np.abs(values - expected) < 4.5 * error).all()


def test_bands_hold_the_truth_as_often_as_they_say():
    inside, total = 0, 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        pairs = PairedWindows(
            realised=rng.standard_normal((80, 6, 2)),
            generated=rng.standard_normal((80, 2, 6, 2)),
            assets=("A", "B"),
            kind="log",
        )
        facts = by_name(stylised_facts(pairs, seed=seed, replications=100))
        for name in (ABSOLUTE, LEVERAGE, PAIRS):  # all zero in truth
            fact = facts[name]
            inside += sum(low <= 0.0 <= high for low, high in zip(fact.low, fact.high, strict=True))
            total += len(fact.points)
    # 330 nearly independent points at 90 %; 100 replications and short lags cost a few percent of coverage
    assert inside / total == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / total) + 0.03)


def test_right_scenarios_lie_inside_and_wrong_ones_outside():
    size = {"n_units": 250, "n_members": 8, "horizon": 15, "n_assets": 2}
    right = by_name(stylised_facts(right_pairs(**size, seed=0), seed=0, replications=100))
    assert right[ABSOLUTE].share_inside > 0.6  # the lags are dependent: they leave the band together
    shuffled = by_name(stylised_facts(wrong_pairs("shuffled time", **size, seed=0), seed=0, replications=100))
    assert shuffled[ABSOLUTE].generated[0] < shuffled[ABSOLUTE].low[0]
    broken = by_name(stylised_facts(wrong_pairs("broken correlation", **size, seed=0), seed=0, replications=100))
    assert broken[PAIRS].share_inside == 0.0
    assert broken[PAIRS].points == ("A and B",)


def test_blocks_widen_the_band_where_windows_depend_on_each_other():
    rng = np.random.default_rng(0)
    level = np.repeat(np.exp(0.8 * rng.standard_normal(12)), 20)[:, None, None]
    realised = level * rng.standard_normal((240, 5, 1))
    generated = rng.standard_normal((240, 2, 5, 1))
    dated = paired(realised, generated)
    undated = PairedWindows(realised=realised, generated=generated, assets=("A",), kind="log")
    widths = [
        np.subtract(fact.high, fact.low)[0]
        for fact in (by_name(stylised_facts(p, seed=0, replications=200))[TAILS] for p in (dated, undated))
    ]
    # 12 regimes of 20 windows: the error of a mean over 12 is sqrt(20) that of 240; blocks must find a good part of it
    assert widths[0] > 1.5 * widths[1]


def test_what_does_not_exist_is_left_out():
    pairs = right_pairs(20, 4, 1, 1, seed=0)
    assert set(by_name(stylised_facts(pairs, seed=0, replications=50))) == {QUANTILES, TAILS}
    many = right_pairs(12, 2, 4, 40, seed=0)
    assert len(by_name(stylised_facts(many, seed=0, replications=50))[PAIRS].points) == 500


def test_same_seed_same_facts_and_back_from_json():
    pairs = right_pairs(30, 4, 6, 2, seed=0)
    first, second, other = (stylised_facts(pairs, seed=seed, replications=50) for seed in (1, 1, 2))
    assert first == second != other
    content = json.loads(json.dumps([fact.to_dict() for fact in first]))
    assert tuple(StylisedFact.from_dict(one) for one in content) == first


def test_refusals():
    pairs = right_pairs(20, 4, 4, 1, seed=0)
    with pytest.raises(ConfigError, match="replications must be an integer of at least 50"):
        stylised_facts(pairs, seed=0, replications=10)
    realised = np.zeros((20, 4, 1))
    realised[3, 2] = 0.1  # in a third of the resamples this window is missing
    still = PairedWindows(
        realised=realised,
        generated=pairs.generated,
        assets=("A",),
        kind="log",
        dates=pd.bdate_range("2000", periods=20),
    )
    with pytest.raises(DataError, match="an asset does not move in some sample"):
        stylised_facts(still, seed=0, replications=50)
    fields = {"name": "leverage", "points": (1, 2), "real": (0.0, 0.1), "generated": (0.0, 0.1), "low": (0.0, 0.0)}
    with pytest.raises(ShapeError, match="high of leverage must have one value per point: expected 2"):
        StylisedFact(**fields, high=(0.1,))
    with pytest.raises(DataError, match="high of leverage must be finite"):
        StylisedFact(**fields, high=(0.1, np.nan))
