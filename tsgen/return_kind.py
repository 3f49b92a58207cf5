"""Return conventions: simple or log, decimals per period, and the exact conversion between them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError

ReturnKind = Literal["simple", "log"]
RETURN_KINDS: tuple[ReturnKind, ...] = ("simple", "log")


def check_kind(kind: str) -> ReturnKind:
    """Return ``kind`` if it is ``"simple"`` or ``"log"``; raise `ConfigError` otherwise."""
    if kind not in RETURN_KINDS:
        raise ConfigError(
            f"kind must be 'simple' or 'log': got {kind!r}. Log returns add over time, simple over assets."
        )
    return kind


def convert_returns(returns: NDArray[np.float64], *, from_kind: ReturnKind, to_kind: ReturnKind) -> NDArray[np.float64]:
    """Convert decimals per period between simple and log returns, element by element.

    Raises
    ------
    DataError
        If a simple return is -100 % or less: it has no logarithm.

    Examples
    --------
    >>> convert_returns(np.array([0.0, 0.1]), from_kind="simple", to_kind="log").round(4).tolist()
    [0.0, 0.0953]
    """
    check_kind(from_kind)
    if check_kind(to_kind) == from_kind:
        return returns
    if to_kind == "simple":
        return np.expm1(returns)
    if returns.size and float(returns.min()) <= -1.0:
        raise DataError(
            f"simple returns must be above -1 to have a logarithm: the smallest is {returns.min():.6g}. "
            "Keep kind='simple', or remove the delisted asset."
        )
    return np.log1p(returns)
