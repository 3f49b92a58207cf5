"""Multipliers of a `DirectForm` under the caller's names and in the caller's units."""

from collections.abc import Sequence
from typing import Any

from portfolio.fast_solvers.direct_form import DirectForm, Multipliers


def reported_duals(
    form: DirectForm, multipliers: Multipliers, assets: Sequence[str], factor: float = 1.0
) -> dict[str, Any]:
    """Objective gained per unit by which a limit is relaxed; for an equality, raised.

    Parameters
    ----------
    form : DirectForm
    multipliers : Multipliers
    assets : sequence of str
    factor : float
        Change of the caller's objective per change of the one that the form states.

    Returns
    -------
    dict of limit name to float, or to dict of asset to float

    Examples
    --------
    >>> import numpy as np
    >>> from portfolio.fast_solvers.form_builder import Affine, FormBuilder
    >>> builder = FormBuilder(1)
    >>> builder.equality(Affine(on_weights=np.full(1, 2.0)), 1.0, "Budget total 1")
    >>> form = builder.build(np.eye(1), Affine(on_weights=np.zeros(1)), scale=10.0, risk_unit=1.0)
    >>> prices = Multipliers(lower=np.zeros(1), upper=np.zeros(1), rows=np.full(1, -5.0), pairs=np.zeros(0))
    >>> reported_duals(form, prices, ["A"])
    {'Budget total 1': -0.25}
    """
    duals: dict[str, Any] = {}
    unit = factor / form.scale
    n = form.n_assets
    left = {-1: multipliers.lower[:n].copy(), 1: multipliers.upper[:n].copy()}
    bound = {-1: form.lower[:n], 1: form.upper[:n]}
    for limit in form.weight_limits:
        prices, at, named = left[limit.side], limit.positions, assets
        if len(at) == n:
            own = prices * (limit.values == bound[limit.side])
        else:
            own, named = prices[at] * (limit.values == bound[limit.side][at]), [assets[i] for i in at.tolist()]
        # a second limit at the same value is not needed
        prices[at] -= own
        duals[limit.name] = dict(zip(named, (own * unit).tolist(), strict=True))
    for row, price in zip(form.rows, multipliers.rows * unit, strict=True):
        value = float(price) / row.unit
        if row.lower_name == row.upper_name:
            duals[row.upper_name] = value
            continue
        if row.lower_name:
            duals[row.lower_name] = max(-value, 0.0)
        if row.upper_name:
            duals[row.upper_name] = max(value, 0.0)
    return duals
