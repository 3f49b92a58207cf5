"""The published portfolio experiment: mean-variance with a terminal wealth target of 1.2 on half-year paths.

Wealth starts at 1, the riskless rate is 2 % a year, positions are rebalanced daily, 126 days make half a year. The
mean-variance policy is affine in wealth, ``amount in the index = k (w exp(-r (T - t)) - wealth)``: Zhou and Li (2000)
give ``k`` and ``w`` for known drift and volatility; on paths both follow from the paths themselves, because terminal
wealth is

    X_T = w - (w exp(-r T) - 1) prod_t (exp(r dt) - k (R_t - rf)),

so the target fixes ``w`` for each ``k`` and a line search over ``k`` gives the smallest variance. This plays the part
of the q-learning of the published runs (the same policy class, found without its sampling noise).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

import tsgen

TARGET, RATE, DAYS = 1.2, 0.02, 126
PERIOD = 0.5 / DAYS
TRAINING_END = "2009-12-31"
TEST_END = "2019-12-31"
N_TEST, MONTH = 100_000, 21
SMALLEST_GAIN = 0.05
"""With a gain near zero the amount in the index is constant: no doubling up after losses."""

Paths = NDArray[np.float64]


class Policy(NamedTuple):
    """Multiple of the shortfall that is held in the index, and the wealth level it is counted from."""

    gain: float
    anchor: float


def panels() -> tuple[tsgen.ReturnPanel, tsgen.ReturnPanel]:
    """S&P 500 daily log returns 1990-2009 and 2010-2019."""
    training, later = tsgen.load_returns("us_index").split(TRAINING_END)
    test, _ = later.split(TEST_END)
    return training, test


def half_years(returns: Paths) -> Paths:
    """Consecutive half-year paths (path, 126) of log returns, the last one ending at the end."""
    count = len(returns) // DAYS
    return returns[len(returns) - count * DAYS :].reshape(count, DAYS)


def monthly_bootstrap(returns: Paths, n_paths: int, *, rng: np.random.Generator) -> Paths:
    """Half-year paths of six months drawn with replacement: blocks of 21 days at any start."""
    starts = rng.integers(len(returns) - MONTH + 1, size=(n_paths, DAYS // MONTH))
    return returns[(starts[:, :, None] + np.arange(MONTH))].reshape(n_paths, DAYS)


def _growth(log_returns: Paths, gain: float) -> Paths:
    excess = np.expm1(log_returns) - np.expm1(RATE * PERIOD)
    return np.prod(np.exp(RATE * PERIOD) - gain * excess, axis=1)


def terminal_wealth(log_returns: Paths, policy: Policy) -> Paths:
    """Wealth after half a year, per path."""
    discount = np.exp(-RATE * DAYS * PERIOD)
    return policy.anchor - (policy.anchor * discount - 1.0) * _growth(log_returns, policy.gain)


def _anchor_for(mean_growth: float) -> float:
    discount = np.exp(-RATE * DAYS * PERIOD)
    return (TARGET - mean_growth) / (1.0 - discount * mean_growth)


def largest_gain(log_returns: Paths) -> float:
    """Gain at which the log-variance of the policy's growth reaches one.

    Beyond it the moments of the growth are those of a few paths: doubling up looks riskless on any finite sample.
    """
    return float(1.0 / (log_returns.std() * np.sqrt(DAYS)))


def policy_on_paths(log_returns: Paths) -> Policy:
    """Affine policy of least variance whose mean terminal wealth on the paths is the target."""
    discount = np.exp(-RATE * DAYS * PERIOD)

    def variance(gain: float) -> float:
        growth = _growth(log_returns, gain)
        if growth.mean() * discount >= 1.0 - 1e-6:  # the index earns nothing beyond the riskless rate
            return 1e6 * gain
        anchor = _anchor_for(growth.mean())
        return float((anchor * discount - 1.0) ** 2 * growth.var())

    grid = np.geomspace(SMALLEST_GAIN, largest_gain(log_returns), 40)  # heavy tails give several local minima
    best = int(np.argmin([variance(gain) for gain in grid]))
    around = (float(grid[max(0, best - 1)]), float(grid[min(len(grid) - 1, best + 1)]))
    gain = float(minimize_scalar(variance, bounds=around, method="bounded").x)
    return Policy(gain, _anchor_for(float(_growth(log_returns, gain).mean())))


def policy_from_moments(log_returns: Paths) -> Policy:
    """Zhou-Li policy of a geometric Brownian motion with the drift and volatility of the paths."""
    volatility = log_returns.std(ddof=1) / np.sqrt(PERIOD)
    drift = log_returns.mean() / PERIOD + 0.5 * volatility**2
    horizon, gain = DAYS * PERIOD, (drift - RATE) / volatility**2
    growth = float(np.exp((RATE - (drift - RATE) ** 2 / volatility**2) * horizon))
    return Policy(float(gain), _anchor_for(growth))


def judge(policy: Policy, test: Paths) -> dict[str, float]:
    """Mean, variance and Sharpe ratio (mean gain over deviation) of terminal wealth, as published."""
    wealth = terminal_wealth(test, policy)
    return {
        "gain": policy.gain,
        "anchor": policy.anchor,
        "mean": float(wealth.mean()),
        "variance": float(wealth.var(ddof=1)),
        "sharpe": float((wealth.mean() - 1.0) / wealth.std(ddof=1)),
        "share_below_half": float((wealth < 0.5).mean()),
    }


def generated_half_years(
    generator: tsgen.AdaptedDiffusionGenerator, training: tsgen.ReturnPanel, *, seed: int
) -> Paths:
    """Half-year paths that start where the recorded ones started: 100 from each of the dates."""
    last = training.n_dates - DAYS
    starts = range(last, 250, -DAYS)
    dates = [training.dates[i - 1] for i in reversed(starts)]
    return np.concatenate([x[:, :, 0] for x in generator.sample_at(training, dates, 100, DAYS, seed=seed)])


def spread(recorded: Paths, generated: Paths) -> dict[str, float]:
    """Why volatilities differ: by month of the half-year, the latest crisis start left out, the weight of few paths.

    Generated paths come in groups of 100 per start; the recorded standard error is over half-years (delta method).
    """
    annual = 1.0 / np.sqrt(PERIOD)
    by_start = generated.reshape(-1, 100, DAYS)
    calmer = np.delete(by_start, int(np.argmax((by_start**2).mean(axis=(1, 2)))), axis=0)
    squares = (recorded**2).mean(axis=1)
    energy = np.sort((generated**2).mean(axis=1))
    return {
        "recorded standard error": float(squares.std(ddof=1) / np.sqrt(len(squares)) / (2 * recorded.std()) * annual),
        "generated, first month": float(generated[:, :MONTH].std() * annual),
        "generated, last month": float(generated[:, -MONTH:].std() * annual),
        "generated, without the most volatile start": float(calmer.std() * annual),
        "generated, first month without that start": float(calmer[:, :, :MONTH].std() * annual),
        "share of squares in the top 1 % of paths": float(energy[-len(energy) // 100 :].sum() / energy.sum()),
        "half-year deviation, recorded": float(recorded.sum(axis=1).std()),
        "half-year deviation, generated": float(generated.sum(axis=1).std()),
        "largest gain, generated": largest_gain(generated),
        "largest gain, recorded": largest_gain(recorded),
    }
