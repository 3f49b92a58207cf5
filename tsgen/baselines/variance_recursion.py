"""One-step variance recursions, EWMA and (GJR-)GARCH(1,1) in one linear form, for several assets at once.

Pure formulas; used by `garch_fit`, `filtered_historical_simulation` and `garch_ccc`.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

# news beyond this many long-run deviations moves the variance no further; Gaussian news never gets there, a misprint
# or a takeover does, and would make the model forecast a year of it
NEWS_LIMIT = 20.0
# a stock that does not trade for weeks has no variance; its next trade would be an infinitely large shock
FLOOR_SHARE = 0.01


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class VarianceRecursion:
    """``h_{t+1} = omega + (alpha + gamma [e_t < 0]) min(e_t^2, news_limit^2) + beta h_t``; used is ``max(h, floor)``.

    ``e_t`` is the return less its mean. EWMA is ``omega = 0, alpha = 1 - decay, beta = decay``.

    Attributes
    ----------
    omega, alpha, gamma, beta : ndarray of shape (asset,), float64
    start : ndarray of shape (asset,), float64
        ``h_1``, the long-run variance of the training data.
    news_limit, floor : ndarray of shape (asset,), float64
        20 long-run deviations; 1 % of the long-run variance.

    References
    ----------
    Glosten, Jagannathan, Runkle (1993), "On the relation between the expected value and the volatility of the nominal
    excess return on stocks", Journal of Finance 48. J.P. Morgan (1996), "RiskMetrics technical document", section 5.

    Examples
    --------
    >>> one = np.ones(1)
    >>> ewma = VarianceRecursion.with_scale(omega=0 * one, alpha=0.06 * one, gamma=0 * one, beta=0.94 * one, scale=one)
    >>> ewma.filtered(np.array([[2.0]])).round(4).tolist()  # 0.06 * 4 + 0.94 * 1
    [[1.0], [1.18]]
    """

    omega: NDArray[np.float64]
    alpha: NDArray[np.float64]
    gamma: NDArray[np.float64]
    beta: NDArray[np.float64]
    start: NDArray[np.float64]
    news_limit: NDArray[np.float64]
    floor: NDArray[np.float64]

    @classmethod
    def with_scale(cls, *, scale: NDArray[np.float64], **coefficients: NDArray[np.float64]) -> Self:
        """Recursion whose start, limit and floor follow from the long-run deviation ``scale`` of each asset."""
        return cls(start=scale**2, news_limit=NEWS_LIMIT * scale, floor=FLOOR_SHARE * scale**2, **coefficients)

    def news(self, deviation: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a return less its mean adds to the next variance, besides omega; same shape."""
        slope = self.alpha + self.gamma * (deviation < 0.0)
        return slope * np.minimum(deviation**2, self.news_limit**2)

    def following(self, variance: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Next variance before the floor, from this one before the floor and the return less its mean."""
        return self.omega + self.news(deviation) + self.beta * variance

    def used(self, variance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance with its floor."""
        return np.maximum(variance, self.floor)

    def filtered(self, deviations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variances ``h_1 .. h_{T+1}`` before the floor along one path.

        Parameters
        ----------
        deviations : ndarray of shape (time, asset)
            Returns less their means.

        Returns
        -------
        ndarray of shape (time + 1, asset), float64
        """
        forcing = self.omega + self.news(deviations)
        result = np.empty((len(deviations) + 1, len(self.omega)))
        result[0] = self.start
        for i, beta in enumerate(self.beta):
            result[1:, i] = lfilter([1.0], [1.0, -beta], forcing[:, i], zi=[beta * self.start[i]])[0]
        return result


def robust_scale(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """``sqrt(pi / 2)`` times the mean absolute value: a deviation that one extreme day hardly moves.

    Examples
    --------
    >>> robust_scale(np.array([[1.0], [-1.0]])).round(4).tolist()
    [1.2533]
    """
    return np.sqrt(0.5 * np.pi) * np.abs(deviations).mean(axis=0)
