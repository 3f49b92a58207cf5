"""The numbers that the fit of the volatility whitening finds, and what one period adds to its averages."""

import numpy as np
import pytest
import torch

from tests.support.redrawn_residuals import roll_out
from tsgen.errors import DataError, ShapeError
from tsgen.whitening.factor_volatility_fit import fit_factor_volatility
from tsgen.whitening.market_volatility import market_trend
from tsgen.whitening.moving_correlation import (
    DISPERSION_DECAY,
    Direction,
    clipped_shocks,
    pressure_on_direction,
    slow_correlation,
)
from tsgen.whitening.volatility import LEVEL_PULL, LEVEL_SHARE, SMALLEST_SIGMA, VolatilityWhitening, slow_level
from tsgen.whitening.volatility_fit import _feedback_ratio, counted_dates, fit_volatility
from tsgen.whitening.whitening_protocol import colour, whiten, whiten_paths

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
    shares = whitening.numbers.weights.sum(dim=1) / (1.0 - LEVEL_SHARE)
    sigma = whiten_paths(whitening, torch.from_numpy(returns)[None], whitening.start(1)).features[0, BURN_IN:].exp()
    shock = (torch.from_numpy(returns[BURN_IN:]) - whitening.numbers.mean) / whitening.numbers.deviation
    # weights with sum one times c: shocks over sigma / c have a mean square of c^2
    assert ((shock * shares / sigma).square().mean(dim=0).sqrt() / shares).tolist() == pytest.approx(
        [1.0] * 3, abs=0.05
    )


def test_volatility_comes_back_to_a_level_of_its_own(returns, whitening):
    """After endless quiet it is .07 of what the training dates had on average, and not less."""
    numbers, state = whitening.numbers, whitening.start(1)
    for _ in range(2000):
        state = whitening.observe(state, numbers.mean[None])
    quiet = whitening.predict(state).features[0].exp()
    assert bool((quiet > 0.0).all())
    scale = numbers.weights.sum(dim=1) / (1.0 - LEVEL_SHARE)
    size = (np.abs(returns - numbers.mean.numpy()) / numbers.deviation.numpy()) * numbers.absolute_scale.numpy()
    average, known = np.ones(3), []
    for row in size:
        known.append(average)
        average = 0.98 * average + 0.02 * row
    expected = LEVEL_SHARE * scale * torch.from_numpy(np.mean(known[BURN_IN:], axis=0))
    torch.testing.assert_close(numbers.constant, expected, rtol=1e-10, atol=0.0)
    torch.testing.assert_close(quiet, expected.clamp_min(SMALLEST_SIGMA))


def test_feedback_counts_what_independent_innovations_would_add():
    """A volatility that is 1 or 1.5 whatever the shock: E sigma E |x| / sigma over E |x| is 1.25 times 5 / 6."""
    sigma = np.tile([[1.0], [1.0], [1.5], [1.5]], (50, 2))
    shock = np.tile([[1.0], [-2.0]], (100, 2))
    assert _feedback_ratio(shock / sigma, sigma) == pytest.approx([1.25 * 5.0 / 6.0] * 2, rel=1e-12)
    assert _feedback_ratio(shock, sigma) == pytest.approx([1.0] * 2, rel=1e-12)


