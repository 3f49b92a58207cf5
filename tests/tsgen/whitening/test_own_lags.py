"""Series that follow their own past: which they are, their coefficients, forecasts and sums against closed forms."""

import numpy as np
import pandas as pd
import pytest
import torch
from statsmodels.tsa.ar_model import AutoReg

import tsgen
from tsgen.whitening.own_lags import LARGEST_LAG, OwnLagWhitening
from tsgen.whitening.own_lags_fit import fit_own_lags, own_coefficients, surprises
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import predict_paths


def _autoregression(coefficients, n_dates, n_assets=1, *, seed=0, mean=0.0):
    noise = np.random.default_rng(seed).standard_normal((n_dates + 200, n_assets))
    values = np.zeros_like(noise)
    for t in range(len(coefficients), len(noise)):
        past = sum(c * values[t - j] for j, c in enumerate(coefficients, start=1))
        values[t] = past + noise[t]
    return mean + 0.01 * values[200:]


def _panel(values):
    dates = pd.bdate_range("2005-01-03", periods=len(values))
    names = [f"A{i}" for i in range(values.shape[1])]
    return tsgen.ReturnPanel(pd.DataFrame(values, index=dates, columns=names), kind="log")


@pytest.mark.parametrize("coefficients", [(0.6,), (-0.5,), (0.5, 0.3), (0.1, 0.0, 0.6)])
def test_coefficients_are_those_of_least_squares(coefficients):
    """As those of statsmodels, up to the few values beyond four deviations and one date at the start."""
    values = _autoregression(coefficients, 3000, mean=0.005)[:, 0]
    found = own_coefficients(values)
    reference = AutoReg(values - values.mean(), lags=len(found), trend="n").fit()
    assert len(found) >= len(coefficients)
    np.testing.assert_allclose(found, reference.params, atol=0.1 * reference.bse.max())
    np.testing.assert_allclose(found[: len(coefficients)], coefficients, atol=4 * reference.bse.max())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("phi", [0.0, -0.1, 0.12])
def test_a_weak_memory_is_left_to_others(phi, seed):
    assert fit_own_lags(_autoregression((phi,), 1500, 3, seed=seed)) is None


@pytest.mark.parametrize("seed", range(3))
def test_long_histories_ask_for_less(seed):
    """Six hundredths of the variance: nothing in 500 dates, beyond doubt in 3,000."""
    values = _autoregression((0.25,), 3000, seed=seed)[:, 0]
    assert len(own_coefficients(values[:500])) == 0
    assert own_coefficients(values)[0] == pytest.approx(0.25, abs=4 / np.sqrt(3000))


def test_a_wrong_price_is_no_memory():
    """Twice the price for a day: +100 % and -50 %, the only trace of dependence."""
    values = _autoregression((0.0,), 1500)
    values[700:702, 0] = np.log([2.0, 0.5])
    correlation = np.corrcoef(values[1:, 0], values[:-1, 0])[0, 1]
    assert correlation < -0.4
    assert fit_own_lags(values) is None


def test_a_wrong_price_does_not_hide_a_memory():
    """One value of fifty deviations that nothing follows: plain least squares would say .3."""
    values = _autoregression((0.6,), 1500)
    values[700, 0] = 0.5
    plain = (values[1:, 0] @ values[:-1, 0]) / (values[:-1, 0] @ values[:-1, 0])
    assert plain < 0.4
    assert own_coefficients(values[:, 0])[0] == pytest.approx(0.6, abs=4 * 0.8 / np.sqrt(1500))


def test_a_memory_of_one_half_of_the_history_is_none():
    quiet, strong = _autoregression((0.0,), 1000), _autoregression((0.8,), 1000, seed=1)
    whole = np.concatenate([quiet, strong])
    assert np.corrcoef(whole[1:, 0], whole[:-1, 0])[0, 1] > 0.5
    assert fit_own_lags(whole) is None


def test_short_histories_are_not_asked():
    assert len(own_coefficients(_autoregression((0.8,), 199)[:, 0])) == 0
    assert len(own_coefficients(_autoregression((0.8,), 200)[:, 0])) > 0


def test_a_walk_is_brought_back():
    """Levels given as returns: the largest root is .99 at most, so that a roll-out ends somewhere."""
    walk = np.cumsum(_autoregression((0.0,), 2000), axis=0)
    found = own_coefficients(walk[:, 0])
    roots = np.roots(np.concatenate([[1.0], -found]))
    assert np.abs(roots).max() <= 0.99 + 1e-12
    assert np.abs(roots).max() > 0.97


def test_the_other_series_pass_through_untouched():
    values = _autoregression((0.0,), 1500, 3)
    values[:, 1] = _autoregression((0.7,), 1500, seed=9)[:, 0]
    numbers = fit_own_lags(values)
    assert numbers is not None
    left = surprises(values, numbers)
    np.testing.assert_array_equal(left[:, [0, 2]], values[:, [0, 2]])
    assert left[:, 1].std() == pytest.approx(0.01, rel=4 / np.sqrt(2 * 1500))
    whitening = OwnLagWhitening(fit_volatility(left), numbers)
    assert whitening.facts()["assets_with_own_lags"] == [1]


