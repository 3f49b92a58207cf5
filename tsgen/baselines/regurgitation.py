"""`Regurgitation`: replays pieces of its training data; what a metric that cannot see copying will praise."""

from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from tsgen.baselines.addressed_draws import AddressedDraws
from tsgen.baselines.fitted_baseline import FittedBaseline
from tsgen.baselines.training_data import training_data
from tsgen.errors import ConfigError
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Regurgitation(FittedBaseline):
    """Unbroken windows of the training panel, or whole training paths, drawn with replacement.

    Attributes
    ----------
    values : ndarray of shape (path, time, asset), float64
        The training returns; one path for a panel.
    max_horizon : int
        Longest window. For a panel all windows of this length are equally likely starts, so that a shorter horizon
        shows the beginning of the same windows.

    Notes
    -----
    No model: an honesty baseline, shown beside others so that memorisation has a reference. Of a history it takes
    the date, and for paths the number of periods that have passed; never its values.

    References
    ----------
    Cetingoz, Lehalle (2025), "Synthetic data for portfolios: a throw of the dice will never abolish chance",
    arXiv:2501.03993 (regurgitative training).

    Examples
    --------
    >>> paths = ScenarioSet(returns=[[[0.1], [0.2]], [[0.3], [0.4]]], assets=["A"], kind="log")
    >>> sorted(set(Regurgitation.fit(paths).sample(50, 2, seed=0).returns[:, 0, 0].tolist()))
    [0.1, 0.3]
    """

    name: ClassVar[str] = "regurgitation"
    values: NDArray[np.float64]
    max_horizon: int

    @classmethod
    def fit(cls, data: ReturnPanel | ScenarioSet, *, max_horizon: int | None = None) -> Self:
        """Keep the training data.

        Parameters
        ----------
        data : ReturnPanel or ScenarioSet
        max_horizon : int, optional
            Default: 252 periods or half the panel, whichever is less; for paths their length.

        Raises
        ------
        ConfigError
            If ``data`` is of another type, or ``max_horizon`` exceeds its length.
        DataError
            If a panel has fewer than two dates.
        """
        training = training_data(data, n_rows=2, purpose="replay them")
        length = training.values.shape[1]
        usual = max(1, min(252, length // 2)) if training.is_panel else length
        longest = usual if max_horizon is None else whole_number(max_horizon, "max_horizon")
        if longest > length:
            raise ConfigError(f"max_horizon must not exceed the {length} periods of the data: got {longest}.")
        return cls(record=training.record, values=training.values, max_horizon=longest)

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        n_paths, length, _ = self.values.shape
        elapsed = 0 if past is None or self.record.trained_on == "panel" else len(past)
        if elapsed + horizon > self.max_horizon:
            raise ConfigError(
                f"this baseline replays windows of {self.max_horizon} periods: asked for {elapsed} + {horizon}. Ask "
                f"for fewer, or fit with a larger max_horizon (at most {length})."
            )
        if self.record.trained_on == "panel":
            starts = draws.integers("start", period=0, below=length - self.max_horizon + 1)
            return self.values[0, starts[:, None] + np.arange(horizon)]
        chosen = draws.integers("start", period=0, below=n_paths)
        return self.values[chosen, elapsed : elapsed + horizon]
