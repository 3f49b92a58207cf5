"""Variance recursions against loops and `arch`; filtered historical simulation against its forecasts."""

import re

import numpy as np
import pandas as pd
import pytest
from arch import arch_model
from scipy import stats

from tsgen import ReturnPanel, load_returns
from tsgen.baselines import FilteredHistoricalSimulation, GarchCcc
from tsgen.baselines import garch_fit as margins_module
from tsgen.baselines.garch_fit import fit_garch_margins, standardised_residuals
from tsgen.baselines.variance_recursion import VarianceRecursion
from tsgen.errors import ConfigError
from tsgen.marketdata import known_processes as known


def as_panel(values, kind="log"):
    values = np.asarray(values)
    dates = pd.bdate_range("2000-01-03", periods=len(values))
    return ReturnPanel(pd.DataFrame(values, index=dates, columns=list("ABCDEF")[: values.shape[1]]), kind=kind)


def garch_values(n, seed=0, alpha=0.1, beta=0.85, dof=6.0, n_assets=1):
    ones = np.ones(n_assets)
    process = known.GarchCcc(
        5e-6 * ones, alpha * ones, beta * ones, 0.6 * np.ones((n_assets, n_assets)) + 0.4 * np.eye(n_assets), dof
    )
    return process.sample(1, n, rng=np.random.default_rng(seed))[0]


def test_the_recursion_is_its_formula():
    rng = np.random.default_rng(0)
    e = rng.standard_t(3, size=(50, 2)) * [1.0, 40.0]
    recursion = VarianceRecursion.with_scale(
        scale=np.array([1.0, 3.0]),
        omega=np.array([0.1, 0.0]),
        alpha=np.array([0.05, 0.06]),
        gamma=np.array([0.1, 0.0]),
        beta=np.array([0.8, 0.94]),
    )
    expected = [np.array([1.0, 9.0])]
    for row in e:
        bounded = np.minimum(row**2, np.array([20.0, 60.0]) ** 2)
        slope = np.array([0.05, 0.06]) + np.array([0.1, 0.0]) * (row < 0)
        expected.append(np.array([0.1, 0.0]) + slope * bounded + np.array([0.8, 0.94]) * expected[-1])
    np.testing.assert_allclose(recursion.filtered(e), expected, rtol=1e-12)
    assert (np.abs(e[:, 1]) > 60.0).any()  # the limit was at work
    one_by_one = recursion.start
    for row in e:
        one_by_one = recursion.following(one_by_one, row)
    np.testing.assert_allclose(one_by_one, recursion.filtered(e)[-1], rtol=1e-12)
    assert recursion.used(np.array([1e-9, 1e-9])).tolist() == [0.01, 0.09]


def test_garch_margins_recover_the_parameters():
    """arch's own standard errors for this size: about 0.011 for alpha, 0.016 for beta; bound at five of them."""
    values = garch_values(6000, seed=1, n_assets=3)
    fitted = fit_garch_margins(values, ("A", "B", "C"))
    assert np.abs(fitted.recursion.alpha - 0.1).max() < 0.055
    assert np.abs(fitted.recursion.beta - 0.85).max() < 0.08
    residuals = standardised_residuals(values, fitted, warm_up=60)
    np.testing.assert_allclose(residuals.var(axis=0), 1.0, atol=0.1)
    assert fitted.notes == []


