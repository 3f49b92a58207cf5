"""The fast part of the correlation: variance along one direction, and the size of what is left around it."""

import numpy as np
import pytest
import torch

from tests.support.redrawn_residuals import roll_out
from tsgen.whitening import moving_correlation
from tsgen.whitening.moving_correlation import (
    CORRELATION_DECAY,
    CORRELATION_WEIGHTS,
    DIRECTION_DECAY,
    DIRECTION_WEIGHT,
    DISPERSION_DECAY,
    DirectedRoot,
    Direction,
    clipped_shocks,
    dispersion_weight,
    pressure_on_direction,
    slow_correlation,
)
from tsgen.whitening.moving_correlation_fit import (
    fit_dispersion,
    long_run_correlation,
    pair_history,
    recorded_pressure,
)
from tsgen.whitening.pair_correlation import MovingPairs
from tsgen.whitening.volatility import LEVEL_PULL, VolatilityWhitening
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import colour, predict_paths, whiten, whiten_paths

N = 4
RHO = 0.3
ALTERNATING = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)


def _draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _panel(n_dates, n_assets, *, spread, seed):
    """Common and own shocks in parts of .3 and .7; the log size of all own ones is an AR(1) of deviation ``spread``."""
    rng = np.random.default_rng(seed)
    size = np.zeros(n_dates)
    for t in range(1, n_dates):
        size[t] = 0.9 * size[t - 1] + np.sqrt(1 - 0.81) * spread * rng.standard_normal()
    own = np.exp(size - spread**2)[:, None] * rng.standard_normal((n_dates, n_assets))
    return 0.01 * (np.sqrt(0.3) * rng.standard_normal((n_dates, 1)) + np.sqrt(0.7) * own)


def _equicorrelated():
    correlation = (1 - RHO) * torch.eye(N, dtype=torch.float64) + RHO * torch.ones(N, N, dtype=torch.float64)
    whitening = fit_volatility(_panel(300, N, spread=0.0, seed=0))
    axis, scale = torch.full((N,), N**-0.5, dtype=torch.float64), torch.tensor(1.3, dtype=torch.float64)
    weight = torch.tensor(dispersion_weight(N), dtype=torch.float64)
    numbers = whitening.numbers._replace(direction=axis, dispersion_scale=scale, dispersion_weight=weight)
    return VolatilityWhitening(numbers, MovingPairs(correlation))


def _covariance(whitening, *, along=1.0, dispersion=1.0, trend=1.0):
    """Covariance of the standardised shocks when the two fast averages and the market's trend have these values."""
    state = whitening.start(1)
    moving = (torch.full((1,), x, dtype=torch.float64) for x in (along, dispersion))
    market = torch.tensor([[1.0, 1.0, trend]], dtype=torch.float64)
    root = whitening.predict((*state[:2], market, *state[3:5], *moving)).root.dense()[0]
    return root @ root.T


