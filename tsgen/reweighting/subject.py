"""What a view is about: an asset, a portfolio, or any number per scenario; and its value in every scenario.

By default the number is the **simple buy-and-hold return over the whole horizon**, decimals. It adds over
assets, so a portfolio is the weighted sum of its assets' horizon returns. Any other quantity (first period,
realised volatility, drawdown) is given as an array or as a callable on the `ScenarioSet`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.scenario_set import ScenarioSet

Subject = str | Mapping[str, float] | pd.Series | NDArray[Any] | Callable[[ScenarioSet], ArrayLike]


def _frozen_weights(weights: Mapping[str, float] | pd.Series) -> Mapping[str, float]:
    try:
        owned = {str(asset): float(weight) for asset, weight in weights.items()}
    except (TypeError, ValueError) as error:
        raise ConfigError(f"portfolio weights must be numbers, one per asset: got {weights!r}.") from error
    if not owned or len(owned) != len(weights) or not all(np.isfinite(w) for w in owned.values()):
        raise ConfigError(
            f"portfolio weights must be finite, at least one, each asset once: got {dict(weights)}. "
            "Assets left out have weight zero."
        )
    return MappingProxyType(owned)


def frozen_subject(of: Subject) -> Subject:
    """Private, immutable copy of a subject, so that later changes of the caller's object do not move a view.

    Raises
    ------
    ConfigError
        If it is neither a name, weights, an array of shape (scenario,), nor a callable.

    Examples
    --------
    >>> frozen_subject({"A": 1, "B": -1})
    mappingproxy({'A': 1.0, 'B': -1.0})
    """
    if isinstance(of, str):
        return of
    if isinstance(of, (Mapping, pd.Series)):
        return _frozen_weights(of)
    if callable(of):
        return of
    values = np.array(of)
    if values.ndim != 1 or values.dtype.kind not in "buif":
        raise ConfigError(
            f"a view must be about an asset name, a mapping of portfolio weights, one number per scenario, or a "
            f"callable on the ScenarioSet: got {type(of).__name__}, dtype {values.dtype}, shape {values.shape}."
        )
    values.flags.writeable = False
    return values


def subject_label(of: Subject) -> str:
    """Short name of a subject in messages and tables.

    Examples
    --------
    >>> subject_label({"A": 0.5, "B": -0.5}), subject_label(max)
    ('0.5 A - 0.5 B', 'max')
    """
    if isinstance(of, str):
        return of
    if isinstance(of, (Mapping, pd.Series)):
        if len(of) > 4:
            return f"a portfolio of {len(of)} assets"
        terms = [f"{'-' if w < 0 else '+'} {abs(w):g} {asset}" for asset, w in of.items()]
        return " ".join(terms).removeprefix("+ ")
    if callable(of):
        return str(getattr(of, "__name__", None) or type(of).__name__)
    return "a given array"


def numbers_per_scenario(values: ArrayLike, n_scenarios: int, what: str) -> NDArray[np.float64]:
    """One finite float64 per scenario; raises `ShapeError` or `DataError` otherwise.

    Examples
    --------
    >>> numbers_per_scenario([True, False], 2, "event").tolist()
    [1.0, 0.0]
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must give numbers, one per scenario: got {type(values).__name__}.") from error
    if array.shape != (n_scenarios,):
        raise ShapeError(
            f"{what} must give one number per scenario: expected shape {(n_scenarios,)}, got {array.shape}. "
            "Reduce over time and assets first."
        )
    bad = ~np.isfinite(array)
    if bad.any():
        raise DataError(
            f"{what} must be finite in every scenario: {int(bad.sum())} values are not, the first at scenario "
            f"{int(np.argmax(bad))}. A view on it would have no meaning there."
        )
    return array


def compounded(simple: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulated simple returns, shape (scenario, time), without passing through ``1 + return``.

    One return stays what it is, to the bit, so that thresholds hit exactly count; small ones keep all their digits.

    Examples
    --------
    >>> compounded(np.array([[-0.2, 0.5]])).round(12).tolist(), (1.0 - 0.2) - 1.0 == -0.2
    ([[-0.2, 0.2]], False)
    """
    total = np.array(simple, order="F")
    for period in range(1, total.shape[1]):
        before, step = total[:, period - 1], total[:, period]
        total[:, period] = before + step + before * step
    return total


@final
class Outcomes:
    """Values of subjects in every scenario, computed once per asset.

    Parameters
    ----------
    scenarios : ScenarioSet
        Simple or log returns.

    Raises
    ------
    DataError
        If a simple return is below -1: it cannot be compounded.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1], [0.1]], [[-0.1], [0.0]]], assets=["A"], kind="simple")
    >>> Outcomes(s).of("A").round(6).tolist()
    [0.21, -0.1]
    """

    def __init__(self, scenarios: ScenarioSet) -> None:
        if scenarios.kind == "simple" and float(scenarios.returns.min()) < -1.0:
            raise DataError(
                f"a simple return below -1 loses more than everything and cannot be compounded: the smallest is "
                f"{scenarios.returns.min():.6g}. Model log returns, or repair the scenarios."
            )
        self.scenarios = scenarios
        self.prior = scenarios.weights
        self._horizon_returns: dict[int, NDArray[np.float64]] = {}

    def of(self, subject: Subject) -> NDArray[np.float64]:
        """Value of the subject in every scenario, shape (scenario,), float64."""
        if isinstance(subject, str):
            return self._asset(subject)
        if isinstance(subject, (Mapping, pd.Series)):
            total = np.zeros(self.scenarios.n_scenarios)
            for asset, weight in subject.items():
                total += weight * self._asset(str(asset))
            return total
        label = subject_label(subject)
        values = subject(self.scenarios) if callable(subject) else subject
        return numbers_per_scenario(values, self.scenarios.n_scenarios, label)

    def _asset(self, asset: str) -> NDArray[np.float64]:
        position = self.scenarios.position(asset)
        if position not in self._horizon_returns:
            path = self.scenarios.returns[:, :, position]
            # one column at a time: the growth of all assets at all periods would be T * N times as much memory
            log = self.scenarios.kind == "log"
            self._horizon_returns[position] = np.expm1(path.sum(axis=1)) if log else compounded(path)[:, -1]
        return self._horizon_returns[position]
