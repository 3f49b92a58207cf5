"""Mean and covariance of simple buy-and-hold returns over a horizon, from scenarios or from history.

Both sources give the same object, so that an optimiser cannot tell them apart. One convention:
the return of asset i over the horizon is ``prod_t (1 + R_it) - 1``, because simple returns, and only
they, add over assets. Lowest layer of `portfolio` that knows `ScenarioSet` and `ReturnPanel`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf  # pyright: ignore[reportAttributeAccessIssue]  (made when it is loaded)

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.scenario_set import ScenarioSet

if TYPE_CHECKING:
    from tsgen.marketdata import ReturnPanel

# rounding in a sum of outer products is about S * 1e-16 of the largest entry; S is at most some 1e6
_ROUNDING = 1e-9
_EPSILON = float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class HorizonMoments:
    """Mean and covariance of simple returns over ``horizon`` periods.

    Parameters
    ----------
    mean : ndarray of shape (asset,), float64
        Expected simple return over the horizon, decimals.
    covariance : ndarray of shape (asset, asset), float64
        Symmetric, positive semi-definite (singular is allowed), decimals squared.
    assets : iterable of str
        Unique names.
    horizon : int
        Number of periods, at least 1.
    mean_standard_error : ndarray of shape (asset,), optional
        Sampling error of ``mean``.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If shapes disagree, values are not finite, the matrix is not a covariance, names repeat, or
        the horizon is not a positive integer.

    Examples
    --------
    >>> m = HorizonMoments(mean=np.array([0.01, 0.02]), covariance=np.diag([0.04, 0.09]), assets=("A", "B"), horizon=1)
    >>> m.factor() @ m.factor().T
    array([[0.04, 0.  ],
           [0.  , 0.09]])
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    assets: tuple[str, ...]
    horizon: int
    mean_standard_error: NDArray[np.float64] | None = None
    _root: NDArray[np.float64] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        names = tuple(map(str, self.assets))
        if not names or len(set(names)) != len(names):
            raise DataError(f"assets must be unique names, at least one: got {names}.")
        mean = _finite(self.mean, (len(names),), "mean")
        covariance, root = _checked_covariance(_finite(self.covariance, (len(names), len(names)), "covariance"))
        error = self.mean_standard_error
        if error is not None:
            error = _finite(error, (len(names),), "mean_standard_error")
        horizon = _checked_horizon(self.horizon)
        for name, value in zip(
            ("mean", "covariance", "assets", "horizon", "mean_standard_error", "_root"),
            (mean, covariance, names, horizon, error, root),
            strict=True,
        ):
            object.__setattr__(self, name, value)

    def factor(self) -> NDArray[np.float64]:
        """Matrix F of shape (asset, rank) with ``F F' = covariance``; rounding noise is not counted as rank."""
        values, vectors = np.linalg.eigh(self.covariance)
        kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
        return vectors[:, kept] * np.sqrt(values[kept])

    def rank(self) -> int:
        """Number of columns of `factor`."""
        return self.factor().shape[1] if self._root is None else len(self.assets)

    @property
    def root(self) -> NDArray[np.float64] | None:
        """Upper triangle R, shape (asset, asset), with ``R' R`` the covariance up to rounding; below it is no number.

        ``None`` unless the covariance is regular beyond doubt. Left from the check of the covariance: as a guess,
        and for preconditioning, not for results.
        """
        return self._root


