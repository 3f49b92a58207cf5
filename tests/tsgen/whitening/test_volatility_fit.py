"""The numbers that the fit of the volatility whitening finds, and what one period adds to its averages."""

import numpy as np
import pytest
import torch

from tsgen.whitening.moving_correlation import slow_correlation
from tsgen.whitening.volatility import VolatilityWhitening
from tsgen.whitening.volatility_fit import fit_volatility, shrunk_mean
from tsgen.whitening.whitening_protocol import whiten_paths

BURN_IN = 60


def _gjr(n_dates, *, seed, n_assets=3):
    """Shocks whose variance answers to falls alone: .02 + .85 before + .2 of a squared fall."""
    rng = np.random.default_rng(seed)
    variance, rows = np.ones(n_assets), []
    for _ in range(n_dates):
        rows.append(np.sqrt(variance) * rng.standard_normal(n_assets))
        variance = 0.05 + 0.85 * variance + 0.2 * np.minimum(rows[-1], 0.0) ** 2
    return 0.01 * np.array(rows)


@pytest.fixture(scope="module")
def returns():
    return _gjr(3000, seed=0)


@pytest.fixture(scope="module")
def whitening(returns):
    return fit_volatility(returns)


def test_bad_news_has_its_sign_in_fit_and_filter(returns, whitening):
    numbers = whitening.numbers
    assert numbers.leverage_sign.tolist() == [1.0, 1.0, 1.0]
    assert fit_volatility(-returns).numbers.leverage_sign.tolist() == [-1.0, -1.0, -1.0]
    for sign, bad in ((-1.0, True), (1.0, False)):
        moved = whitening.observe(whitening.start(1), (numbers.mean + sign * numbers.deviation)[None])
        expected = 0.9 + 0.1 * numbers.leverage_scale * bad
        torch.testing.assert_close(moved[1][0, :, 0], expected.expand(3))
        torch.testing.assert_close(moved[0][0, :, 0], 0.9 + 0.1 * numbers.absolute_scale)


def test_level_is_the_mean_log_volatility_of_the_training_dates(returns, whitening):
    features = whiten_paths(whitening, torch.from_numpy(returns)[None], whitening.start(1)).features[0, BURN_IN:]
    torch.testing.assert_close(whitening.numbers.level, features.mean(dim=0), rtol=1e-10, atol=1e-12)


def test_innovations_have_unit_size_under_the_fitted_level(returns, whitening):
    """The factor c: with every weight doubled the squares of the innovations would be a quarter."""
    z = whiten_paths(whitening, torch.from_numpy(returns)[None], whitening.start(1)).innovations[0, BURN_IN:]
    # robust unit scale by construction; the sampling error of a variance of 2,940 dates is .026 at kurtosis three
    assert z.square().mean(dim=0).tolist() == pytest.approx([1.0] * 3, abs=0.1)
    shares = whitening.numbers.weights.sum(dim=1)
    sigma = whiten_paths(whitening, torch.from_numpy(returns)[None], whitening.start(1)).features[0, BURN_IN:].exp()
    shock = (torch.from_numpy(returns[BURN_IN:]) - whitening.numbers.mean) / whitening.numbers.deviation
    # weights with sum one times c: shocks over sigma / c have a mean square of c^2
    assert ((shock * shares / sigma).square().mean(dim=0).sqrt() / shares).tolist() == pytest.approx(
        [1.0] * 3, abs=0.05
    )


def test_mean_is_half_of_the_shrunk_one():
    panel = 0.01 + 0.001 * np.random.default_rng(1).standard_normal((5000, 4))
    assert shrunk_mean(panel) == pytest.approx(0.005, rel=0.01)  # error of the mean .001 / sqrt(5000) = .14 %


def test_slow_correlation_weighs_the_moving_one_with_seven_tenths():
    moving = torch.tensor([[4.0, 1.0], [1.0, 1.0]], dtype=torch.float64)  # correlation one half
    average = torch.tensor([[1.0, -0.2], [-0.2, 1.0]], dtype=torch.float64)
    assert float(slow_correlation(moving, average)[0, 1]) == pytest.approx(0.3 * -0.2 + 0.7 * 0.5, rel=1e-12)


def test_what_one_period_can_move_is_bounded(whitening):
    """A recorded spike: four deviations for the correlation; a generated one: thirty for the volatility."""
    numbers, state = whitening.numbers, whitening.start(1)
    huge = (numbers.mean + 1e4 * numbers.deviation)[None]
    recorded = whitening.observe(state, huge)
    assert float((recorded[4] - 0.995 * state[4]).abs().max()) == pytest.approx(0.005 * 16.0, rel=1e-9)
    assert float(recorded[5]) <= 0.95 + 0.05 * 16.0 + 1e-12
    held = whitening.hold(state, 1)
    pull = (0.005 * (numbers.level - whitening.predict(held).features)).exp()
    expected = pull * (0.9 + 0.1 * 30.0 * numbers.absolute_scale)
    torch.testing.assert_close(whitening.imagine(held, huge)[0][..., 0], expected)


def test_a_stale_series_with_rare_jumps_is_fed_back_at_most_at_half_as_much_again():
    panel = _gjr(3000, seed=2)
    panel[::300, 1] += 0.3
    numbers = fit_volatility(panel).numbers
    assert (numbers.kappa / numbers.unit).tolist() == pytest.approx([1.0, 1.5, 1.0], abs=0.1)


def test_shocks_of_the_correlation_are_taken_from_the_moved_location(whitening):
    """With a location far from the mean, a return at the location is no shock, and one at the mean is."""
    numbers = whitening.numbers._replace(memory_weights=torch.tensor([0.05, 0.1, 0.2], dtype=torch.float64))
    moved = VolatilityWhitening(numbers)
    state = list(moved.start(1))
    state[3] = torch.arange(1.0, 1.0 + state[3].numel(), dtype=torch.float64).reshape(state[3].shape)
    location = moved.predict(tuple(state)).location
    assert float((location - numbers.mean).abs().min()) > 0.0
    for step, start in ((moved.observe, tuple(state)), (moved.imagine, moved.hold(tuple(state), 1))):
        at_location = step(start, location)
        assert float(at_location[-2]) == pytest.approx(0.95, rel=1e-9)
        assert float(at_location[-1]) == pytest.approx(0.80, rel=1e-9)
        assert float(step(start, numbers.mean[None])[-2]) > 0.95 + 1e-6
