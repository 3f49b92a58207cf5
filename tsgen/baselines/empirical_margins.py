"""Quantile functions of single assets: empirical in the middle, generalised Pareto beyond the 5 % tails."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

TAIL = 0.05
# beyond, the mean of the tail (1) or its lower bound do not exist; and no daily return was ever seen there
LARGEST_SHAPE, LEAST_SHAPE = 0.9, -0.5
_LEAST_EXCESSES = 20


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class EmpiricalMargins:
    """One quantile function per asset.

    Attributes
    ----------
    ordered : ndarray of shape (row, asset), float64
        Sorted training values.
    shape, scale : ndarray of shape (2, asset), float64
        Of the generalised Pareto law of losses beyond the lower and gains beyond the upper 5 % quantile; a scale of
        zero means: no parametric tail, plain empirical quantiles.

    References
    ----------
    McNeil, Frey (2000), "Estimation of tail-related risk measures for heteroscedastic financial time series",
    Journal of Empirical Finance 7, section 2.2.

    Examples
    --------
    >>> margins, notes = EmpiricalMargins.fit(np.arange(5.0)[:, None], ("A",), tails="empirical")
    >>> margins.quantiles(np.array([[0.5]])).tolist()
    [[2.0]]
    """

    ordered: NDArray[np.float64]
    shape: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, values: NDArray[np.float64], assets: tuple[str, ...], *, tails: str) -> tuple[Self, list[str]]:
        """Sort the values and fit the tails.

        Parameters
        ----------
        values : ndarray of shape (row, asset)
        assets : tuple of str
            For the notes.
        tails : {"gpd", "empirical"}

        Returns
        -------
        EmpiricalMargins, list of str
            The notes name every tail that stayed empirical although "gpd" was asked for, and why.
        """
        ordered = np.sort(values, axis=0)
        shape, scale = np.zeros((2, values.shape[1])), np.zeros((2, values.shape[1]))
        notes: list[str] = []
        if tails == "gpd":
            for i, asset in enumerate(assets):
                for side, sign in enumerate((-1.0, 1.0)):
                    moves = sign * ordered[:, i]
                    shape[side, i], scale[side, i], reason = _pareto_tail(moves)
                    if reason:
                        notes.append(f"{asset}: {('lower', 'upper')[side]} tail kept empirical ({reason})")
        return cls(ordered=ordered, shape=shape, scale=scale), notes

    def quantiles(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles at levels of shape (n, asset) in (0, 1), same shape."""
        n_rows, n_assets = self.ordered.shape
        plotting = (np.arange(n_rows) + 0.5) / n_rows
        result = np.empty_like(levels)
        for i in range(n_assets):
            u, x = levels[:, i], self.ordered[:, i]
            result[:, i] = np.interp(u, plotting, x)
            for side, sign in enumerate((-1.0, 1.0)):
                if self.scale[side, i] == 0.0:
                    continue
                beyond = u < TAIL if side == 0 else u > 1.0 - TAIL
                # float64 does not tell 1 - 1e-17 from 1, whose quantile may be infinite
                rest = np.maximum(u[beyond] if side == 0 else 1.0 - u[beyond], 1e-16) / TAIL
                threshold = np.interp(TAIL if side == 0 else 1.0 - TAIL, plotting, x)
                excess = stats.genpareto.isf(rest, self.shape[side, i], scale=self.scale[side, i])
                result[beyond, i] = threshold + sign * excess
        return result


def _pareto_tail(moves: NDArray[np.float64]) -> tuple[float, float, str]:
    """Shape and scale of the excesses over the 95 % quantile, and why not if the scale is zero."""
    excesses = moves - np.quantile(moves, 1.0 - TAIL, method="hazen")
    excesses = excesses[excesses > 0.0]
    if len(excesses) < _LEAST_EXCESSES:
        return 0.0, 0.0, f"only {len(excesses)} values beyond the 5 % quantile"
    unit = float(excesses.mean())
    shape, _, scale = stats.genpareto.fit(excesses / unit, 0.2, floc=0.0, scale=0.8)
    if not LEAST_SHAPE < shape < LARGEST_SHAPE or not scale > 0.0:
        return 0.0, 0.0, f"fitted Pareto shape {shape:.2f} is not usable"
    return float(shape), float(scale) * unit, ""
