"""The benchmark that is hard to beat: the same weight in every asset."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from portfolio.allocation import Allocation
from tsgen.errors import DataError


def equal_weight(assets: Iterable[str]) -> Allocation:
    """Weight 1/N in each of N assets; status ``"benchmark"``, no objective.

    Parameters
    ----------
    assets : iterable of str
        Unique names, for example ``scenarios.assets``.

    Returns
    -------
    Allocation

    Raises
    ------
    DataError
        If there is no asset, or names repeat.

    References
    ----------
    DeMiguel, Garlappi and Uppal (2009), "Optimal versus naive diversification".

    Examples
    --------
    >>> equal_weight(["A", "B", "C", "D"]).weights.tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    names = [assets] if isinstance(assets, str) else [str(asset) for asset in assets]
    if not names:
        raise DataError("equal weights need at least one asset: got none.")
    weights = pd.Series(np.full(len(names), 1.0 / len(names)), index=names)
    return Allocation(weights=weights, status="benchmark", objective=None, diagnostics={"constraints": []})
