"""Tests of uniformity against scipy, a published critical value and a fitted autoregression."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.tsa.ar_model import AutoReg

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.uniformity_tests import anderson_darling, berkowitz_test, kolmogorov_smirnov, uniformity_test


def test_uniformity_statistics_are_those_of_scipy():
    pit = np.random.default_rng(0).random(137)
    assert kolmogorov_smirnov(pit) == pytest.approx(stats.kstest(pit, "uniform").statistic, rel=1e-12)
    exact = stats.kstest(pit, "uniform", method="exact").pvalue
    result = uniformity_test(pit, rng=np.random.default_rng(1))
    assert result.kolmogorov_smirnov_p_value == pytest.approx(exact, rel=1e-9)
    other = stats.goodness_of_fit(
        stats.uniform, pit, known_params={"loc": 0, "scale": 1}, statistic="ad", n_mc_samples=9, rng=0
    )
    assert anderson_darling(pit) == pytest.approx(other.statistic, rel=1e-9)


def test_anderson_darling_has_its_published_critical_value():
    # Stephens (1974): 2.492 at 5 % for a fully specified law
    null = anderson_darling(np.random.default_rng(0).random((300, 20_000)))
    assert abs((null > 2.492).mean() - 0.05) < 4 * 0.0016


def test_berkowitz_is_the_likelihood_ratio_of_an_autoregression():
    rng = np.random.default_rng(0)
    scores = np.empty(400)
    scores[0] = 0.3
    for i in range(1, 400):
        scores[i] = 0.1 + 0.3 * scores[i - 1] + 1.1 * rng.standard_normal()
    pit = stats.norm.cdf(scores)
    fit = AutoReg(scores, 1).fit()
    exact = 2.0 * (fit.llf - stats.norm.logpdf(scores[1:]).sum())
    result = berkowitz_test(pit)
    # normal scores of the distribution function keep about 12 digits
    assert result.statistic == pytest.approx(exact, rel=1e-8)
    assert result.p_value == pytest.approx(stats.chi2.sf(exact, 3), rel=1e-6)
    assert result.autocorrelation == pytest.approx(fit.params[1], rel=1e-8)


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match="one record of at least 20 dates"):
        uniformity_test(np.full(19, 0.5), rng=rng)
    with pytest.raises(DataError, match="strictly between 0 and 1"):
        berkowitz_test(np.linspace(0.0, 0.9, 30))
    with pytest.raises(DataError, match=r"pit is 0\.3 on all 30 dates"):
        berkowitz_test(np.full(30, 0.3))
    with pytest.raises(DataError, match=r"pit is 0\.3 on all 30 dates"):
        uniformity_test(np.full(30, 0.3), rng=rng)
    with pytest.raises(ConfigError, match="simulations must be an integer of at least 19"):
        uniformity_test(rng.random(30), rng=rng, simulations=0)
