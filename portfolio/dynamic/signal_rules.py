"""Signals as functions of past returns, the same in training on paths and in a decision.

A rule turns returns of shape (scenario, time, asset) into signals of shape (scenario, time, signal): entry t is
known at the close of period t and uses returns up to and including t. `check_causal` demands it. Above
`checked_arrays`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from portfolio.backtest.rule_policies import require_callable
from portfolio.constraints import finite_number
from tsgen.errors import ConfigError, DataError, LookAheadError, ShapeError
from tsgen.whole_numbers import whole_number

Array = NDArray[np.float64]


@runtime_checkable
class SignalRule(Protocol):
    """How signals are made from returns."""

    @property
    def memory(self) -> int:
        """Number of periods that a signal looks at, its own included; earlier entries are not used."""
        ...

    @property
    def untraded(self) -> tuple[str, ...]:
        """Columns of the data that are signals and not assets to hold."""
        ...

    def compute(self, returns: Array, assets: tuple[str, ...]) -> Array:
        """Signals of shape (scenario, time, signal) from simple returns of shape (scenario, time, asset)."""
        ...


@final
@dataclass(frozen=True, kw_only=True)
class ExponentialAverages:
    r"""Averages of every asset's past returns with exponential weights: momentum (long) and reversal (short).

    Parameters
    ----------
    half_lives : tuple of float
        In periods; one signal per asset and half-life, assets running faster.
    memory_in_half_lives : float
        Weights are cut off after that many half-lives and normalised, so that a decision needs a finite past.

    Raises
    ------
    ConfigError
        If a number is not positive.

    Examples
    --------
    >>> rule = ExponentialAverages(half_lives=(1.0,), memory_in_half_lives=2)
    >>> rule.memory, rule.compute(np.array([[[0.0], [3.0], [0.0]]]), ("A",)).ravel().round(6).tolist()
    (2, [0.0, 2.0, 1.0])
    """

    half_lives: tuple[float, ...]
    memory_in_half_lives: float = 5.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "half_lives", tuple(self.half_lives))
        numbers = [finite_number(h, "half_lives") for h in (*self.half_lives, self.memory_in_half_lives)]
        if not self.half_lives or min(numbers) <= 0:
            raise ConfigError(f"half_lives must be positive numbers of periods, at least one: got {self.half_lives}.")

    @property
    def memory(self) -> int:
        """Length of the longest average."""
        return max(len(self._weights(h)) for h in self.half_lives)

    @property
    def untraded(self) -> tuple[str, ...]:
        """None."""
        return ()

    def compute(self, returns: Array, assets: tuple[str, ...]) -> Array:
        """Signals of shape (scenario, time, half-life * asset)."""
        del assets
        return np.concatenate([lfilter(self._weights(h), [1.0], returns, axis=1) for h in self.half_lives], axis=2)

    def _weights(self, half_life: float) -> Array:
        length = max(1, int(np.ceil(half_life * self.memory_in_half_lives)))
        weights = 0.5 ** (np.arange(length) / half_life)
        return weights / weights.sum()


@final
@dataclass(frozen=True, kw_only=True)
class ColumnSignals:
    """Columns of the data that are signals themselves, for example a volatility index or a spread.

    Parameters
    ----------
    columns : tuple of str
        Their names in the panel and in the scenarios. They are not traded: the policy gives them weight zero.

    Raises
    ------
    ConfigError
        If there is none, or a name is repeated.

    Examples
    --------
    >>> rule = ColumnSignals(columns=("VIX",))
    >>> rule.compute(np.array([[[0.01, 0.2]]]), ("A", "VIX")).tolist()
    [[[0.2]]]
    """

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        names = (self.columns,) if isinstance(self.columns, str) else tuple(self.columns)
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"columns must name at least one column, each once: got {self.columns!r}.")
        object.__setattr__(self, "columns", names)

    @property
    def memory(self) -> int:
        """One period."""
        return 1

    @property
    def untraded(self) -> tuple[str, ...]:
        """The columns."""
        return self.columns

    def compute(self, returns: Array, assets: tuple[str, ...]) -> Array:
        """The columns, shape (scenario, time, signal)."""
        missing = [name for name in self.columns if name not in assets]
        if missing:
            raise DataError(f"signal columns {', '.join(missing)} are not in the data: it has {', '.join(assets)}.")
        return returns[:, :, [assets.index(name) for name in self.columns]]


@final
@dataclass(frozen=True, kw_only=True)
class CustomSignals:
    """Signals by a function of one's own.

    Parameters
    ----------
    function : callable
        From simple returns (scenario, time, asset) to signals (scenario, time, signal), entry t from returns up to t.
        It is checked for looking ahead when a policy is fitted.
    memory : int
        Number of periods that a signal looks at, its own included.

    Examples
    --------
    >>> CustomSignals(function=lambda returns: returns, memory=1).memory
    1
    """

    function: Callable[[Array], Array]
    memory: int

    def __post_init__(self) -> None:
        require_callable(self.function, "function")
        whole_number(self.memory, "memory")

    @property
    def untraded(self) -> tuple[str, ...]:
        """None."""
        return ()

    def compute(self, returns: Array, assets: tuple[str, ...]) -> Array:
        """What the function says."""
        del assets
        return np.asarray(self.function(returns), dtype=np.float64)


def check_causal(rule: SignalRule, returns: Array, assets: tuple[str, ...], *, rng: np.random.Generator) -> None:
    """Change returns before and after a window and demand the same signals inside it.

    Parameters
    ----------
    rule : SignalRule
    returns : ndarray of shape (scenario, time, asset)
        A few scenarios are enough.
    assets : tuple of str
    rng : numpy Generator
        Draws the replacement.

    Raises
    ------
    LookAheadError
        If a signal moves when only later returns change.
    ShapeError, DataError
        If signals have the wrong shape or are not finite, or depend on more than ``memory`` periods.

    Examples
    --------
    >>> centred = CustomSignals(function=lambda r: r - r.mean(axis=1, keepdims=True), memory=1)
    >>> rng = np.random.default_rng(0)
    >>> check_causal(centred, rng.normal(size=(1, 8, 1)), ("A",), rng=rng)
    Traceback (most recent call last):
        ...
    tsgen.errors.LookAheadError: the signal of period ... moved ...
    """
    length, memory = returns.shape[1], rule.memory
    if length <= memory:
        raise DataError(f"signals need {memory} periods of returns and one more: got {length}. Use longer paths.")
    signals = _computed(rule, returns, assets)
    for cut in sorted({memory - 1, (length + memory) // 2 - 1, length - 2}):
        other = returns.copy()
        other[:, cut + 1 :] = rng.permuted(other[:, cut + 1 :], axis=1) * 1.5 + 0.01
        if not np.array_equal(
            _computed(rule, other, assets)[:, memory - 1 : cut + 1], signals[:, memory - 1 : cut + 1]
        ):
            raise LookAheadError(
                f"the signal of period {cut} or earlier moved when only returns after it were replaced: it sees the "
                "future. Look for means, scalers or filters over the whole path."
            )
    # rounding of a filter that starts elsewhere; a dependence on earlier data is far larger
    window = _computed(rule, returns[:, -memory:], assets)[:, -1]
    spread = np.abs(signals[:, memory - 1 :]).max()
    if np.abs(window - signals[:, -1]).max() > 1e-9 * spread:
        raise DataError(
            f"signals depend on more than the last {memory} periods, so that a decision would not see what training "
            "saw. Give the rule a longer memory."
        )


def _computed(rule: SignalRule, returns: Array, assets: tuple[str, ...]) -> Array:
    signals = rule.compute(returns, assets)
    if signals.ndim != 3 or signals.shape[:2] != returns.shape[:2]:
        raise ShapeError(
            f"signals must have axes (scenario, time, signal) with the scenarios and times of the returns "
            f"{returns.shape[:2]}: got shape {signals.shape}."
        )
    used = signals[:, min(rule.memory, signals.shape[1]) - 1 :]
    if not np.isfinite(used).all():
        raise DataError("signals must be finite once their memory is filled. Guard divisions and logarithms.")
    return signals
