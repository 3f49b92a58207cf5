"""Validation of covariance matrices: what every Gaussian law here is built on.

Bottom of the known processes; also used by the adapted Wasserstein distance of `tsgen.evaluation`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import DataError, ShapeError

# rounding of a product of TN-dimensional float64 matrices stays far below this, a forgotten transpose far above
_SYMMETRY_TOLERANCE = 1e-9


def checked_symmetric(matrix: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Return finite symmetric matrices, exactly symmetrised.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
    name : str
        How messages call it.

    Returns
    -------
    ndarray of shape (..., n, n), float64

    Raises
    ------
    ShapeError
        If the last two axes are not square.
    DataError
        If values are missing or infinite, or the matrix is not symmetric to 1e-9 of its largest entry.

    Examples
    --------
    >>> checked_symmetric([[1.0, 0.5], [0.5, 2.0]], name="covariance").shape
    (2, 2)
    """
    values = np.array(matrix, dtype=np.float64)
    if values.ndim < 2 or values.shape[-1] != values.shape[-2] or values.size == 0:
        raise ShapeError(f"{name} must be square with shape (..., n, n), n >= 1: got shape {values.shape}.")
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise DataError(f"{name} must be finite: {count} entries are not. Repair the data it was estimated from.")
    transposed = np.swapaxes(values, -1, -2)
    gap = float(np.abs(values - transposed).max())
    if gap > _SYMMETRY_TOLERANCE * float(np.abs(values).max()):
        raise DataError(
            f"{name} must be symmetric: entries differ from their mirror image by up to {gap:.3g}. "
            "Pass (matrix + matrix.T) / 2 if the difference is noise."
        )
    return (values + transposed) / 2.0


def checked_cholesky(matrix: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Lower Cholesky factor of symmetric positive definite matrices, with an error that says how far off they are.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
    name : str
        How messages call it.

    Returns
    -------
    ndarray of shape (..., n, n), float64, lower triangular

    Raises
    ------
    ShapeError, DataError
        As `checked_symmetric`; also if an eigenvalue is not positive.

    Examples
    --------
    >>> checked_cholesky([[4.0, 0.0], [0.0, 9.0]], name="covariance").tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    values = checked_symmetric(matrix, name=name)
    try:
        return np.asarray(np.linalg.cholesky(values), dtype=np.float64)
    except np.linalg.LinAlgError as error:
        spectrum = np.linalg.eigvalsh(values)
        raise DataError(
            f"{name} must be positive definite: its smallest eigenvalue is {spectrum.min():.3g}, its largest "
            f"{spectrum.max():.3g}. Use more observations than dimensions, or add a small multiple of the identity."
        ) from error


def checked_spectrum(matrix: ArrayLike, *, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues and eigenvectors of symmetric positive definite matrices.

    Parameters
    ----------
    matrix : array of shape (..., n, n)
    name : str
        How messages call it.

    Returns
    -------
    values : ndarray of shape (..., n), float64, positive, increasing
    vectors : ndarray of shape (..., n, n), float64, in columns

    Raises
    ------
    ShapeError, DataError
        As `checked_symmetric`; also if an eigenvalue is not positive.

    Examples
    --------
    >>> checked_spectrum([[4.0, 0.0], [0.0, 9.0]], name="covariance")[0].tolist()
    [4.0, 9.0]
    """
    values, vectors = np.linalg.eigh(checked_symmetric(matrix, name=name))
    if (values <= 0.0).any():
        raise DataError(
            f"{name} must be positive definite: its smallest eigenvalue is {values.min():.3g}. "
            "Drop redundant assets, or add a small multiple of the identity."
        )
    return values, vectors
