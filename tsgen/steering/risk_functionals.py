r"""Risk functionals: what a constraint is about, as data.

Each is a frozen object that, called with a `ScenarioSet`, gives one number per scenario (float64), so that steering,
re-weighting and a reader compute the same thing. A portfolio is held without rebalancing: its wealth is
:math:`W_t = 1 + \sum_i w_i (G_{it} - 1)`, what is not invested is cash. Paths are seen at the end of each period; the
start, ``W_0 = 1``, counts for the drawdown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError
from tsgen.reweighting import BarrierHit, DrawdownBeyond, TerminalLoss
from tsgen.reweighting.path_events import gain_paths
from tsgen.reweighting.relation import check_tail_level
from tsgen.reweighting.subject import frozen_subject, numbers_per_scenario, subject_label
from tsgen.scenario_set import ScenarioSet

Floats = NDArray[np.float64]
Holding = str | Mapping[str, float] | pd.Series | Sequence[float] | NDArray[Any]
PathEvent = TerminalLoss | BarrierHit | DrawdownBeyond


def _owned(weights: Holding) -> str | Mapping[str, float] | tuple[float, ...]:
    """Immutable copy: an asset name, weights by name, or weights in the order of the assets."""
    if isinstance(weights, (str, Mapping, pd.Series)):
        owned = frozen_subject(weights)
        if not isinstance(owned, (str, Mapping)):  # pragma: no cover  (frozen_subject keeps the kind)
            raise ConfigError(f"weights must be an asset name or portfolio weights: got {type(weights).__name__}.")
        return owned
    try:
        row = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"weights must be an asset name or portfolio weights: got {weights!r}.") from error
    if row.ndim != 1 or len(row) == 0 or not np.isfinite(row).all():
        raise ConfigError(
            "weights must be an asset name, a mapping or Series of weights, or finite numbers in the order of the "
            f"assets: got {weights!r}."
        )
    return tuple(float(x) for x in row)


def weights_by_asset(weights: str | Mapping[str, float] | tuple[float, ...], assets: Sequence[str]) -> Floats:
    """Weights in the order of ``assets``, shape (asset,); raises `DataError` if they do not fit.

    Examples
    --------
    >>> weights_by_asset({"B": 0.5}, ["A", "B"]).tolist()
    [0.0, 0.5]
    """
    if isinstance(weights, tuple):
        if len(weights) != len(assets):
            raise DataError(
                f"weights have {len(weights)} entries, the generator has {len(assets)} assets. Give one per asset in "
                "the order of generator.assets, or a mapping by name."
            )
        return np.array(weights)
    by_name = {weights: 1.0} if isinstance(weights, str) else weights
    unknown = [name for name in by_name if name not in assets]
    if unknown:
        raise DataError(f"unknown assets {unknown}: the generator has {', '.join(assets)}.")
    return np.array([float(by_name.get(name, 0.0)) for name in assets])


def _label(weights: str | Mapping[str, float] | tuple[float, ...]) -> str:
    return f"a portfolio of {len(weights)} assets" if isinstance(weights, tuple) else subject_label(weights)


def held_gains(scenarios: ScenarioSet, weights: str | Mapping[str, float] | tuple[float, ...]) -> Floats:
    """Buy-and-hold gain at the end of each period, ``W_t - 1``, shape (scenario, time)."""
    row = weights_by_asset(weights, scenarios.assets)
    held = {name: float(w) for name, w in zip(scenarios.assets, row, strict=True) if w}
    return gain_paths(scenarios, held) if held else np.zeros(scenarios.returns.shape[:2])


def wealth_paths(scenarios: ScenarioSet, weights: str | Mapping[str, float] | tuple[float, ...]) -> Floats:
    """Buy-and-hold wealth at the end of each period, ``W_t`` with ``W_0 = 1``, shape (scenario, time)."""
    return 1.0 + held_gains(scenarios, weights)


@final
@dataclass(frozen=True)
class TerminalReturn:
    """Simple return over the whole horizon, ``W_T - 1``, in decimals.

    Parameters
    ----------
    weights : str, mapping, Series or sequence
        One asset, or a portfolio: weights by name, or in the order of the assets. What is missing to one is cash.

    Raises
    ------
    ConfigError
        If ``weights`` are neither a name nor finite weights.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1], [0.1]]], assets=["A"], kind="simple")
    >>> TerminalReturn("A")(s).round(6).tolist()
    [0.21]
    """

    weights: Holding

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _owned(self.weights))

    @property
    def label(self) -> str:
        """Name in tables."""
        return f"terminal return of {_label(self.weights)}"  # pyright: ignore[reportArgumentType]  (owned)

    def __call__(self, scenarios: ScenarioSet) -> Floats:
        """One number per scenario."""
        return held_gains(scenarios, self.weights)[:, -1]  # pyright: ignore[reportArgumentType]


@final
@dataclass(frozen=True)
class RealisedVolatility:
    r"""Root mean square of the simple returns per period, :math:`\sqrt{\sum_t r_t^2 / T}`, not annualised.

    Parameters
    ----------
    weights : str, mapping, Series or sequence
        As for `TerminalReturn`; for a portfolio :math:`r_t = W_t / W_{t-1} - 1`.

    Raises
    ------
    ConfigError
        If ``weights`` are neither a name nor finite weights.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.3], [-0.4]]], assets=["A"], kind="simple")
    >>> RealisedVolatility("A")(s).round(6).tolist()
    [0.353553]
    """

    weights: Holding

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _owned(self.weights))

    @property
    def label(self) -> str:
        """Name in tables."""
        return f"realised volatility of {_label(self.weights)}"  # pyright: ignore[reportArgumentType]

    def __call__(self, scenarios: ScenarioSet) -> Floats:
        """One number per scenario."""
        wealth = wealth_paths(scenarios, self.weights)  # pyright: ignore[reportArgumentType]
        before = np.concatenate([np.ones((len(wealth), 1)), wealth[:, :-1]], axis=1)
        return np.sqrt(np.square(wealth / before - 1.0).mean(axis=1))


@final
@dataclass(frozen=True)
class MaxDrawdown:
    r"""Largest loss from a running peak, :math:`\max_t (1 - W_t / \max_{u \le t} W_u)`, a positive decimal.

    Parameters
    ----------
    weights : str, mapping, Series or sequence
        As for `TerminalReturn`.

    Raises
    ------
    ConfigError
        If ``weights`` are neither a name nor finite weights.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1], [-0.5], [0.2]]], assets=["A"], kind="simple")
    >>> MaxDrawdown("A")(s).round(6).tolist()
    [0.5]
    """

    weights: Holding

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _owned(self.weights))

    @property
    def label(self) -> str:
        """Name in tables."""
        return f"maximum drawdown of {_label(self.weights)}"  # pyright: ignore[reportArgumentType]

    def __call__(self, scenarios: ScenarioSet) -> Floats:
        """One number per scenario."""
        wealth = wealth_paths(scenarios, self.weights)  # pyright: ignore[reportArgumentType]
        peak = np.maximum(np.maximum.accumulate(wealth, axis=1), 1.0)
        return np.maximum((1.0 - wealth / peak).max(axis=1), 0.0)


@final
@dataclass(frozen=True)
class ExpectedShortfall:
    r"""Mean loss over the horizon in the worst ``1 - level`` of the outcomes; losses are positive.

    Not the mean of a number per path: :math:`ES = \min_\zeta \zeta + E (L - \zeta)^+ / (1 - \text{level})`. Raising it
    is a convex condition; lowering it is not, and its best threshold is found by a scan.

    Parameters
    ----------
    weights : str, mapping, Series or sequence
        As for `TerminalReturn`; the loss is ``L = -(W_T - 1)``.
    level : float
        Confidence level strictly between 0 and 1: 0.95 for the worst 5 %.

    Raises
    ------
    ConfigError
        If an argument is out of range.

    References
    ----------
    Rockafellar and Uryasev (2000), "Optimization of conditional value-at-risk", theorem 1.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.2]]], assets=["A"], kind="simple")
    >>> ExpectedShortfall("A", 0.5)(s).tolist()  # the loss of every scenario
    [-0.1, 0.2]
    """

    weights: Holding
    level: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _owned(self.weights))
        object.__setattr__(self, "level", check_tail_level(self.level))

    @property
    def label(self) -> str:
        """Name in tables."""
        return f"expected shortfall ({self.level:g}) of {_label(self.weights)}"  # pyright: ignore[reportArgumentType]

    def __call__(self, scenarios: ScenarioSet) -> Floats:
        """Loss of every scenario, of which the shortfall is a tail mean."""
        return -held_gains(scenarios, self.weights)[:, -1]  # pyright: ignore[reportArgumentType]


@final
@dataclass(frozen=True)
class EventProbability:
    """Probability of an event on the path.

    Parameters
    ----------
    event : TerminalLoss, BarrierHit or DrawdownBeyond
        From `tsgen.reweighting`: a terminal loss, a barrier touched, a drawdown exceeded.

    Raises
    ------
    ConfigError
        If the event is of another kind.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.2]]], assets=["A"], kind="simple")
    >>> EventProbability(TerminalLoss(of="A", loss=0.1))(s).tolist()
    [0.0, 1.0]
    """

    event: PathEvent

    def __post_init__(self) -> None:
        if not isinstance(self.event, (TerminalLoss, BarrierHit, DrawdownBeyond)):
            raise ConfigError(
                "event must be a TerminalLoss, BarrierHit or DrawdownBeyond of tsgen.reweighting: got "
                f"{type(self.event).__name__}. For anything else steer the PathMean of a smooth function."
            )

    @property
    def weights(self) -> str | Mapping[str, float]:
        """Asset or portfolio of the event."""
        return self.event.of

    @property
    def label(self) -> str:
        """Name in tables."""
        return f"probability of {self.event.__name__}"

    def __call__(self, scenarios: ScenarioSet) -> Floats:
        """Indicator of the event, 0 or 1 per scenario."""
        return self.event(scenarios).astype(np.float64)


@final
@dataclass(frozen=True)
class PathMean:
    """Mean of a differentiable function of the path.

    Parameters
    ----------
    callable : callable ``Tensor (path, time, asset) -> Tensor (path,)``
        Written in torch, so that its gradient exists; gets the returns in the generator's convention. While a path is
        being made it is called with the rest of the path at its expected value.

    Raises
    ------
    ConfigError
        If it is not callable.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1], [0.3]]], assets=["A"], kind="log")
    >>> PathMean(lambda returns: returns[:, :, 0].amax(dim=1))(s).round(6).tolist()
    [0.3]
    """

    callable: Callable[[torch.Tensor], torch.Tensor]

    def __post_init__(self) -> None:
        if not callable(self.callable):
            raise ConfigError(f"PathMean needs a torch function of the paths: got {type(self.callable).__name__}.")

    @property
    def label(self) -> str:
        """Name in tables."""
        return f"mean of {getattr(self.callable, '__name__', None) or type(self.callable).__name__}"

    def __call__(self, scenarios: ScenarioSet) -> Floats:
        """One number per scenario, in double precision."""
        with torch.no_grad():
            values = self.callable(torch.tensor(scenarios.returns))
        if not isinstance(values, torch.Tensor):
            raise DataError(f"the function of a PathMean must give a torch tensor: got {type(values).__name__}.")
        return numbers_per_scenario(values.double().numpy(), scenarios.n_scenarios, self.label)


RiskFunctional = TerminalReturn | RealisedVolatility | MaxDrawdown | ExpectedShortfall | EventProbability | PathMean
