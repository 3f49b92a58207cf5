r"""log Z from both sides: steered paths, and paths of the reference that the steered law could have drawn.

Steered paths alone estimate :math:`Z = E_{q^u}[e^r dp/dq^u]` without bias, but where the control hardly goes their few
weights are large, and a sample without such a path looks precise and is low. The reference goes there. Balanced weights

    t = e^r / (a dq^u/dp + 1 - a),     a: share of steered paths,

over both samples are unbiased as well, and none is larger than ``e^r / (1 - a)``, whatever the control.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class PartitionEstimate(NamedTuple):
    """``log Z``, and what every path contributed."""

    log_value: float
    error: float
    steered: Floats
    """(steered path,): balanced weight, in units of Z over the number of all paths."""
    observed: Floats
    """(reference path,): likewise; empty if there are none."""

    def weighted_mean(self, steered: Floats, observed: Floats) -> float:
        """Mean under the tilt of something known on both samples."""
        total = self.steered.sum() + self.observed.sum()
        return float((self.steered @ steered + self.observed @ observed) / total)


def partition_estimate(
    tilt: Floats, log_ratio: Floats, observed_tilt: Floats, observed_ratio: Floats
) -> PartitionEstimate:
    """Estimate ``log Z`` from steered and from reference paths.

    Parameters
    ----------
    tilt, log_ratio : ndarray of shape (steered path,), float64
        ``r`` and ``log dp/dq^u`` of paths that the steered law drew.
    observed_tilt, observed_ratio : ndarray of shape (reference path,), float64
        The same of paths that the reference drew; empty: the steered ones alone.

    Notes
    -----
    The error is that of two independent samples with fixed numbers of paths.

    References
    ----------
    Veach, Guibas (1995), "Optimally combining sampling techniques for Monte Carlo rendering", equation 14.
    Hesterberg (1995), "Weighted average importance sampling and defensive mixture distributions".

    Examples
    --------
    >>> rng = np.random.default_rng(0)  # p = N(0, 1), q = N(1, 1), r = 2 x: log Z = 2
    >>> x, y = rng.standard_normal((2, 100_000)) + [[1.0], [0.0]]
    >>> found = partition_estimate(2.0 * x, 0.5 - x, 2.0 * y, 0.5 - y)
    >>> abs(found.log_value - 2.0) < 4.0 * found.error < 0.05
    True
    """
    n_steered, n_observed = len(tilt), len(observed_tilt)
    n = n_steered + n_observed

    def balanced(r: Floats, ratio: Floats) -> Floats:
        own = math.log(n_steered / n) - ratio
        return r - (np.logaddexp(own, math.log(n_observed / n)) if n_observed else own)

    first, second = balanced(tilt, log_ratio), balanced(observed_tilt, observed_ratio)
    top = float(max(first.max(), second.max(initial=-np.inf)))
    steered, observed = np.exp(first - top), np.exp(second - top)
    mean = float(steered.sum() + observed.sum()) / n
    steered, observed = steered / mean, observed / mean
    variance = n_steered * float(steered.var()) + (n_observed * float(observed.var()) if n_observed else 0.0)
    return PartitionEstimate(top + math.log(mean), math.sqrt(variance) / n, steered, observed)
