"""`SkfolioPolicy`: any skfolio (or alike) optimiser as a policy of the backtest, with its costs, lag and leak check."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import sklearn.base as skb
from skfolio.exceptions import OptimizationError
from sklearn.pipeline import Pipeline

from portfolio.backtest.past_view import PastView
from portfolio.errors import SolverError
from tsgen.errors import ConfigError
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, kw_only=True)
class SkfolioPolicy:
    """Fit a clone of an estimator on the past at every decision, and hold its weights.

    Parameters
    ----------
    estimator : skfolio optimiser or Pipeline that ends in one
        Never fitted itself. Gets simple returns as a DataFrame; where it has a parameter ``previous_weights``, also
        the weights held.
    window : int, optional
        Number of past dates used, at least 2; by default all of them.

    Raises
    ------
    ConfigError
        If it cannot be cloned and fitted, or the window is out of range.

    Examples
    --------
    >>> from skfolio.optimization import InverseVolatility
    >>> from tsgen.marketdata import ReturnPanel
    >>> days = pd.bdate_range("2024-01-01", periods=40)
    >>> rows = np.random.default_rng(0).normal(0, [0.01, 0.02], (40, 2))
    >>> panel = ReturnPanel(pd.DataFrame(rows, index=days, columns=["A", "B"]), kind="simple")
    >>> policy = SkfolioPolicy(estimator=InverseVolatility())
    >>> bool(policy.decide(PastView(panel=panel, date=days[-1]))["A"] > 0.5)
    True
    """

    estimator: Any
    window: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.estimator, skb.BaseEstimator) or not hasattr(self.estimator, "fit"):
            raise ConfigError(f"estimator must be a skfolio optimiser or a Pipeline: got {self.estimator!r}.")
        if self.window is not None:
            whole_number(self.window, "window", least=2)

    def decide(self, past: PastView, *, previous: pd.Series | None = None, seed: int = 0) -> pd.Series:
        """Weights of the assets of the view; those that a pre-selection drops get zero.

        Raises
        ------
        SolverError
            If the optimiser fails: the backtest then holds the positions and counts it.
        """
        del seed
        panel = past.panel if self.window is None else past.last(self.window)
        returns = panel.to_kind("simple").returns
        model: Any = skb.clone(self.estimator)
        last = model[-1] if isinstance(model, Pipeline) else model
        if previous is not None and "previous_weights" in last.get_params(deep=False):
            last.set_params(previous_weights=previous.to_dict())
        try:
            model.fit(returns)
        except OptimizationError as error:
            raise SolverError(f"{type(last).__name__} failed: {error}", status="error", solver="skfolio") from error
        weights = getattr(last, "weights_", None)
        if weights is None:
            raise SolverError(f"{type(last).__name__} gave no weights.", status="failed", solver="skfolio")
        names: Any = returns.columns if model is last else model[:-1].get_feature_names_out(returns.columns)
        held = pd.Series(np.asarray(weights, dtype=np.float64), index=[str(name) for name in names])
        return held.reindex(list(past.assets), fill_value=0.0)
