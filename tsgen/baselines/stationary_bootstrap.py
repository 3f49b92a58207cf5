"""`StationaryBootstrap`: history cut into blocks of random length, all assets together."""

from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from arch.bootstrap import optimal_block_length
from numpy.typing import NDArray

from tsgen.baselines.addressed_draws import AddressedDraws
from tsgen.baselines.fitted_baseline import FittedBaseline
from tsgen.baselines.training_data import training_panel
from tsgen.errors import ConfigError
from tsgen.marketdata import ReturnPanel


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StationaryBootstrap(FittedBaseline):
    """Rows of the training panel in blocks of geometric length, started anywhere, wrapped at the end.

    Attributes
    ----------
    values : ndarray of shape (date, asset), float64
        The training returns.
    mean_block : float
        Mean block length in periods; a new block starts with probability ``1 / mean_block``.

    Notes
    -----
    Without memory: of a history it takes only the date. It cannot produce a day that never happened.

    References
    ----------
    Politis, Romano (1994), "The stationary bootstrap", JASA 89. Politis, White (2004) and Patton, Politis, White
    (2009) for the automatic block length.

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(50, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=50))
    >>> baseline = StationaryBootstrap.fit(ReturnPanel(frame, kind="log"), mean_block=5.0)
    >>> baseline.sample(3, 5, seed=0).returns.shape
    (3, 5, 2)
    """

    name: ClassVar[str] = "stationary_bootstrap"
    values: NDArray[np.float64]
    mean_block: float

    @classmethod
    def fit(cls, panel: ReturnPanel, *, mean_block: float | None = None) -> Self:
        """Keep the panel and choose the mean block length.

        Parameters
        ----------
        panel : ReturnPanel
            At least 20 dates.
        mean_block : float, optional
            At least 1 and below the number of dates. Default: `automatic_block_length`.

        Raises
        ------
        ConfigError
            If ``panel`` is no panel, or the length is out of range.
        DataError
            If the panel is too short.
        """
        training = training_panel(panel, n_dates=20, purpose="resample blocks")
        notes: list[str] = []
        if mean_block is None:
            mean_block = automatic_block_length(panel, "stationary")
            notes.append(f"mean block length chosen automatically: {mean_block:.1f} periods")
        check_block_length(mean_block, panel.n_dates, name="mean_block")
        record = training.record.with_notes(notes)
        return cls(record=record, values=panel.values, mean_block=float(mean_block))

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        del past
        n_dates = len(self.values)
        rows = np.empty((draws.n_rows, horizon), dtype=np.int64)
        rows[:, 0] = draws.integers("start", period=0, below=n_dates)
        for t in range(1, horizon):
            fresh = draws.uniforms("new_block", period=t) < 1.0 / self.mean_block
            rows[:, t] = np.where(
                fresh, draws.integers("start", period=t, below=n_dates), (rows[:, t - 1] + 1) % n_dates
            )
        return self.values[rows]


def automatic_block_length(panel: ReturnPanel, scheme: str) -> float:
    """Median over assets of the optimal block length for absolute returns.

    Returns themselves are nearly uncorrelated and would get blocks of a day or two, which destroys the clustering
    of volatility; absolute returns carry it.

    Parameters
    ----------
    panel : ReturnPanel
    scheme : {"stationary", "circular"}

    Returns
    -------
    float
        In periods, at least 1.

    References
    ----------
    Patton, Politis, White (2009), "Correction to: Automatic block-length selection", Econometric Reviews 28.
    """
    moves = np.abs(panel.values)
    # absolute returns of +-c alternating are constant and carry no information on blocks
    moving = moves[:, np.ptp(moves, axis=0) > 0.0]
    if moving.shape[1] == 0:
        return 1.0
    lengths = np.asarray(optimal_block_length(moving)[scheme], dtype=np.float64)
    return float(np.clip(np.median(lengths), 1.0, panel.n_dates - 1))


def check_block_length(length: float, n_dates: int, *, name: str) -> None:
    """Raise `ConfigError` unless ``1 <= length < n_dates``.

    Raises
    ------
    ConfigError
        For anything else.

    Examples
    --------
    >>> check_block_length(5, 100, name="mean_block")
    """
    number = isinstance(length, (int, float, np.integer, np.floating)) and not isinstance(length, bool)
    if not number or not 1 <= length < n_dates:
        raise ConfigError(
            f"{name} must be a number of periods from 1 to below the {n_dates} dates of the panel: got {length!r}."
        )