def test_forecasts_are_those_of_the_recursion_and_a_spike_counts_as_eight_deviations():
    values = _autoregression((0.6,), 1500, 2)
    numbers = fit_own_lags(values)
    whitening = OwnLagWhitening(fit_volatility(surprises(values, numbers)), numbers)
    inner = whitening.inner
    values[-1] = [0.02, 5.0]
    x, left = torch.from_numpy(values)[None], torch.from_numpy(surprises(values, numbers))[None]
    moved, _, state = predict_paths(whitening, x, whitening.start(1))
    plain, _, inner_state = predict_paths(inner, left, inner.start(1))
    lags = np.vstack([numbers.level, values[:-1]]) - numbers.level.numpy()
    torch.testing.assert_close(
        moved.location, plain.location + numbers.level + numbers.coefficients[0] * torch.from_numpy(lags)
    )
    after = whitening.predict(state).location - inner.predict(inner_state).location - numbers.level
    bound = LARGEST_LAG * _autoregression((0.6,), 1500, 2).std(axis=0)[1]
    assert float(after[0, 0]) == pytest.approx(float(numbers.coefficients[0, 0] * (0.02 - numbers.level[0])))
    assert float(after[0, 1]) == pytest.approx(float(numbers.coefficients[0, 1]) * bound)


def test_lags_are_counted_from_the_last_value_and_generated_values_are_fed_back_as_such():
    values = _autoregression((0.2, 0.5), 1500)
    numbers = fit_own_lags(values)
    assert numbers.coefficients.shape[0] == 2
    whitening = OwnLagWhitening(fit_volatility(surprises(values, numbers)), numbers)
    inner, phi, level = whitening.inner, numbers.coefficients[:, 0], numbers.level
    state, inside = whitening.start(1), inner.start(1)
    given = torch.tensor([0.02, -0.01, 0.03], dtype=torch.float64)[:, None, None]
    for t, value in enumerate(given):
        lags = [given[t - j, 0] - level if t >= j else torch.zeros_like(level) for j in (1, 2)]
        known = level + phi[0] * lags[0] + phi[1] * lags[1]
        torch.testing.assert_close(whitening.predict(state).location, inner.predict(inside).location + known)
        recorded = whitening.observe(state, value), inner.observe(inside, value - known)
        generated = whitening.imagine(state, value), inner.imagine(inside, value - known)
        for outer_state, inner_state in (recorded, generated):
            torch.testing.assert_close(outer_state[1:], inner_state)
        state, inside = recorded


@pytest.fixture(scope="module")
def persistent():
    """AR(.6) with normal shocks of one percent: deviation .0125, 20-day sums by closed form."""
    panel = _panel(_autoregression((0.6,), 3000, 2, seed=4))
    return tsgen.fit_generator(panel, tsgen.GeneratorConfig.preset("fast"), seed=0)


def test_paths_have_the_memory_and_the_sums_of_the_law(persistent):
    returns = persistent.sample(4000, 20, seed=1, history="stationary").returns
    phi = persistent.whitening.numbers.coefficients[0].numpy()
    pairs = [np.corrcoef(returns[:, :-1, i].ravel(), returns[:, 1:, i].ravel())[0, 1] for i in range(2)]
    np.testing.assert_allclose(pairs, phi, atol=0.02)
    lags = np.arange(1, 20)
    variance = 1e-4 / (1 - phi**2) * np.array([20 + 2 * ((20 - lags) * p**lags).sum() for p in phi])
    # the deviation of 3,000 normal shocks is known to 1.3 %, that of 4,000 sums to 1.1 %, volatility moves a little
    np.testing.assert_allclose(returns.sum(axis=1).std(axis=0), np.sqrt(variance), rtol=0.06)


def test_a_level_far_from_zero_is_kept():
    """A rate of five percent: the mean of a series that returns to it is not halved as expected returns are."""
    panel = _panel(_autoregression((0.6,), 1500, seed=5, mean=0.05))
    generator = tsgen.fit_generator(panel, tsgen.GeneratorConfig.preset("fast"), seed=0)
    ends = generator.sample(4000, 40, seed=0).returns[:, 20:].mean()
    # 4,000 paths of 20 values that forget within five: .0125 / sqrt(4000 * 4)
    assert ends == pytest.approx(panel.values.mean(), abs=4 * 0.0125 / np.sqrt(16_000) + 0.0125 / np.sqrt(1500) / 2)


def test_paths_go_on_from_the_last_value(persistent):
    history = _panel(_autoregression((0.6,), 3000, 2, seed=4))
    frame = history.returns.copy()
    frame.iloc[-1] = [0.04, -0.04]
    paths = persistent.sample(4000, 3, seed=1, history=tsgen.ReturnPanel(frame, kind="log")).returns
    phi = persistent.whitening.numbers.coefficients[0].numpy()
    for t in range(3):
        # 4,000 paths with deviations of at most .02; the memory of the location moves phi by two of its errors, .015
        found, error = paths[:, t].mean(axis=0), 4 * 0.02 / 63 + 2 * 0.015 * 0.04
        np.testing.assert_allclose(found, phi ** (t + 1) * [0.04, -0.04], atol=error)


def test_a_folder_brings_it_back(persistent, tmp_path):
    persistent.save(tmp_path / "generator")
    back = tsgen.load_generator(tmp_path / "generator")
    np.testing.assert_array_equal(back.sample(16, 5, seed=3).returns, persistent.sample(16, 5, seed=3).returns)
    np.testing.assert_array_equal(back.sample(16, 2, seed=3).returns, back.sample(16, 5, seed=3).returns[:, :2])
    assert "autoregressive volatility" in repr(back)


@pytest.mark.slow
def test_a_persistent_panel_is_steered(persistent):
    weights = {"A0": 0.5, "A1": 0.5}
    target = tsgen.RiskConstraint(tsgen.TerminalReturn(weights), "==", -0.1)
    light = tsgen.SteeringConfig(n_paths=1000, n_certificate_paths=2000)
    steered = tsgen.steer(persistent, [target], horizon=5, seed=0, config=light)
    assert steered.certificate.verdict == "ok"