def test_the_filter_agrees_with_arch():
    values = garch_values(3000, seed=2)
    fitted = fit_garch_margins(values, ("A",))
    r = fitted.recursion
    scaled = 100.0 * values[:, 0]
    model = arch_model(scaled, mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
    fixed = model.fix([100.0 * fitted.mean[0], 1e4 * r.omega[0], r.alpha[0], r.beta[0]])
    ours = 100.0 * np.sqrt(r.filtered(values - fitted.mean)[:-1, 0])
    # the starts differ and are forgotten at the rate of beta: 0.9^500 is below rounding
    np.testing.assert_allclose(ours[500:], np.asarray(fixed.conditional_volatility)[500:], rtol=1e-9)


def test_one_step_variance_of_ewma_simulation_is_the_ewma_forecast():
    values = garch_values(1500, seed=3, n_assets=3)
    baseline = FilteredHistoricalSimulation.fit(as_panel(values), filter="ewma", decay=0.9)
    history = as_panel(values[:700])
    e = history.values - values.mean(axis=0)
    weights = 0.1 * 0.9 ** np.arange(700)[::-1]
    forecast = (weights[:, None] * e**2).sum(axis=0)  # the start has weight 0.9^700
    n = 40_000
    sampled = baseline.sample(n, 1, history=history, seed=0).returns[:, 0]
    deviations = sampled - baseline.mean
    error = (deviations**2).std(axis=0) / np.sqrt(n)
    assert np.abs((deviations**2).mean(axis=0) - forecast).max() < 5.0 * error.max()
    # EWMA is a martingale: two periods ahead the forecast is the same
    later = baseline.sample(n, 2, history=history, seed=0).returns[:, 1] - baseline.mean
    assert np.abs(((later**2).mean(axis=0) - forecast) / ((later**2).std(axis=0) / np.sqrt(n))).max() < 5.0
    # wrong variant: the unconditional variance is not the forecast
    assert np.abs(values.var(axis=0) - forecast).max() > 10.0 * error.max()


def test_rows_of_residuals_are_kept_together():
    values = garch_values(800, seed=4, n_assets=3)
    baseline = FilteredHistoricalSimulation.fit(as_panel(values), filter="garch")
    first = baseline.sample(300, 1, seed=0).returns[:, 0]
    z = (first - baseline.mean) / np.sqrt(baseline.recursion.used(baseline.variance))
    gaps = np.abs(z[:, None, :] - baseline.residuals[None]).max(axis=2).min(axis=1)
    assert gaps.max() < 1e-9
    apart = np.column_stack([z[:, 0], np.roll(z[:, 1], 1), z[:, 2]])
    assert np.abs(apart[:, None, :] - baseline.residuals[None]).max(axis=2).min(axis=1).max() > 0.1


def _arch_paths(values, baseline, law, method, n, horizon):
    """arch's own simulation from the end of the data with our parameters, in percent."""
    r = baseline.recursion
    asymmetric = bool(r.gamma[0])
    model = arch_model(
        100.0 * values[:, 0], mean="Constant", vol="GARCH", p=1, o=int(asymmetric), q=1, dist=law, rescale=False
    )
    parameters = [100.0 * baseline.mean[0], 1e4 * r.omega[0], r.alpha[0], *([r.gamma[0]] * asymmetric), r.beta[0]]
    if law == "t":
        parameters.append(baseline.dof)
    result = model.fix(parameters)
    rng = np.random.default_rng(8)
    source = None
    if method == "simulation":
        dof = baseline.dof
        source = lambda size: rng.standard_t(dof, size=size) * np.sqrt((dof - 2) / dof)  # noqa: E731
    forecast = result.forecast(
        horizon=horizon,
        method=method,
        simulations=n,
        reindex=False,
        rng=source,
        random_state=np.random.RandomState(8),
    )
    return forecast.simulations.values[-1] / 100.0


def _smallest_p(ours, theirs):
    statistics = [lambda x: x[:, 0], lambda x: x[:, -1], lambda x: x.sum(axis=1), lambda x: np.abs(x).sum(axis=1)]
    return min(stats.ks_2samp(f(ours), f(theirs)).pvalue for f in statistics)


@pytest.mark.parametrize("filter", ["garch", "gjr"])
def test_filtered_simulation_agrees_with_the_bootstrap_forecast_of_arch(filter):
    values = garch_values(2000, seed=5)
    baseline = FilteredHistoricalSimulation.fit(as_panel(values), filter=filter)
    ours = baseline.sample(4000, 10, seed=0).returns[:, :, 0]
    theirs = _arch_paths(values, baseline, "normal", "bootstrap", 4000, 10)
    # four statistics, two cases: a false alarm of the fixed seeds had probability below 1e-3
    assert _smallest_p(ours, theirs) > 1e-4
    calm = baseline.sample(4000, 10, history=as_panel(values * 0.5), seed=0).returns[:, :, 0]
    assert _smallest_p(calm, theirs) < 1e-4


def test_garch_t_agrees_with_the_simulation_of_arch():
    values = garch_values(3000, seed=6, dof=5.0)
    baseline = GarchCcc.fit(as_panel(values))
    ours = baseline.sample(4000, 10, seed=0).returns[:, :, 0]
    theirs = _arch_paths(values, baseline, "t", "simulation", 4000, 10)
    assert _smallest_p(ours, theirs) > 1e-4
    # wrong variants: doubled variance, and shocks scaled as if a t law had unit variance
    assert _smallest_p(ours * np.sqrt(2.0), theirs) < 1e-4
    assert _smallest_p(ours * np.sqrt(baseline.dof / (baseline.dof - 2.0)), theirs) < 1e-4


def test_a_day_like_no_other_does_not_break_the_fit():
    values = garch_values(1500, seed=7, n_assets=3)
    values[300, 0] = -1.2
    fitted = fit_garch_margins(values, ("A", "B", "C"))
    assert any(note.startswith("A: 1 returns beyond 20 deviations bounded") for note in fitted.notes)
    clean = fit_garch_margins(garch_values(1500, seed=7, n_assets=3), ("A", "B", "C"))
    # the variance a year later is what it would have been, within estimation noise
    ratio = (
        fitted.recursion.filtered(values - fitted.mean)[900]
        / clean.recursion.filtered(garch_values(1500, seed=7, n_assets=3) - clean.mean)[900]
    )
    assert (np.abs(np.log(ratio)) < np.log(1.5)).all()


def test_an_asset_that_rarely_trades_is_simulated_sanely():
    values = garch_values(1500, seed=8, n_assets=3)
    values[np.random.default_rng(0).random(1500) < 0.6, 1] = 0.0
    values[700:760, 1] = 0.0
    for baseline in (GarchCcc.fit(as_panel(values)), FilteredHistoricalSimulation.fit(as_panel(values), filter="ewma")):
        quiet = baseline.sample(1000, 21, history=as_panel(values[:760]), seed=0).returns[:, :, 1]
        assert 0.02 < quiet.std() / values[:, 1].std() < 3.0


def test_fits_that_fail_are_replaced_and_named(monkeypatch):
    values = garch_values(800, seed=9, n_assets=3)
    usual = margins_module._estimate
    broken = margins_module._Candidate(0.0, 1.0, 0.0, 0.0, 0.0, "made to fail")

    def first_asset_fails(series, asymmetric, law):
        return broken if series[0] == first else usual(series, asymmetric, law)

    scale = np.sqrt(0.5 * np.pi) * np.abs(values - values.mean(axis=0)).mean(axis=0)
    first = ((values - values.mean(axis=0)) / scale)[0, 0]
    monkeypatch.setattr(margins_module, "_estimate", first_asset_fails)
    fitted = fit_garch_margins(values, ("A", "B", "C"))
    assert "A: fits not usable (Student-t: made to fail; Gaussian: made to fail)" in fitted.notes[0]
    assert "from medians of the 2 usable fits" in fitted.notes[1]
    assert fitted.recursion.alpha[0] == pytest.approx(np.median(fitted.recursion.alpha[1:]))
    implied = fitted.recursion.omega[0] / (1.0 - fitted.recursion.alpha[0] - fitted.recursion.beta[0])
    assert implied == pytest.approx(values[:, 0].var(), rel=1e-9)
    monkeypatch.setattr(margins_module, "_estimate", lambda *_: broken)
    nothing = fit_garch_margins(values, ("A", "B", "C"))
    assert "A, B, C: alpha=0.060, gamma=0.000, beta=0.930 from fixed numbers" in nothing.notes[-1]
    only_gaussian = lambda s, a, law: broken if law == "t" else usual(s, a, law)  # noqa: E731
    monkeypatch.setattr(margins_module, "_estimate", only_gaussian)
    notes = fit_garch_margins(values, ("A", "B", "C")).notes
    assert notes[0].startswith("A: Student-t fit not usable (made to fail); Gaussian quasi-likelihood fit used")


@pytest.mark.parametrize(
    ("candidate", "dof", "flag", "reason"),
    [
        ((0.0, 0.1, 0.1, 0.0, 0.8), 5.0, 4, "optimiser did not converge, flag 4"),
        ((0.0, np.nan, 0.1, 0.0, 0.8), 5.0, 0, "not finite"),
        ((0.0, 0.1, 0.2, 0.0, 0.8), 5.0, 0, r"persistence 1\.0000"),
        ((0.0, 0.1, 0.1, -0.2, 0.8), 5.0, 0, "negative coefficient"),
        ((0.0, 0.0, 0.1, 0.0, 0.8), 5.0, 0, "omega 0 of the long-run variance"),
        ((0.0, 0.1, 0.1, 0.0, 0.8), 2.05, 0, r"degrees of freedom 2\.05"),
    ],
)
def test_objections_to_a_fit(candidate, dof, flag, reason):
    assert re.search(reason, margins_module._objection(candidate, dof, flag))
    assert margins_module._objection((0.0, 0.1, 0.1, 0.0, 0.8), 5.0, 0) == ""


def test_residuals_of_the_wrong_size_are_an_objection():
    series = np.random.default_rng(0).normal(size=500)
    assert "variance 0.5" in margins_module._residual_objection(series, (0.0, 1.8, 0.0, 0.0, 0.1))
    assert margins_module._residual_objection(series, (0.0, 0.9, 0.0, 0.0, 0.1)) == ""


def test_settings_out_of_range(panel):
    with pytest.raises(ConfigError, match="filter must be one of 'ewma', 'garch', 'gjr': got 'egarch'"):
        FilteredHistoricalSimulation.fit(panel, filter="egarch")
    with pytest.raises(ConfigError, match="decay must be a number between 0 and 1: got 1"):
        FilteredHistoricalSimulation.fit(panel, filter="ewma", decay=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("asymmetric", [False, True])
def test_real_stocks_with_a_rarely_traded_one(asymmetric):
    """RRC has 55 % zero returns before 1996 and one day of -110 %: every window must give a usable model."""
    stocks = load_returns("us_stocks", kind="log")
    for end in ("1995-12-29", "2003-12-31", "2013-12-31"):
        train = stocks.until(end)
        fitted = fit_garch_margins(train.values, train.assets, asymmetric=asymmetric)
        r = fitted.recursion
        assert (r.alpha + 0.5 * r.gamma + r.beta < 1.0).all()
        z = standardised_residuals(train.values, fitted, warm_up=60)
        assert (np.abs(np.log(np.minimum(z**2, 400.0).mean(axis=0))) < np.log(2.0)).all()


def test_an_optimiser_that_raises_is_an_objection(monkeypatch):
    class Raising:
        def fit(self, **_):
            raise ValueError("no start value")

    monkeypatch.setattr(margins_module, "arch_model", lambda *_, **__: Raising())
    assert margins_module._estimate(np.ones(10), False, "t").reason == "ValueError: no start value"
