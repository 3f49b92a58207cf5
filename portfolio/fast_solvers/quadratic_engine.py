"""Quadratic forms without tail risks: one call of PIQP's dense solver.

PIQP is a proximal interior point; dense linear algebra suits covariances, which are never sparse.
"""

import numpy as np
import piqp

from portfolio.errors import SolverError
from portfolio.fast_solvers.direct_form import Array, DirectForm, Multipliers

NAME = "PIQP"
# of the form, whose gradient is of order one
TOLERANCE = 1e-10


def solve_quadratic(form: DirectForm, tolerance: float = TOLERANCE) -> tuple[Array, Multipliers, int]:
    """Columns, multipliers and number of iterations.

    Parameters
    ----------
    form : DirectForm
        Without risk columns.
    tolerance : float
        Of residuals and duality gap, absolute and relative.

    Returns
    -------
    x : ndarray of shape (column,)
    multipliers : Multipliers
    iterations : int

    Raises
    ------
    SolverError
        If PIQP stops without an answer.

    References
    ----------
    Schwan, Jiang, Kuhn and Jones (2023), "PIQP: a proximal interior-point quadratic programming solver".

    Examples
    --------
    >>> from portfolio.fast_solvers.form_builder import Affine, FormBuilder
    >>> builder = FormBuilder(2)
    >>> builder.equality(Affine(on_weights=np.ones(2)), 1.0, "Budget total 1")
    >>> form = builder.build(np.diag([1.0, 3.0]), Affine(on_weights=np.zeros(2)), scale=1.0, risk_unit=1.0)
    >>> solve_quadratic(form)[0].round(6).tolist()
    [0.75, 0.25]
    """
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_duality_gap_abs = tolerance
    solver.settings.eps_rel = solver.settings.eps_duality_gap_rel = tolerance
    # the form is scaled already: its preconditioner would cost more than it saves
    solver.settings.preconditioner_iter = 0
    equal, n_pairs = form.equal, len(form.origins)
    sided = ~equal
    inequality = np.concatenate([form.matrix[sided], _pair_rows(form)])
    low = np.concatenate([form.row_lower[sided], form.origins])
    high = np.concatenate([form.row_upper[sided], np.full(n_pairs, np.inf)])
    # PIQP reads columns first; a symmetric matrix is its own transpose
    solver.setup(
        form.quadratic.T,
        form.linear,
        np.asfortranarray(form.matrix[equal]) if equal.any() else None,
        form.row_upper[equal] if equal.any() else None,
        np.asfortranarray(inequality) if len(inequality) else None,
        low if len(inequality) else None,
        high if len(inequality) else None,
        form.lower,
        form.upper,
    )
    status = solver.solve()
    if status != piqp.PIQP_SOLVED:
        raise SolverError(f"{NAME} gave no answer (status {status.name}).", status=status.name, solver=NAME)
    result = solver.result
    rows = np.empty(len(form.rows))
    rows[equal] = result.y
    sides = np.asarray(result.z_u) - np.asarray(result.z_l) if len(inequality) else np.zeros(0)
    rows[sided] = sides[: len(sides) - n_pairs]
    multipliers = Multipliers(
        lower=np.where(np.isfinite(form.lower), result.z_bl, 0.0),
        upper=np.where(np.isfinite(form.upper), result.z_bu, 0.0),
        rows=rows,
        pairs=-sides[len(sides) - n_pairs :],
    )
    return np.array(result.x), multipliers, int(result.info.iter)


def _pair_rows(form: DirectForm) -> Array:
    rows = np.zeros((len(form.origins), form.n_columns))
    index = np.arange(len(form.origins))
    rows[index, form.pairs[0]] = 1.0
    rows[index, form.pairs[1]] = 1.0
    return rows
