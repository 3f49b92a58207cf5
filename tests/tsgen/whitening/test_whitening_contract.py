"""Every whitening: invertible, adapted, and the recorded pass equals the period-by-period one."""

import numpy as np
import pytest
import torch

from tsgen.marketdata.known_processes import Arma, GarchCcc, VarProcess
from tsgen.whitening.factor_volatility_fit import fit_factor_volatility
from tsgen.whitening.identity import IdentityWhitening
from tsgen.whitening.linear_prediction_fit import fit_linear_prediction
from tsgen.whitening.own_lags import OwnLagWhitening
from tsgen.whitening.own_lags_fit import fit_own_lags, surprises
from tsgen.whitening.path_volatility_fit import fit_path_volatility
from tsgen.whitening.regime_switching_fit import fit_regime_switching
from tsgen.whitening.volatility import LEVEL_PULL
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import as_dtype, colour, whiten, whiten_paths


def _paths(n_paths, horizon, n_assets, seed=0):
    rng = np.random.default_rng(seed)
    process = VarProcess.random_first_order(n_assets, spectral_radius=0.6, rng=rng)
    return process.sample(n_paths, horizon, rng=rng)


def _panel(n_dates, n_assets, seed=0):
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(5, size=(n_dates, n_assets)) + 0.5 * rng.standard_t(5, size=(n_dates, 1))
    level = np.exp(0.3 * np.sin(np.arange(n_dates) / 40))[:, None]
    return 0.0003 + 0.01 * level * shocks


def _smoothed(panel):
    """The first series follows its own past."""
    panel = panel.copy()
    for t in range(1, len(panel)):
        panel[t, 0] += 0.6 * panel[t - 1, 0]
    return panel


def _cases():
    yield "identity", IdentityWhitening.fit(torch.from_numpy(_paths(50, 6, 2))), _paths(7, 6, 2, seed=1)
    yield "linear", fit_linear_prediction(_paths(300, 6, 2)), _paths(7, 6, 2, seed=1)
    yield "linear, one asset", fit_linear_prediction(_paths(300, 6, 1)), _paths(7, 6, 1, seed=1)
    clustered = GarchCcc([0.1, 0.1], [0.2, 0.3], [0.7, 0.6], [[1.0, 0.4], [0.4, 1.0]], dof=6.0)
    many = clustered.sample(300, 12, rng=np.random.default_rng(2))
    own_linear = fit_linear_prediction(_paths(300, 12, 2))
    yield "path volatility", fit_path_volatility(many, own_linear), many[:7]
    one = many[:, :, :1]
    yield "path volatility, one asset", fit_path_volatility(one, fit_linear_prediction(one)), one[:7]
    yield "regimes", fit_regime_switching(_paths(300, 12, 2)), many[:7]
    yield "regimes, one asset", fit_regime_switching(one), one[:7]
    yield "factor", fit_factor_volatility(_panel(600, 5), n_factors=2), _panel(50, 5, seed=1)[None]
    yield "volatility", fit_volatility(_panel(600, 3)), _panel(50, 3, seed=1)[None]
    yield "volatility, one asset", fit_volatility(_panel(600, 1)), _panel(50, 1, seed=1)[None]
    lags = fit_own_lags(smoothed := _smoothed(_panel(600, 3)))
    inner = fit_volatility(surprises(smoothed, lags))
    yield "autoregressive", OwnLagWhitening(inner, lags), _smoothed(_panel(50, 3, seed=1))[None]


SPREADS = [3.0, 1.0, 2.0, 0.5, 1.5, 0.2, 1.0, 0.3]  # a different innovation every period
CASES = list(_cases())
each = pytest.mark.parametrize(("whitening", "returns"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])


