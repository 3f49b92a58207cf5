"""One number per asset, from whatever the caller has: scalar, mapping, Series or array.

Names are matched by name, never by position; nothing is filled in or dropped. Used for previous
weights, bounds, cost rates and weights to evaluate.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import DataError, ShapeError

AssetValues = float | Mapping[str, float] | pd.Series | ArrayLike


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _by_name(values: Mapping[Any, Any] | pd.Series, assets: Sequence[str], what: str) -> list[Any]:
    keys = [str(key) for key in (values.index.tolist() if isinstance(values, pd.Series) else values)]
    if len(set(keys)) < len(keys):
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        raise DataError(f"{what} must name each asset once: {_listed(repeated)} repeated. Remove the duplicates.")
    known, wanted = set(keys), set(assets)
    missing = [asset for asset in assets if asset not in known]
    unknown = [key for key in keys if key not in wanted]
    if missing or unknown:
        raise DataError(
            f"{what} must name exactly the {len(assets)} assets of the problem: missing {_listed(missing) or 'none'}; "
            f"unknown {_listed(unknown) or 'none'}. Reindex it, and give the missing ones a value on purpose."
        )
    found = dict(zip(keys, values.tolist() if isinstance(values, pd.Series) else values.values(), strict=True))
    return [found[asset] for asset in assets]


def asset_vector(
    values: AssetValues, assets: Sequence[str], *, what: str, scalar: bool = False, infinite: bool = False
) -> NDArray[np.float64]:
    """One float64 per asset, in the order of ``assets``.

    Parameters
    ----------
    values : float, mapping, Series or array of shape (asset,)
        Mappings and Series are matched by name and must name every asset and no other one.
    assets : sequence of str
        The order wanted.
    what : str
        Name of the quantity in error messages.
    scalar : bool
        Accept one number for all assets.
    infinite : bool
        Accept plus and minus infinity. NaN is never accepted.

    Returns
    -------
    ndarray of shape (asset,), float64

    Raises
    ------
    ShapeError
        If an array has another length than ``assets``.
    DataError
        If names do not match, or values are missing, not finite or not numbers.

    Examples
    --------
    >>> asset_vector({"B": 0.4, "A": 0.6}, ["A", "B"], what="previous").tolist()
    [0.6, 0.4]
    """
    if scalar and type(values) is float and (math.isfinite(values) or (infinite and math.isinf(values))):
        return np.full(len(assets), values)
    raw = _by_name(values, assets, what) if isinstance(values, (Mapping, pd.Series)) else values
    try:
        vector = np.array(raw, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be numbers, one per asset: got {values!r}.") from error
    if scalar and vector.ndim == 0:
        vector = np.full(len(assets), float(vector))
    if vector.shape != (len(assets),):
        raise ShapeError(
            f"{what} must have one entry per asset: expected shape {(len(assets),)}, got {vector.shape}. "
            "A Series or a mapping with asset names is matched by name."
        )
    bad = np.isnan(vector) if infinite else ~np.isfinite(vector)
    if bad.any():
        where = [asset for asset, is_bad in zip(assets, bad, strict=True) if is_bad]
        raise DataError(
            f"{what} must be {'a number' if infinite else 'finite'} for every asset: it is not for {_listed(where)}. "
            "Replace missing values on purpose, for example with fillna(0.0)."
        )
    return vector


def owned_values(values: float | Mapping[str, float] | pd.Series, *, what: str) -> float | dict[str, float]:
    """Private copy of a number or of one number per asset: later changes of the caller's object do not move it.

    Raises
    ------
    DataError
        If an asset is named twice, or a value is missing or not a number.

    Examples
    --------
    >>> owned_values(pd.Series({"A": 1}), what="upper bounds")
    {'A': 1.0}
    """
    if isinstance(values, (Mapping, pd.Series)):
        names = tuple(dict.fromkeys(str(key) for key in values.keys()))  # noqa: SIM118  (a Series iterates over values)
        vector = asset_vector(values, names, what=what, infinite=True)
        return dict(zip(names, vector.tolist(), strict=True))
    if isinstance(values, bool) or not isinstance(values, (int, float, np.number)) or np.isnan(values):
        raise DataError(f"{what} must be a number, or a mapping from asset to number: got {values!r}.")
    return float(values)