def test_a_series_without_prices_for_most_of_the_history_draws_no_other(returns):
    short = returns.copy()
    short[: 3 * len(short) // 4, 1] = 0.0
    found, expected = (fit_volatility(x).numbers.weights[[0, 2]] for x in (short, returns))
    # the market of two series and a quarter is another one; drawn along, the first two weights were off by .2 to .4
    np.testing.assert_allclose(found, expected, atol=0.12)


@pytest.mark.parametrize(("share", "rests"), [(0.39, True), (0.41, False)])
def test_a_series_that_moves_on_less_than_two_dates_in_five_counts_by_its_moves(share, rests):
    moves = np.zeros((1000, 1))
    moves[: int(1000 * share), 0] = np.random.default_rng(0).permutation(np.arange(1.0, 1 + int(1000 * share)))
    counted = counted_dates(moves)
    np.testing.assert_allclose(counted, np.where(moves != 0.0, 1.0 / share, 0.0) if rests else 1.0)
    assert counted.mean() == pytest.approx(1.0)


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
    pull = (LEVEL_PULL * (numbers.level - whitening.predict(held).features)).exp()
    expected = pull * (0.9 + 0.1 * 30.0 * numbers.absolute_scale)
    torch.testing.assert_close(whitening.imagine(held, huge)[0][..., 0], expected)


def test_a_stale_series_with_rare_jumps_is_fed_back_at_most_at_half_as_much_again():
    panel = _gjr(3000, seed=2)
    panel[::100, 1] += 0.3
    numbers = fit_volatility(panel).numbers
    assert (numbers.kappa / numbers.unit).tolist() == pytest.approx([1.0, 1.5, 1.0], abs=0.1)


def test_a_wrong_price_does_not_let_its_series_die():
    """One value of sixty deviations: its volatility was a third of the data's after 200 days of roll-outs."""
    panel = _gjr(1500, seed=3)
    panel[700, 1] += 0.6
    whitening = fit_volatility(panel)
    returns = roll_out(whitening, panel, n_paths=400, n_periods=250)
    kept = np.median(np.abs(returns[:, 200:]), axis=(0, 1)) / np.median(np.abs(panel), axis=0)
    # .74 to .95 over six seeds; .33 to .37 where the wrong price decides by how much shocks are divided
    assert kept[1] > 0.6 * kept[0]


def test_shocks_of_the_correlation_are_taken_from_the_moved_location(whitening):
    """With a location far from the mean, a return at the location is no shock, and one at the mean is."""
    numbers = whitening.numbers._replace(memory_weights=torch.tensor([0.05, 0.1, 0.2], dtype=torch.float64))
    moved = VolatilityWhitening(numbers, whitening.pairs)
    state = list(moved.start(1))
    state[3] = torch.arange(1.0, 1.0 + state[3].numel(), dtype=torch.float64).reshape(state[3].shape)
    location = moved.predict(tuple(state)).location
    assert float((location - numbers.mean).abs().min()) > 0.0
    for step, start in ((moved.observe, tuple(state)), (moved.imagine, moved.hold(tuple(state), 1))):
        at_location = step(start, location)
        assert float(at_location[-2]) == pytest.approx(0.95, rel=1e-9)
        assert float(at_location[-1]) == pytest.approx(0.80, rel=1e-9)
        assert float(step(start, numbers.mean[None])[-2]) > 0.95 + 1e-6


@pytest.mark.parametrize("share", [0.3, 0.2, 0.1])
def test_a_series_that_rests_on_most_dates_keeps_a_volatility(share):
    """Roll-outs of such a series once had deviations of ten to seventy times its own."""
    rng = np.random.default_rng(0)
    panel = 0.01 * (rng.standard_normal((1500, 3)) + 0.8 * rng.standard_normal((1500, 1)))
    panel[rng.random(1500) > share, 1] = 0.0
    whitening = fit_volatility(panel)
    rows = torch.from_numpy(panel)[None]
    innovations = whiten_paths(whitening, rows, whitening.start(1)).innovations[0, BURN_IN:]
    state, generated = whitening.hold(whitening.start(1), 2000), []
    for _ in range(40):
        drawn = innovations[torch.from_numpy(rng.integers(0, len(innovations), 2000))]
        generated.append(colour(whitening.predict(state), drawn))
        state = whitening.imagine(state, generated[-1])
    paths = torch.stack(generated).numpy()
    assert 0.3 < paths[-10:, :, 1].std() / panel[:, 1].std() < 3.5
    assert np.abs(paths[:, :, 1]).max() < 8.0 * np.abs(panel[:, 1]).max()
    assert paths[-10:, :, 0].std() == pytest.approx(panel[:, 0].std(), rel=0.1)


@pytest.mark.parametrize(
    ("spoilt", "error", "message"),
    [
        (lambda x: x[:, 0], ShapeError, r"shape \(date, asset\)"),
        (lambda x: x[:, :0], ShapeError, r"shape \(date, asset\)"),
        (lambda x: np.where(np.arange(3) == 1, np.nan, x), DataError, r"positions \[1\] .* missing or infinite"),
        (lambda x: np.where(np.arange(3) == 1, -np.inf, x), DataError, r"positions \[1\] .* missing or infinite"),
        (lambda x: np.where(np.arange(3) == 2, 0.001, x), DataError, r"positions \[2\] never move"),
        (lambda x: np.where(np.arange(len(x))[:, None] < 55, x, x[0]), DataError, r"positions \[0, 1, 2\] .* first 60"),
        (lambda x: 1e-160 * x, DataError, r"positions \[0, 1, 2\] .* below 1e-100"),
        (lambda x: x[:50], DataError, "at least 100 dates: got 50"),
    ],
)
@pytest.mark.parametrize("fit", [fit_volatility, fit_factor_volatility])
def test_what_has_no_volatility_is_refused(returns, fit, spoilt, error, message):
    with pytest.raises(error, match=message):
        fit(spoilt(returns))


def test_single_precision_is_fitted_in_double(returns):
    for fit in (fit_volatility, fit_factor_volatility):
        single, double = (fit(x) for x in (returns.astype(np.float32), returns.astype(np.float32).astype(np.float64)))
        for name, value in double.arrays().items():
            torch.testing.assert_close(single.arrays()[name], value, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 3), (2, 5, 1), (5, 3)])
