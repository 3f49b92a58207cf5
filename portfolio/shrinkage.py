"""Shrinkage of a covariance towards a simpler one, as a transformation of moments."""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

from portfolio.constraints import finite_number
from portfolio.moments import HorizonMoments
from tsgen.errors import ConfigError

if TYPE_CHECKING:
    from tsgen.marketdata import ReturnPanel

ShrinkageTarget = Literal["scaled_identity", "diagonal", "constant_correlation"]


def shrunk_moments(
    moments: HorizonMoments, *, intensity: float, target: ShrinkageTarget = "scaled_identity"
) -> HorizonMoments:
    """Moments with the covariance ``(1 - intensity) * Sigma + intensity * target``.

    Parameters
    ----------
    moments : HorizonMoments
    intensity : float
        From 0 (nothing happens) to 1 (target only).
    target : {"scaled_identity", "diagonal", "constant_correlation"}
        Average variance times identity; own variances, no correlation; own variances, average correlation.

    Returns
    -------
    HorizonMoments

    Raises
    ------
    ConfigError
        If the intensity is out of range or the target unknown.

    References
    ----------
    Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", and
    "Honey, I shrunk the sample covariance matrix" (constant correlation).

    Examples
    --------
    >>> m = HorizonMoments(mean=np.zeros(2), covariance=np.diag([1.0, 3.0]), assets=("A", "B"), horizon=1)
    >>> np.diag(shrunk_moments(m, intensity=0.5).covariance).tolist()
    [1.5, 2.5]
    """
    share = finite_number(intensity, "intensity")
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"intensity must lie between 0 and 1: got {share:g}.")
    if target not in get_args(ShrinkageTarget):
        known = ", ".join(map(repr, get_args(ShrinkageTarget)))
        raise ConfigError(f"target must be one of {known}: got {target!r}.")
    aim = _target(moments.covariance, target)
    return replace(moments, covariance=(1.0 - share) * moments.covariance + share * aim)


def ledoit_wolf_intensity(panel: "ReturnPanel") -> float:
    """Intensity towards ``"scaled_identity"`` that Ledoit and Wolf estimate from past simple returns.

    Parameters
    ----------
    panel : ReturnPanel

    Returns
    -------
    float
        Between 0 and 1, for `shrunk_moments`.

    References
    ----------
    Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", section 3.

    Examples
    --------
    >>> import pandas as pd
    >>> from tsgen.marketdata import ReturnPanel
    >>> days = pd.bdate_range("2024-01-01", periods=3)
    >>> rows = pd.DataFrame({"A": [0.01, -0.01, 0.0], "B": [0.0, 0.02, -0.02]}, index=days)
    >>> 0 <= ledoit_wolf_intensity(ReturnPanel(rows, kind="simple")) <= 1
    True
    """
    simple = np.asarray(panel.to_kind("simple").values, dtype=np.float64)
    return float(ledoit_wolf_shrinkage(simple))


def _target(covariance: NDArray[np.float64], target: ShrinkageTarget) -> NDArray[np.float64]:
    variances = np.diag(covariance)
    n = len(variances)
    if target == "scaled_identity":
        return np.eye(n) * variances.mean()
    if target == "diagonal" or n == 1:
        return np.diag(variances)
    scale = np.sqrt(np.outer(variances, variances))
    known = (scale > 0) & ~np.eye(n, dtype=bool)
    average = float((covariance[known] / scale[known]).mean()) if known.any() else 0.0
    return np.where(np.eye(n, dtype=bool), covariance, average * scale)
