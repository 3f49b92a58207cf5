"""Where to look for the tail first: the weights of a mean-variance problem of the same size of risk.

Only speed depends on it. The tail at these weights is nearly that of the optimum unless risks are far from
elliptical, and they cost less than a hundredth of what follows.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from portfolio.errors import SolverError
from portfolio.fast_solvers.direct_form import Array, DirectForm
from portfolio.fast_solvers.quadratic_engine import solve_quadratic


def quadratic_start(form: DirectForm, covariance: Array, risks: Sequence[float]) -> Array:
    """Weights that minimise the form with its tail risks replaced by a variance.

    Parameters
    ----------
    form : DirectForm
        With risk columns; rows that limit them are left out.
    covariance : ndarray of shape (asset, asset)
    risks : sequence of float
        Values of the measures for equal weights, in risk units: the slope of the variance there is made theirs.

    Returns
    -------
    ndarray of shape (asset,)
        Equal weights if the quadratic problem has no answer.

    Examples
    --------
    >>> from portfolio.fast_solvers.form_builder import Affine, FormBuilder
    >>> from portfolio.risk_measures import ConditionalValueAtRisk
    >>> builder = FormBuilder(2)
    >>> builder.equality(Affine(on_weights=np.ones(2)), 1.0, "Budget total 1")
    >>> form = builder.build(np.zeros((2, 2)), builder.risk(ConditionalValueAtRisk()), scale=1.0, risk_unit=1.0)
    >>> quadratic_start(form, np.diag([1.0, 3.0]), [2.0]).round(6).tolist()
    [0.75, 0.25]
    """
    n, columns = form.n_assets, slice(0, form.n_columns - len(form.measures))
    equal = np.full(n, 1.0 / n)
    variance = float(equal @ covariance @ equal)
    # a risk that is only limited has no price yet
    price = float(form.linear[form.risk_columns] @ np.asarray(risks)) or 1.0
    quadratic = form.quadratic[columns, columns].copy()
    quadratic[:n, :n] += covariance * (price / variance if variance > 0.0 else 1.0)
    kept = np.flatnonzero(~form.matrix[:, form.risk_columns].any(axis=1))
    simpler = replace(
        form,
        quadratic=quadratic,
        linear=form.linear[columns],
        lower=form.lower[columns],
        upper=form.upper[columns],
        matrix=form.matrix[kept, columns],
        row_lower=form.row_lower[kept],
        row_upper=form.row_upper[kept],
        rows=tuple(form.rows[i] for i in kept),
        measures=(),
    )
    try:
        return solve_quadratic(simpler)[0][:n]
    except SolverError:
        return equal
