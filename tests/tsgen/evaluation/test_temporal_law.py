"""Temporal metrics against closed forms of known processes."""

import numpy as np
import pytest

from tests.support.volatile_windows import right_pairs
from tsgen.errors import ConfigError, DataError
from tsgen.evaluation import PairedWindows, lagged_cross_correlation, results_by_name, temporal_law
from tsgen.evaluation.temporal_law import lagged_correlations
from tsgen.marketdata.known_processes import Arma, VarProcess


def pairs_of(realised, generated):
    assets = tuple(f"A{i}" for i in range(realised.shape[-1]))
    return PairedWindows(realised=realised, generated=generated, assets=assets, kind="log")


def test_autocorrelation_of_short_windows_is_unbiased():
    windows = Arma(phi=[0.6], theta=[]).sample(20_000, 5, rng=np.random.default_rng(0))
    rho = lagged_correlations([1, 2, 3])(windows)[:, 0]
    # Bartlett: errors below 1 / sqrt(20000 windows * 2 pairs), times a few for dependence
    np.testing.assert_allclose(rho, [0.6, 0.36, 0.216], atol=4 * 2 / np.sqrt(40_000))
    # a wrong variant: demeaning every window of five periods is biased by far more
    demeaned = windows - windows.mean(axis=1, keepdims=True)
    assert abs(lagged_correlations([1])(demeaned)[0, 0] - 0.6) > 0.3


def test_memory_of_returns_has_the_size_of_theory():
    rng = np.random.default_rng(0)
    realised = Arma(phi=[0.5], theta=[]).sample(400, 10, rng=rng)
    generated = rng.standard_normal((400, 9, 10, 1)) * realised.std()
    results = results_by_name(temporal_law(pairs_of(realised, generated), seed=0, lags=[1, 2]))
    expected = np.sqrt((0.5**2 + 0.25**2) / 2)
    assert results["ACF r"].value == pytest.approx(expected, abs=4 / np.sqrt(3600))
    assert results["ACF r"].verdict == "above floor"
    # Gaussian and reversible in both laws
    assert results["time reversal"].verdict != "above floor"


def test_lead_lag_between_assets():
    process = VarProcess(np.array([[[0.0, 0.0], [0.5, 0.0]]]), np.eye(2))
    rng = np.random.default_rng(0)
    realised = process.sample(150, 8, rng=rng)
    reverse = process.sample(150 * 9, 8, rng=rng).reshape(150, 9, 8, 2)[..., ::-1]
    assert lagged_cross_correlation(pairs_of(realised, reverse), seed=0).verdict == "above floor"
    same = process.sample(150 * 9, 8, rng=rng).reshape(150, 9, 8, 2)
    # one right law in twenty is rejected at 5 %, so look at sizes: noise of 150 x 7 products is 0.03
    right, wrong = (lagged_cross_correlation(pairs_of(realised, other), seed=0) for other in (same, reverse))
    assert right.value < 2 * 0.03 < wrong.value


def test_leverage_and_the_arrow_of_time():
    pairs = right_pairs(200, 12, 15, 1, seed=0)
    backwards = PairedWindows(
        realised=pairs.realised, generated=pairs.generated[:, :, ::-1], assets=("A0",), kind="log", dates=pairs.dates
    )
    results = results_by_name(temporal_law(backwards, seed=0))
    # reversal keeps every autocorrelation; only leverage and reversal statistics can see it
    for metric in ("leverage, mean over lags", "time reversal"):
        assert results[metric].verdict == "above floor"
    assert "lagged cross-correlations" not in results


def test_aggregational_gaussianity():
    rng = np.random.default_rng(0)
    common = np.sqrt(3 / rng.chisquare(5, (300, 1, 1)))
    # t windows with one mixing variable stay as fat-tailed when summed; independent t do not
    realised = common * rng.standard_normal((300, 10, 1))
    generated = rng.standard_t(5, (300, 12, 10, 1)) * np.sqrt(3 / 5)
    results = results_by_name(temporal_law(pairs_of(realised, generated), seed=0))
    assert results["aggregational Gaussianity"].verdict == "above floor"


def test_refusals():
    with pytest.raises(ConfigError, match=r"lags must be integers between 1 and 4.* got \[1, 5\]"):
        temporal_law(right_pairs(10, 3, 5, 1, seed=0), seed=0, lags=[1, 5])
    with pytest.raises(ConfigError, match=r"got \[\]"):
        temporal_law(right_pairs(10, 3, 5, 1, seed=0), seed=0, lags=[])
    with pytest.raises(DataError, match="the law over time needs windows of at least 3 periods: got 2"):
        temporal_law(right_pairs(10, 3, 2, 1, seed=0), seed=0)
    with pytest.raises(DataError, match=r"lagged cross-correlation .* at least 2: got 1"):
        lagged_cross_correlation(right_pairs(10, 3, 5, 1, seed=0), seed=0)