@each
def test_recorded_pass_equals_the_loop_and_inverts(whitening, returns):
    x = torch.from_numpy(returns)
    whole = whiten_paths(whitening, x, whitening.start(len(x)))
    state = whitening.start(len(x))
    for t in range(x.shape[1]):
        prediction = whitening.predict(state)
        z = whiten(prediction, x[:, t])
        torch.testing.assert_close(z, whole.innovations[:, t], rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(prediction.features, whole.features[:, t], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(colour(prediction, z), x[:, t], rtol=1e-10, atol=1e-13)
        state = whitening.observe(state, x[:, t])
    for a, b in zip(state, whole.final_state, strict=True):
        assert torch.equal(a, b)


@each
@pytest.mark.parametrize("cut", [1, 4])
def test_the_future_does_not_reach_the_past(whitening, returns, cut):
    x = torch.from_numpy(returns)
    disturbed = x.clone()
    disturbed[:, cut:] = 1e3
    before = whiten_paths(whitening, x, whitening.start(len(x)))
    after = whiten_paths(whitening, disturbed, whitening.start(len(x)))
    assert torch.equal(before.innovations[:, :cut], after.innovations[:, :cut])
    assert torch.equal(before.features[:, : cut + 1], after.features[:, : cut + 1])  # known before period `cut`
    assert not torch.equal(before.innovations[:, cut:], after.innovations[:, cut:])


@each
def test_stored_numbers_restore_the_same_whitening(whitening, returns):
    again = type(whitening).restore(whitening.arrays(), whitening.facts())
    x = torch.from_numpy(returns)
    one = whiten_paths(whitening, x, whitening.start(len(x)))
    two = whiten_paths(again, x, again.start(len(x)))
    assert torch.equal(one.innovations, two.innovations)
    assert (again.max_periods, again.n_features) == (whitening.max_periods, whitening.n_features)


@each
def test_held_state_predicts_what_the_recorded_state_predicts(whitening, returns):
    x = torch.from_numpy(returns)[:1]
    state = whiten_paths(whitening, x[:, :3], whitening.start(1)).final_state
    recorded, held = whitening.predict(state), whitening.predict(whitening.hold(state, 4))
    z = torch.ones(1, x.shape[2], dtype=torch.float64)
    expected = colour(recorded, z).expand(4, -1)
    torch.testing.assert_close(colour(held, z.expand(4, -1)), expected)
    single = whitening.predict(as_dtype(whitening.hold(state, 4), torch.float32))
    torch.testing.assert_close(colour(single, z.float().expand(4, -1)).double(), expected, rtol=1e-5, atol=1e-6)


def test_linear_prediction_recovers_an_arma_law():
    from tsgen.evaluation import gaussian_adapted_wasserstein

    process = Arma((0.6, -0.3), (0.5, 0.2))
    truth = process.covariance(16)
    paths = process.sample(2048, 16, rng=np.random.default_rng(3))
    fitted = fit_linear_prediction(paths)
    # law of the fitted model: response of the path to each innovation
    state, columns = fitted.start(16 + 1), []
    for t in range(16):
        z = torch.zeros(17, 1, dtype=torch.float64)
        z[t + 1] = 1.0
        x = colour(fitted.predict(state), z)
        columns.append((x - x[0])[1:, 0])
        state = fitted.observe(state, x)
    response = torch.stack(columns).numpy()
    own = gaussian_adapted_wasserstein(np.zeros(16), response @ response.T, np.zeros(16), truth)
    saturated = gaussian_adapted_wasserstein(np.zeros(16), np.cov(paths[:, :, 0].T), np.zeros(16), truth)
    # ten numbers instead of 136: the error must be far below that of the saturated fit
    assert own < 0.5 * saturated
    assert fitted.max_periods is None


def test_linear_prediction_keeps_a_law_that_is_not_stationary():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(2000, 8, 1)) * np.array(SPREADS)[None, :, None], axis=1)
    fitted = fit_linear_prediction(walk)
    assert fitted.model.startswith("saturated")
    assert fitted.max_periods == 8
    # five standard errors of a standard deviation: 5 / sqrt(2 n)
    assert fitted.roots[:, 0, 0].numpy() == pytest.approx(SPREADS, rel=5 / np.sqrt(4000))


def test_volatility_whitening_removes_garch_volatility():
    process = GarchCcc(
        omega=np.full(2, 0.02),
        alpha=np.full(2, 0.08),
        beta=np.full(2, 0.9),
        correlation=np.array([[1, 0.5], [0.5, 1]]),
        dof=6.0,
    )
    panel = process.sample(1, 4000, rng=np.random.default_rng(2))[0] * 0.01
    whitened = whiten_paths(fit_volatility(panel), torch.from_numpy(panel)[None], fit_volatility(panel).start(1))
    z = whitened.innovations[0, 100:].numpy()

    def clustering(values):
        square = np.minimum(values**2, np.quantile(values**2, 0.99, axis=0))
        return [np.corrcoef(square[1:, i], square[:-1, i])[0, 1] for i in range(2)]

    # raw squares cluster; whitened ones are within four standard errors (1/sqrt(T)) of independence
    assert min(clustering(panel)) > 0.08
    assert np.abs(clustering(z)).max() < 4 / np.sqrt(len(z))
    assert z.std(axis=0) == pytest.approx(1.0, abs=0.06)
    assert abs(np.corrcoef(z.T)[0, 1]) < 0.1


def test_generated_shocks_are_fed_back_at_unit_variance():
    whitening = next(case[1] for case in CASES if case[0] == "volatility")
    numbers = whitening.numbers
    state = whitening.hold(whitening.start(1), 2)
    shock = numbers.mean + numbers.deviation * numbers.kappa
    moved = whitening.imagine(state, shock.expand(2, -1))
    pull = (LEVEL_PULL * (numbers.level - whitening.predict(state).features[0])).exp()
    expected = (0.9 + 0.1 * numbers.absolute_scale) * pull  # decay .9, |e| = 1 after division by kappa
    torch.testing.assert_close(moved[0][0, :, 0], expected)
    # the location remembers the return itself, in deviations, clipped at four times its volatility
    giant = whitening.imagine(moved, (numbers.mean + 100.0 * numbers.deviation).expand(2, -1))
    largest = 4.0 * whitening.predict(moved).scale / numbers.deviation
    torch.testing.assert_close(moved[3], numbers.kappa.expand(2, -1)[..., None].expand(-1, -1, 2))
    torch.testing.assert_close(giant[3][..., 0], largest)
    torch.testing.assert_close(giant[3][..., 1], 0.8 * numbers.kappa + largest)
    assert moved[4] is state[4]  # slow correlation held


def test_too_little_data_is_refused():
    from tsgen.errors import DataError

    with pytest.raises(DataError, match="at least 20 paths: got 5"):
        fit_linear_prediction(np.ones((5, 3, 1)))
    with pytest.raises(DataError, match="at least 100 dates: got 40"):
        fit_volatility(_panel(40, 2))
    repeated = np.repeat(np.random.default_rng(0).normal(size=(200, 4, 1)), 2, axis=2)
    with pytest.raises(DataError, match=r"remove|Remove"):
        fit_linear_prediction(repeated * np.array([1.0, 0.0]))