@pytest.mark.parametrize("n_slow", [1, 5])
def test_the_root_is_applied_as_the_matrix_it_stands_for(n_slow):
    slow = torch.eye(6, dtype=torch.float64) + 0.1 * (half := _draws(n_slow, 6, 6)) @ half.transpose(1, 2)
    axis = torch.nn.functional.normalize(_draws(6, seed=1), dim=0)
    stretch, around = 0.4 * _draws(5, seed=2).tanh(), _draws(5, seed=3).exp()
    root = DirectedRoot(slow, axis, axis, stretch, around, 0.5 + _draws(5, 6, seed=4).abs())
    eye, outer = torch.eye(6, dtype=torch.float64), torch.outer(axis, axis)
    bent = outer + around[:, None, None] * (eye - outer)
    expected = (eye + stretch[:, None, None] * outer) @ slow @ bent / root.deviations[:, :, None]
    z, loads = _draws(5, 6, seed=5), _draws(5, 3, 6, seed=6)
    torch.testing.assert_close(root.colour(z), (expected @ z[:, :, None])[:, :, 0], rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(root.whiten(root.colour(z)), z, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(root.transposed(loads), loads @ expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(root.dense(), expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(root.stacked(2).dense(), expected.repeat(2, 1, 1), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("along", "trend"), [(0.2, 1.0), (1.0, 1.0), (4.0, 1.0), (1.0, 2.0), (1.0, -3.0)])
def test_variance_along_the_direction_moves_every_correlation(along, trend):
    found = _covariance(_equicorrelated(), along=along, trend=trend)
    along = max(along + 0.6 * (trend - 1.0), 0.1)  # a fall of the market counts like size along the direction
    # variance 1 + (n - 1) rho along the ones times f adds (f - 1)(1 + (n - 1) rho) / n to every entry
    added = DIRECTION_WEIGHT * (along - 1.0) * (1 + (N - 1) * RHO) / N
    expected = (RHO + added) / (1.0 + added)
    off = ~torch.eye(N, dtype=torch.bool)
    torch.testing.assert_close(found[off], torch.full((N * N - N,), expected, dtype=torch.float64))
    torch.testing.assert_close(torch.diagonal(found), torch.ones(N, dtype=torch.float64))


@pytest.mark.parametrize("dispersion", [0.5, 1.0, 2.0])
def test_size_around_the_direction_scales_what_the_market_does_not_explain(dispersion):
    found = _covariance(_equicorrelated(), dispersion=dispersion)
    # R has the eigenvalue 1 + (n - 1) rho along the ones and 1 - rho around them
    axis = torch.full((N,), N**-0.5, dtype=torch.float64)
    along = torch.outer(axis, axis)
    size = 1.0 + 0.6 * (N - 1) / (N + 1) * (dispersion - 1.0)
    around = size**2 * (1 - RHO) * (torch.eye(N, dtype=torch.float64) - along)
    torch.testing.assert_close(found, (1 + (N - 1) * RHO) * along + around)


def test_a_common_move_raises_the_direction_and_a_spread_the_size_around_it():
    whitening = _equicorrelated()
    numbers, state = whitening.numbers, whitening.start(1)
    one = whitening.predict(state).scale
    together, apart = (whitening.observe(state, numbers.mean + one * x) for x in (torch.ones(N).double(), ALTERNATING))
    # (v'1)^2 = n over v'Rv = 1 + (n - 1) rho
    expected = DIRECTION_DECAY + (1 - DIRECTION_DECAY) * 4 / 1.9
    assert float(together[5]) == pytest.approx(expected, rel=1e-12)
    assert float(apart[5]) == pytest.approx(DIRECTION_DECAY, rel=1e-12)
    # the market explains a common move entirely and an alternating one not at all; the variance it leaves of a
    # series is 1 - (1 + (n - 1) rho) / n
    assert float(together[6]) == pytest.approx(DISPERSION_DECAY, rel=1e-12)
    left = 1.3 / np.sqrt(1 - 1.9 / 4)
    assert float(apart[6]) == pytest.approx(DISPERSION_DECAY + (1 - DISPERSION_DECAY) * left, rel=1e-12)


def test_the_jump_of_one_series_counts_as_two_deviations():
    axis, n = torch.full((20,), 20**-0.5, dtype=torch.float64), 20
    direction = Direction(axis, axis[None] * (1 + (n - 1) * RHO))
    quiet = direction.residual_size(torch.zeros(1, n, dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    jump = torch.zeros(1, n, dtype=torch.float64)
    jump[0, 3] = 4.0
    size = direction.residual_size(jump, torch.ones(1, dtype=torch.float64))
    assert float(quiet) == 0.0
    # two for itself; the others see a market move of 4 / 20 that they did not follow
    others = (n - 1) * (4 / n) / np.sqrt(1 - (1 + (n - 1) * RHO) / n)
    assert float(size) == pytest.approx((2.0 + others) / n, rel=1e-12)


@pytest.mark.parametrize("along", [1.0, 4.0, 12.0])
def test_a_rout_is_no_size_around_the_direction(along):
    """With unequal loads too, what is left of shocks drawn from the model has unit scale and no memory of the move."""
    load = torch.linspace(0.3, 0.9, 12, dtype=torch.float64)
    correlation = torch.outer(load, load)
    correlation.fill_diagonal_(1.0)
    axis = torch.linalg.eigh(correlation).eigenvectors[:, -1]
    direction, pressure = (
        Direction(axis, (correlation @ axis)[None]),
        torch.full((200_000,), along, dtype=torch.float64),
    )
    stretch, deviations = direction.stretch(pressure[:1]), direction.deviations(pressure[:1])
    slow = moving_correlation.symmetric_root(correlation[None])
    y = DirectedRoot(slow, axis, axis, stretch, torch.ones(1).double(), deviations).colour(_draws(200_000, 12, seed=7))
    size = direction.residual_size(y, pressure)
    # E min(|Z|, 2) = sqrt(2/pi) (1 - e^-2) + 4 P(Z > 2); correlated sizes of 12 series: deviation below .4 a date
    expected = np.sqrt(2 / np.pi) * (1 - np.exp(-2.0)) + 4 * 0.0227501
    assert float(size.mean()) == pytest.approx(expected, abs=4 * 0.4 / np.sqrt(200_000))
    move = (y @ axis).abs()
    assert abs(float(torch.corrcoef(torch.stack([size, move]))[0, 1])) < 4 / np.sqrt(200_000)


def _gaussian_loss(whitening, panel, first):
    prediction, rows, _ = predict_paths(whitening, torch.from_numpy(panel)[None], whitening.start(1))
    z = whiten(prediction, rows)
    volume = torch.linalg.slogdet(prediction.root.dense()).logabsdet + prediction.scale.log().sum(dim=1)
    return (volume + 0.5 * z.square().sum(dim=1))[first:].numpy()


def _without_dispersion(whitening):
    still = whitening.numbers._replace(dispersion_weight=torch.zeros((), dtype=torch.float64))
    return VolatilityWhitening(still, whitening.pairs)


@pytest.mark.slow
def test_a_common_size_of_own_shocks_is_followed():
    panel = _panel(4500, 12, spread=0.35, seed=1)
    whitening = fit_volatility(panel[:1500])
    assert float(whitening.numbers.dispersion_weight) == pytest.approx(0.6 * 11 / 13)
    gain = _gaussian_loss(_without_dispersion(whitening), panel, 1500) - _gaussian_loss(whitening, panel, 1500)
    # five standard errors, in blocks of twenty dates against the memory of the size
    blocks = gain.reshape(-1, 20).mean(axis=1)
    assert gain.mean() > 5 * blocks.std(ddof=1) / np.sqrt(len(blocks))


@pytest.mark.parametrize("seed", range(3))
def test_a_constant_size_of_own_shocks_is_not_followed(seed):
    whitening = fit_volatility(_panel(1500, 12, spread=0.0, seed=seed))
    assert float(whitening.numbers.dispersion_weight) == 0.0


def test_independent_series_keep_their_variance_in_roll_outs():
    """With size and pairs that always moved twenty normal series had 1.10 of their variance, 1.35 after a year."""
    panel = 0.01 * np.random.default_rng(1).standard_normal((2500, 20))
    whitening = fit_volatility(panel)
    variance = (roll_out(whitening, panel, n_paths=200, n_periods=120) ** 2).mean(axis=(0, 2)) / 1e-4
    # 80,000 returns in twenty days: half a percent; the filters' noise costs the rest
    assert np.mean(variance[:20]) < 1.035
    assert np.mean(variance[-20:]) < 1.05


def test_correlation_falls_back_to_its_average_at_rest():
    whitening = _equicorrelated()
    torch.testing.assert_close(_covariance(whitening), whitening.pairs.correlation)
    assert sum(CORRELATION_WEIGHTS) == pytest.approx(1.0)
    assert dispersion_weight(1) == 0.0


def test_roll_outs_keep_the_size_of_own_shocks_at_its_average():
    panel = _panel(2500, 12, spread=0.35, seed=2)
    whitening = fit_volatility(panel)
    z = whiten_paths(whitening, torch.from_numpy(panel)[None], whitening.start(1)).innovations[0, 60:]
    state = whitening.hold(whitening.start(1), 2000)
    for t in range(60):
        rows = torch.from_numpy(np.random.default_rng(t).integers(0, len(z), 2000))
        state = whitening.imagine(state, colour(whitening.predict(state), z[rows]))
    # redrawn dates have no memory of their own: the average stays near one instead of drifting with the recursion
    assert float(state[-1].mean()) == pytest.approx(1.0, abs=0.05)
    assert float(state[-1].std()) > 0.05  # but it does move


def test_roll_outs_pull_volatility_to_its_geometric_mean():
    whitening = fit_volatility(_panel(400, N, spread=0.0, seed=3))
    numbers = whitening.numbers
    state = whitening.hold(whitening.start(1), 1)
    doubled = (2.0 * state[0], 2.0 * state[1], *state[2:])
    sigma = whitening.predict(doubled).features
    pulled = whitening.imagine(doubled, numbers.mean[None])  # a return at its mean is no shock
    pull = (LEVEL_PULL * (numbers.level - sigma)).exp()
    torch.testing.assert_close(pulled[0][..., 0], 0.9 * 2.0 * pull)
    assert bool((pull < 1.0).all())
    recorded = whitening.start(1)
    recorded = whitening.observe((2.0 * recorded[0], 2.0 * recorded[1], *recorded[2:]), numbers.mean[None])
    torch.testing.assert_close(recorded[0][..., 0], torch.full((1, N), 1.8, dtype=torch.float64))


def test_the_long_run_correlation_is_that_of_ledoit_and_wolf_on_winsorised_shocks():
    """About zero, not about the sample mean; a shock of a hundred counts as four; the diagonal is one."""
    shocks = (3.0 * _draws(300, 4, seed=5) + _draws(300, 1, seed=6) + 0.5).numpy()
    shocks[10, 2] = 100.0
    clipped = np.clip(shocks, -4.0, 4.0)
    sample = clipped.T @ clipped / 300
    target = np.trace(sample) / 4 * np.eye(4)
    # Ledoit and Wolf (2004): squared error of the sample over its squared distance from the target
    error = np.mean([np.sum((np.outer(x, x) - sample) ** 2) for x in clipped]) / 300
    share = min(error / np.sum((sample - target) ** 2), 1.0)
    shrunk = share * target + (1.0 - share) * sample
    spread = np.sqrt(np.diag(shrunk))
    found = long_run_correlation(shocks)
    np.testing.assert_allclose(found, shrunk / np.outer(spread, spread), rtol=1e-9)
    np.testing.assert_allclose(np.diag(found), 1.0, rtol=1e-12)


def test_the_usual_size_around_the_direction_is_taken_under_the_trend_of_each_date():
    rng = np.random.default_rng(0)
    shocks = rng.standard_normal((400, 4)) + rng.standard_normal((400, 1))
    correlation = long_run_correlation(shocks)
    axis = torch.from_numpy(np.linalg.eigh(correlation)[1][:, -1].copy())
    found = []
    for trend in (0.5, 2.0):
        clipped, average = clipped_shocks(torch.from_numpy(shocks)), torch.from_numpy(correlation)
        moments, along, sizes = average, torch.ones(1, dtype=torch.float64), []
        for shock in clipped[:, None]:
            direction = Direction(axis, (slow_correlation(moments, average) @ axis)[None])
            pressure = pressure_on_direction(along, torch.full((1,), trend, dtype=torch.float64))
            sizes.append(float(direction.residual_size(shock, pressure)))
            along = DIRECTION_DECAY * along + (1.0 - DIRECTION_DECAY) * direction.square(shock)
            moments = CORRELATION_DECAY * moments + (1.0 - CORRELATION_DECAY) * shock.T @ shock
        recorded = Direction(axis, pair_history(shocks, correlation, axis.numpy()).covariance)
        pressures = recorded_pressure(recorded, shocks, np.full(400, trend))
        found.append(fit_dispersion(recorded, shocks, pressures, 60).scale)
        assert found[-1] == pytest.approx(1.0 / np.mean(sizes[60:]), rel=1e-9)
    assert abs(found[0] / found[1] - 1.0) > 0.01