def _regular_root(symmetric: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Cholesky factor if all eigenvalues are positive beyond rounding; it costs a twentieth of them."""
    least = 2.0 * len(symmetric) * _EPSILON * float(symmetric.trace())
    if not least > 0.0:
        return None
    shifted = symmetric.copy()
    shifted.ravel()[:: len(symmetric) + 1] -= least
    # the routine reads columns first, and a symmetric matrix is its own transpose
    root, failed = dpotrf(shifted.T, lower=0, clean=0, overwrite_a=1)
    if failed:
        return None
    root.flags.writeable = False
    return root


def _finite(values: NDArray[np.float64], shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ShapeError(f"{what} must have shape {shape}, one entry per asset and axis: got {array.shape}.")
    if not np.isfinite(array).all():
        raise DataError(f"{what} must be finite: {int((~np.isfinite(array)).sum())} values are not. Repair its source.")
    array.flags.writeable = False
    return array


def _checked_covariance(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """The symmetric matrix, and its Cholesky factor if it is regular beyond doubt."""
    if not (covariance == covariance.T).all():
        size, gap = float(np.abs(covariance).max()), float(np.abs(covariance - covariance.T).max())
        if gap > _ROUNDING * size:
            raise DataError(f"covariance must be symmetric: entries differ from their mirror image by up to {gap:.3g}.")
        covariance = (covariance + covariance.T) / 2
    root = _regular_root(covariance)
    if root is None:
        lowest = float(np.linalg.eigvalsh(covariance)[0])
        if lowest < -_ROUNDING * float(np.abs(covariance).max()):
            raise DataError(
                f"covariance must be positive semi-definite: its smallest eigenvalue is {lowest:.3g}. "
                "Pairwise estimates often are not; estimate it from complete rows, or shrink it."
            )
    covariance.flags.writeable = False
    return covariance, root


def _checked_horizon(horizon: int) -> int:
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or horizon < 1:
        raise ConfigError(f"horizon must be a positive number of periods: got {horizon!r}. Use for example horizon=21.")
    return int(horizon)


def scenario_moments(scenarios: ScenarioSet, *, horizon: int | None = None) -> HorizonMoments:
    r"""Probability-weighted moments of the scenarios' buy-and-hold returns over a horizon.

    With :math:`x_{si} = \prod_{t \le h} (1 + R_{sti}) - 1`:
    :math:`\mu_i = \sum_s p_s x_{si}`,
    :math:`\Sigma_{ij} = \sum_s p_s (x_{si} - \mu_i)(x_{sj} - \mu_j)`, and the standard error of
    :math:`\mu_i` is :math:`(\sum_s p_s^2 (x_{si} - \mu_i)^2)^{1/2}`.

    Parameters
    ----------
    scenarios : ScenarioSet
        Simple or log returns; probabilities are used.
    horizon : int, optional
        Number of periods from the start; by default all of them.

    Returns
    -------
    HorizonMoments
        Decimals over the horizon.

    Raises
    ------
    ConfigError
        If the horizon is not between 1 and that of the scenarios.
    DataError
        If fewer than two scenarios have a positive probability, or a simple return is below -1.

    Notes
    -----
    The covariance is that of the discrete law the scenarios *are*: no degrees-of-freedom correction,
    so a scenario of probability 2/S counts exactly like two copies of probability 1/S.
    The standard error assumes independent scenarios and, where probabilities come from
    re-weighting, is that of the self-normalised estimator.

    References
    ----------
    Meucci (2010), "Historical scenarios with fully flexible probabilities", equations 4-6.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple", probabilities=[0.75, 0.25])
    >>> scenario_moments(s).mean.round(6).tolist(), scenario_moments(s).covariance.round(6).tolist()
    ([0.05], [[0.0075]])
    """
    periods = _checked_horizon(scenarios.horizon if horizon is None else horizon)
    if periods > scenarios.horizon:
        raise ConfigError(
            f"horizon is {periods} periods, but the scenarios have only {scenarios.horizon}. "
            "Sample longer scenarios or choose a shorter horizon."
        )
    if scenarios.kind == "simple" and float(scenarios.returns.min()) < -1.0:
        raise DataError(
            f"a simple return below -1 loses more than everything and cannot be compounded: the smallest is "
            f"{scenarios.returns.min():.6g}. Model log returns, or repair the scenarios."
        )
    p = scenarios.weights
    if int((p > 0).sum()) < 2:
        raise DataError("moments need at least two scenarios of positive probability. Sample more scenarios.")
    outcome = scenarios.growth()[:, periods - 1, :] - 1.0
    mean = p @ outcome
    centred = outcome - mean
    return HorizonMoments(
        mean=mean,
        covariance=(centred * p[:, None]).T @ centred,
        assets=scenarios.assets,
        horizon=periods,
        mean_standard_error=np.sqrt((p**2) @ centred**2),
    )


def historical_moments(panel: "ReturnPanel", *, horizon: int) -> HorizonMoments:
    r"""Moments over a horizon from past returns, if periods are independent and alike.

    With :math:`m`, :math:`C` the sample mean and covariance (``ddof=1``) of simple returns per
    period, compounding over h independent periods gives, for every distribution,
    :math:`\mu_i = (1 + m_i)^h - 1` and
    :math:`\Sigma_{ij} = (C_{ij} + (1 + m_i)(1 + m_j))^h - ((1 + m_i)(1 + m_j))^h`.

    Parameters
    ----------
    panel : ReturnPanel
        Simple or log returns per period; all rows are used with equal weight.
    horizon : int
        Number of periods h.

    Returns
    -------
    HorizonMoments
        Decimals over the horizon; the same meaning as those of `scenario_moments`.

    Raises
    ------
    ConfigError
        If the horizon is not a positive integer.
    DataError
        If the panel has fewer than two rows.

    Notes
    -----
    To first order this is the usual scaling of mean and covariance by h; the rest is compounding,
    which scenarios contain too. :math:`\Sigma` is positive semi-definite because it is a sum of
    entrywise products of positive semi-definite matrices. Overlapping h-period returns would need no
    independence, but have only rows/h independent values. The standard error is that of m, times
    :math:`h (1 + m)^{h-1}`.

    Examples
    --------
    >>> import pandas as pd
    >>> from tsgen.marketdata import ReturnPanel
    >>> days = pd.bdate_range("2024-01-01", periods=2)
    >>> panel = ReturnPanel(pd.DataFrame({"A": [0.0, 0.02]}, index=days), kind="simple")
    >>> historical_moments(panel, horizon=2).mean.round(6).tolist()
    [0.0201]
    """
    periods = _checked_horizon(horizon)
    simple = np.asarray(panel.to_kind("simple").values, dtype=np.float64)
    if len(simple) < 2:
        raise DataError(f"historical moments need at least two rows of returns: got {len(simple)}.")
    growth = 1.0 + simple.mean(axis=0)
    covariance = np.cov(simple, rowvar=False, ddof=1).reshape(simple.shape[1], simple.shape[1])
    squared = np.outer(growth, growth)
    # (1 + C / g g')^h - 1 through log1p and expm1: no cancellation, C is about 1e-4 of g g'
    grown = squared**periods * np.expm1(periods * np.log1p(covariance / squared))
    error = np.sqrt(np.diag(covariance) / len(simple)) * periods * growth ** (periods - 1)
    names: Iterable[str] = panel.assets
    return HorizonMoments(
        mean=growth**periods - 1.0,
        covariance=grown,
        assets=tuple(names),
        horizon=periods,
        mean_standard_error=error,
    )
