import numpy as np
import pytest

from tsgen.errors import DataError, ShapeError
from tsgen.marketdata.known_processes.covariance_matrix import checked_cholesky, checked_spectrum, checked_symmetric


@pytest.mark.parametrize("check", [checked_symmetric, checked_cholesky, checked_spectrum])
def test_shape_values_and_symmetry(check):
    with pytest.raises(ShapeError, match=r"S must be square .* got shape \(2, 3\)"):
        check(np.ones((2, 3)), name="S")
    with pytest.raises(ShapeError, match="S must be square"):
        check(np.ones((0, 0)), name="S")
    with pytest.raises(DataError, match="S must be finite: 1 entries are not"):
        check([[1.0, 0.0], [0.0, np.nan]], name="S")
    with pytest.raises(DataError, match=r"S must be symmetric: entries differ .* by up to 0.1"):
        check([[1.0, 0.1], [0.0, 1.0]], name="S")


@pytest.mark.parametrize("check", [checked_cholesky, checked_spectrum])
def test_indefinite(check):
    with pytest.raises(DataError, match="S must be positive definite: its smallest eigenvalue is -1"):
        check([[1.0, 2.0], [2.0, 1.0]], name="S")


def test_rounding_asymmetry_is_removed():
    matrix = np.array([[1.0, 0.5], [0.5 + 1e-15, 1.0]])
    symmetric = checked_symmetric(matrix, name="S")
    assert (symmetric == symmetric.T).all()
