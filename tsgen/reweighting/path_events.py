r"""Events on whole paths: a terminal loss, a barrier touched, a drawdown exceeded.

Each is a frozen callable ``ScenarioSet -> boolean array of shape (scenario,)``, for use in an
`EventProbabilityView`; any function of that signature does as well. A portfolio is held without
rebalancing: its wealth is :math:`W_t = 1 + \sum_i w_i (G_{it} - 1)`, what is not invested is cash. Paths are
observed at the end of each period; the start, ``W_0 = 1``, counts for the drawdown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.reweighting.relation import check_number, check_positive
from tsgen.reweighting.subject import Outcomes, compounded, frozen_subject, subject_label
from tsgen.scenario_set import ScenarioSet


def _asset_or_portfolio(of: str | Mapping[str, float] | pd.Series) -> str | Mapping[str, float]:
    owned = frozen_subject(of)
    if not isinstance(owned, (str, Mapping)):
        raise ConfigError(
            f"a path event must be about an asset name or a mapping of portfolio weights: got {type(of).__name__}. "
            "For anything else give EventProbabilityView a boolean array or a function."
        )
    return owned


def gain_paths(scenarios: ScenarioSet, of: str | Mapping[str, float]) -> NDArray[np.float64]:
    """Buy-and-hold gain on one unit since the start, ``W_t - 1``, shape (scenario, time), float64.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1], [-0.5]]], assets=["A"], kind="simple")
    >>> gain_paths(s, {"A": 0.5}).round(6).tolist()
    [[0.05, -0.225]]
    """
    weights = {of: 1.0} if isinstance(of, str) else of
    log = scenarios.kind == "log"
    gain = np.zeros(scenarios.returns.shape[:2])
    for asset, weight in weights.items():
        path = scenarios.returns[:, :, scenarios.position(asset)]
        gain += weight * (np.expm1(np.cumsum(path, axis=1)) if log else compounded(path))
    return gain


@final
@dataclass(frozen=True, kw_only=True)
class TerminalLoss:
    """The horizon return is a loss of at least ``loss``.

    Parameters
    ----------
    of : str or mapping of str to float
        Asset or portfolio weights.
    loss : float
        Decimals, losses positive: 0.1 means a return of -10 % or worse.

    Raises
    ------
    ConfigError
        If ``loss`` is not a finite number, or ``of`` is neither a name nor weights.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.2]]], assets=["A"], kind="simple")
    >>> TerminalLoss(of="A", loss=0.1)(s).tolist()
    [False, True]
    """

    of: str | Mapping[str, float]
    loss: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", _asset_or_portfolio(self.of))
        object.__setattr__(self, "loss", check_number(self.loss, "loss"))

    @property
    def __name__(self) -> str:
        """Label in messages."""
        return f"loss of {subject_label(self.of)} of at least {self.loss:g}"

    def __call__(self, scenarios: ScenarioSet) -> NDArray[np.bool_]:
        """Whether each scenario ends with that loss."""
        return Outcomes(scenarios).of(self.of) <= -self.loss


@final
@dataclass(frozen=True, kw_only=True)
class BarrierHit:
    """The return since the start reaches ``barrier`` at the end of some period.

    Parameters
    ----------
    of : str or mapping of str to float
        Asset or portfolio weights.
    barrier : float
        Cumulated simple return, decimals. Below zero it is hit from above (falls to it or lower), above zero
        from below (rises to it or higher).

    Raises
    ------
    ConfigError
        If ``barrier`` is zero or not finite, or ``of`` is neither a name nor weights.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[-0.2], [0.5]], [[0.0], [0.1]]], assets=["A"], kind="simple")
    >>> BarrierHit(of="A", barrier=-0.15)(s).tolist(), BarrierHit(of="A", barrier=0.05)(s).tolist()
    ([True, False], [True, True])
    """

    of: str | Mapping[str, float]
    barrier: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", _asset_or_portfolio(self.of))
        object.__setattr__(self, "barrier", check_number(self.barrier, "barrier"))
        if self.barrier == 0.0:
            raise ConfigError("barrier must not be zero: every path starts there. Use a cumulated return like -0.1.")

    @property
    def __name__(self) -> str:
        """Label in messages."""
        return f"{subject_label(self.of)} reaching {self.barrier:+g}"

    def __call__(self, scenarios: ScenarioSet) -> NDArray[np.bool_]:
        """Whether each scenario touches the barrier."""
        gain = gain_paths(scenarios, self.of)
        return (gain.min(axis=1) <= self.barrier) if self.barrier < 0 else (gain.max(axis=1) >= self.barrier)


@final
@dataclass(frozen=True, kw_only=True)
class DrawdownBeyond:
    r"""The maximum drawdown :math:`\max_t (1 - W_t / \max_{u \le t} W_u)` is at least ``depth``.

    Parameters
    ----------
    of : str or mapping of str to float
        Asset or portfolio weights.
    depth : float
        Decimals, above zero.

    Raises
    ------
    ConfigError
        If ``depth`` is not above zero, or ``of`` is neither a name nor weights.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.5], [-0.4]], [[-0.1], [0.1]]], assets=["A"], kind="simple")
    >>> DrawdownBeyond(of="A", depth=0.25)(s).tolist()
    [True, False]
    """

    of: str | Mapping[str, float]
    depth: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", _asset_or_portfolio(self.of))
        object.__setattr__(self, "depth", check_positive(self.depth, "depth"))

    @property
    def __name__(self) -> str:
        """Label in messages."""
        return f"drawdown of {subject_label(self.of)} of at least {self.depth:g}"

    def __call__(self, scenarios: ScenarioSet) -> NDArray[np.bool_]:
        """Whether each scenario has a drawdown that deep."""
        wealth = 1.0 + gain_paths(scenarios, self.of)
        peak = np.maximum(np.maximum.accumulate(wealth, axis=1), 1.0)
        return (1.0 - wealth / peak).max(axis=1) >= self.depth
