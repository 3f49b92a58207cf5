"""Named tables for PyPortfolioOpt and Riskfolio-Lib, which read rows of returns as equally likely.

Moments use the probabilities exactly. Rows with unequal probabilities are refused unless the caller asks for a
resample: handing them over as they are would throw the probabilities away without a word.
"""

from typing import NamedTuple

import pandas as pd

from portfolio.interop.scenario_matrix import equally_likely_rows, scenario_matrix
from portfolio.moments import scenario_moments
from tsgen.errors import ConfigError
from tsgen.random_streams import numpy_stream
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number


class PyPortfolioOptFrames(NamedTuple):
    """Arguments of ``EfficientFrontier(expected_returns, cov_matrix)`` and ``EfficientCVaR(.., returns)``."""

    expected_returns: pd.Series
    cov_matrix: pd.DataFrame
    returns: pd.DataFrame


class RiskfolioFrames(NamedTuple):
    """``port = rp.Portfolio(returns=frames.returns); port.mu, port.cov = frames.mu, frames.cov``."""

    mu: pd.DataFrame
    """Shape (1, asset)."""
    cov: pd.DataFrame
    returns: pd.DataFrame


def pyportfolioopt_frames(
    scenarios: ScenarioSet, *, horizon: int | None = None, resample: int | None = None, seed: int = 0
) -> PyPortfolioOptFrames:
    """Mean, covariance and outcomes of simple returns over the horizon, for PyPortfolioOpt.

    Parameters
    ----------
    scenarios : ScenarioSet
    horizon : int, optional
        First so many periods; by default all.
    resample : int, optional
        Number of equally likely rows that represent unequal probabilities.
    seed : int
        Of the resample.

    Returns
    -------
    PyPortfolioOptFrames
        Decimals over the horizon, **not annualised**: returns and risks of that library are then over the horizon, too.

    Raises
    ------
    ConfigError
        If the scenarios are not equally likely and no resample is asked for.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.02]]], assets=["A", "B"], kind="simple")
    >>> pyportfolioopt_frames(s).expected_returns.round(4).to_dict()
    {'A': 0.0, 'B': 0.01}
    """
    moments = scenario_moments(scenarios, horizon=horizon)
    names = list(scenarios.assets)
    return PyPortfolioOptFrames(
        expected_returns=pd.Series(moments.mean.copy(), index=names),
        cov_matrix=pd.DataFrame(moments.covariance.copy(), index=names, columns=names),
        returns=_rows(scenarios, horizon, resample, seed),
    )


def riskfolio_frames(
    scenarios: ScenarioSet, *, horizon: int | None = None, resample: int | None = None, seed: int = 0
) -> RiskfolioFrames:
    """The same for Riskfolio-Lib, in its shapes.

    Parameters
    ----------
    scenarios, horizon, resample, seed
        As `pyportfolioopt_frames`.

    Returns
    -------
    RiskfolioFrames

    Raises
    ------
    ConfigError
        If the scenarios are not equally likely and no resample is asked for.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.02]]], assets=["A", "B"], kind="simple")
    >>> riskfolio_frames(s).mu.shape
    (1, 2)
    """
    frames = pyportfolioopt_frames(scenarios, horizon=horizon, resample=resample, seed=seed)
    return RiskfolioFrames(mu=frames.expected_returns.to_frame().T, cov=frames.cov_matrix, returns=frames.returns)


def _rows(scenarios: ScenarioSet, horizon: int | None, resample: int | None, seed: int) -> pd.DataFrame:
    matrix = scenario_matrix(scenarios, horizon=horizon)
    p = matrix.probabilities
    # probabilities that differ by rounding only are equal
    if resample is None and float(p.max() - p.min()) > 1e-12:
        raise ConfigError(
            "the scenarios are not equally likely, but this library reads rows as if they were. Pass resample=10_000 "
            "for rows drawn in proportion, or use portfolio.mean_cvar or ScenarioPrior, which keep probabilities."
        )
    rows = matrix.returns
    if resample is not None:
        whole_number(resample, "resample", least=2)
        rows = rows[equally_likely_rows(p, resample, rng=numpy_stream(seed, "equally likely rows"))]
    return pd.DataFrame(rows, columns=list(scenarios.assets))
