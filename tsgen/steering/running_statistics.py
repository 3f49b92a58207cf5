r"""Running statistics of several portfolios along generated paths: what a risk functional will need at the end.

Everything is a function of the past of the path, updated period by period. The same update, applied to the *clean
estimate* of the period being generated, gives the look-ahead that the value function reads.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.return_kind import ReturnKind

# wealth below this is ruin: ratios of it would only carry noise
SMALLEST_WEALTH = 0.02


class RunningStatistics(NamedTuple):
    """State of the portfolios, each of shape (path, portfolio)."""

    wealth: Tensor
    """Buy-and-hold wealth, 1 at the start."""
    peak: Tensor
    """Largest wealth so far, at least 1."""
    lowest: Tensor
    """Smallest wealth so far, at most 1."""
    drawdown: Tensor
    """Largest loss from a peak so far."""
    squares: Tensor
    """Sum of squared period returns so far."""


def statistics_at_start(n_paths: int, n_portfolios: int) -> RunningStatistics:
    """Statistics before the first period, float32."""
    ones = torch.ones(n_paths, n_portfolios)
    zeros = torch.zeros_like(ones)
    return RunningStatistics(ones, ones, ones, zeros, zeros)


def moved_on(running: RunningStatistics, period_return: Tensor) -> RunningStatistics:
    """Statistics after a period in which the portfolios returned ``period_return`` (path, portfolio).

    Examples
    --------
    >>> start = statistics_at_start(1, 1)
    >>> after = moved_on(moved_on(start, torch.tensor([[0.1]])), torch.tensor([[-0.5]]))
    >>> round(float(after.wealth), 4), round(float(after.drawdown), 4), round(float(after.squares), 4)
    (0.55, 0.5, 0.26)
    """
    wealth = running.wealth * (1.0 + period_return)
    peak = torch.maximum(running.peak, wealth)
    return RunningStatistics(
        wealth=wealth,
        peak=peak,
        lowest=torch.minimum(running.lowest, wealth),
        drawdown=torch.maximum(running.drawdown, 1.0 - wealth / peak),
        squares=running.squares + period_return.square(),
    )


def grown(growth: Tensor, returns: Tensor, kind: ReturnKind) -> Tensor:
    """Growth of every asset (path, asset) after one more period of ``returns``."""
    return growth * (torch.exp(returns) if kind == "log" else 1.0 + returns)


def realised(running: RunningStatistics, growth: Tensor, weights: Tensor) -> RunningStatistics:
    """Statistics after a period that left the assets at ``growth`` (path, asset).

    Parameters
    ----------
    running : RunningStatistics
    growth : Tensor of shape (path, asset)
    weights : Tensor of shape (portfolio, asset)
        Initial weights, held without rebalancing.
    """
    wealth = 1.0 + (growth - 1.0) @ weights.T
    after = moved_on(running, wealth / running.wealth.clamp_min(SMALLEST_WEALTH) - 1.0)
    # the product of rounded ratios would drift from the sum of holdings
    return after._replace(wealth=wealth, peak=torch.maximum(running.peak, wealth))