def test_paths_to_whiten_must_have_periods_and_the_assets_of_the_fit(whitening, shape):
    with pytest.raises(ShapeError, match=r"\(path, time, asset\) with 3 assets .*got"):
        whiten_paths(whitening, torch.zeros(shape, dtype=torch.float64), whitening.start(2))


def test_the_excess_of_a_shock_stays_with_its_series(whitening):
    prediction = whitening.predict(whitening.start(1))
    standardised = torch.tensor([[50.0, -1.0, 0.5]], dtype=torch.float64)
    returns = prediction.location + prediction.scale * standardised
    bounded = whiten(prediction, prediction.location + prediction.scale * standardised.clamp(-8.0, 8.0))
    excess = torch.tensor([[42.0, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(whiten(prediction, returns, largest_mixed=8.0), bounded + excess)
    torch.testing.assert_close(colour(prediction, whiten(prediction, returns)), returns)


def test_shocks_of_up_to_eight_deviations_are_mixed(whitening):
    """What the trend and the size of the market see of an ordinary crash day is the day itself."""
    assert whitening.largest_mixed == 8.0


def test_generated_falls_are_pulled_to_the_level_like_sizes(whitening):
    numbers, held = whitening.numbers, whitening.hold(whitening.start(1), 1)
    fall = (numbers.mean - numbers.deviation)[None]
    pull = (LEVEL_PULL * (numbers.level - whitening.predict(held).features)).exp()
    assert float((pull - 1.0).abs().min()) > 1e-6
    expected = pull * (0.9 + 0.1 * numbers.leverage_scale / numbers.kappa)
    torch.testing.assert_close(whitening.imagine(held, fall)[1][..., 0], expected)


def test_the_slow_level_is_kept_away_from_zero():
    averages = torch.tensor([[[0.5, 0.3], [0.5, 1e-6]]], dtype=torch.float64)
    assert slow_level(averages).tolist() == [[0.3, SMALLEST_SIGMA]]


def test_the_dispersion_is_measured_under_the_pressure_of_the_trend(whitening):
    """The size that the direction leaves is measured under the pressure of the day, trend included."""
    numbers, state = whitening.numbers, list(whitening.start(1))
    state[2] = state[2] + 0.7
    pressure = pressure_on_direction(state[-2], market_trend(state[2]))
    assert abs(float(pressure - state[-2])) > 0.05
    returns = numbers.mean[None] + numbers.deviation * torch.tensor([[-1.0, 0.5, -2.0]], dtype=torch.float64)
    prediction = whitening.predict(tuple(state))
    clipped = clipped_shocks((returns - prediction.location) / prediction.scale)
    direction = Direction(
        numbers.direction, slow_correlation(state[4], whitening.pairs.correlation) @ numbers.direction
    )
    size = direction.residual_size(clipped, pressure) * numbers.dispersion_scale
    moved = whitening.observe(tuple(state), returns)[-1]
    torch.testing.assert_close(moved, DISPERSION_DECAY * state[-1] + (1.0 - DISPERSION_DECAY) * size)
