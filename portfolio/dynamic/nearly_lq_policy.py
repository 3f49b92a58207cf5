r"""A fitted feedback policy: trade from what is held and what is known, in a simulation or in a backtest.

:math:`\Delta x = -K_x x - k_0 - K_f f - K_\phi \phi(f)`. Non-anticipative by construction: signals are computed from
the past view it is given. Above `signal_rules` and `feature_maps`; below `fit_policy`, which makes it.
"""

from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from portfolio.asset_vector import asset_vector
from portfolio.backtest.past_view import PastView
from portfolio.dynamic.checked_arrays import finite_array
from portfolio.dynamic.descent_record import DescentStatus
from portfolio.dynamic.feature_maps import FeatureMap
from portfolio.dynamic.policy_training import Earnings
from portfolio.dynamic.signal_rules import SignalRule
from tsgen.errors import ConfigError, DataError

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class FeedbackGains:
    """What is traded per unit of what is known; all enter with a minus sign.

    Parameters
    ----------
    position : ndarray of shape (asset, asset)
        Share of the position that is traded away: the trading rate.
    intercept : ndarray of shape (asset,)
    factor : ndarray of shape (asset, factor)
    feature : ndarray of shape (asset, feature)
    """

    position: Array
    intercept: Array
    factor: Array
    feature: Array


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class StageReport:
    """One stage of the descent and its judgement on held-out scenarios.

    Parameters
    ----------
    earnings : {"identified", "realised"}
        What positions earned.
    status : {"converged", "iterations", "no_progress"}
        Of the descent.
    training_improvement : float
        On the scenarios it descended on, in the units of `policy_value`.
    improvement, improvement_error : float
        On held-out scenarios with the same earnings, path by path, and its standard error.
    realised_improvement, realised_error : float
        The same with realised returns.
    taken : bool
        Whether the gains were taken: the improvement exceeds two standard errors, and with realised returns there is
        no deterioration of more than two.
    """

    earnings: Earnings
    status: DescentStatus
    training_improvement: float
    improvement: float
    improvement_error: float
    realised_improvement: float
    realised_error: float
    taken: bool


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class FitReport:
    """How a policy was found, and how sure that is.

    Parameters
    ----------
    n_training, n_held_out, n_decisions : int
        Scenarios for gradient descent and for judging it, decisions on each.
    surrogate_value, surrogate_error : float
        Value of the surrogate's gains on held-out paths with realised returns and its standard error (in the units of
        `policy_value`, with the continuation after the last decision).
    stages : tuple of StageReport
    radius : float
        Largest eigenvalue, in size, of the position's own dynamics ``I - K_x``; below 1.
    r_squared : tuple of float
        Share of the variance of each asset's return that the signals explain, in the sample.
    """

    n_training: int
    n_held_out: int
    n_decisions: int
    surrogate_value: float
    surrogate_error: float
    stages: tuple[StageReport, ...]
    radius: float
    r_squared: tuple[float, ...]

    @property
    def refined(self) -> bool:
        """Whether any stage of the descent was taken."""
        return any(stage.taken for stage in self.stages)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class NearlyLQPolicy:
    """Feedback policy on positions and signals; made by `fit_nearly_lq_policy`.

    Parameters
    ----------
    assets : tuple of str
        Traded.
    columns : tuple of str
        Of the data that the signal rule sees, in its order.
    gains : FeedbackGains
    features : FeatureMap
        Of the factors.
    rule : SignalRule or None
        How factors are made from past returns; ``None`` if the policy was fitted on given signals.
    training_cutoff : Timestamp or None
        Last date of the training data; a backtest refuses to start before it.
    covariance : ndarray of shape (asset, asset)
        Of unpredictable returns, as used in the objective.
    report : FitReport

    Examples
    --------
    >>> from portfolio.dynamic import PolicyTraining, fit_nearly_lq_policy
    >>> from tsgen.scenario_set import ScenarioSet
    >>> rng = np.random.default_rng(0)
    >>> signals = rng.normal(size=(40, 31, 1))  # entry t is known before period t
    >>> returns = 0.01 * rng.normal(size=(40, 30, 1)) + 0.005 * signals[:, :-1]
    >>> policy = fit_nearly_lq_policy(
    ...     ScenarioSet(returns, assets=["A"], kind="simple"), signals, [[1e-3]], 5.0,
    ...     training=PolicyTraining(features=None, earnings=()),
    ... )
    >>> bool(policy.trade([0.0], [1.0])[0] > 0 > policy.trade([0.0], [-1.0])[0])
    True
    """

    assets: tuple[str, ...]
    columns: tuple[str, ...]
    gains: FeedbackGains
    features: FeatureMap
    rule: SignalRule | None
    training_cutoff: pd.Timestamp | None
    covariance: Array
    report: FitReport

    @property
    def trading_rate(self) -> Array:
        """``K_x`` of shape (asset, asset): share of the way to the aim that is traded in one period."""
        return self.gains.position

    def aim(self, factors: ArrayLike) -> Array:
        """Position at which the policy would not trade, shape (..., asset)."""
        aim = np.linalg.solve(self.gains.position, self._pull(factors)[..., None])[..., 0]
        return np.asarray(aim, dtype=np.float64)

    def trade(self, position: ArrayLike, factors: ArrayLike) -> Array:
        """What to trade now.

        Parameters
        ----------
        position : array of shape (asset,) or (..., asset)
            Held; in a backtest fractions of wealth.
        factors : array of shape (factor,) or (..., factor)
            Signals known now.

        Returns
        -------
        ndarray of shape (asset,) or (..., asset)

        Raises
        ------
        ShapeError, DataError
            If lengths do not fit or values are not finite.
        """
        return self._pull(factors) - _rows(position, len(self.assets), "position") @ self.gains.position.T

    def decide(self, past: PastView, *, previous: pd.Series, seed: int = 0) -> pd.Series:
        """Target weights for the assets of the view: what is held plus the trade.

        Parameters
        ----------
        past : PastView
        previous : Series, index ``past.assets``
            Weights held.
        seed : int
            Not used: the policy draws nothing.

        Returns
        -------
        Series, index ``past.assets``
            Columns that are signals get weight zero.

        Raises
        ------
        ConfigError
            If the policy has no signal rule.
        DataError
            If the view has other assets than the training data, or fewer dates than the signals look back.
        """
        del seed
        if self.rule is None:
            raise ConfigError(
                "this policy was fitted on given signals and does not know how they come about: attach a rule with "
                "with_rule(ColumnSignals(...)), or use trade(position, factors)."
            )
        if set(past.assets) != set(self.columns):
            raise DataError(
                f"the policy was fitted on {', '.join(self.columns)}; on {past.date.date()} the data have "
                f"{', '.join(past.assets)}. Select these columns, or fit anew."
            )
        if past.n_dates < self.rule.memory:
            raise DataError(
                f"the signals look back {self.rule.memory} periods, but on {past.date.date()} only {past.n_dates} are "
                "known. Start the backtest later."
            )
        recent = past.last(self.rule.memory).to_kind("simple").select(self.columns)
        factors = self.rule.compute(recent.values[None], self.columns)[0, -1]
        held = asset_vector(previous, past.assets, what="previous")
        weights = np.zeros(len(past.assets))
        index = [past.assets.index(asset) for asset in self.assets]
        weights[index] = held[index] + self.trade(held[index], factors)
        return pd.Series(weights, index=pd.Index(past.assets, name="asset"), name="weight")

    def with_rule(self, rule: SignalRule) -> Self:
        """The same feedback with another source of its factors.

        Raises
        ------
        ConfigError
            If it is no rule, or does not trade the same assets.
        """
        if isinstance(rule, type) or not isinstance(rule, SignalRule):
            raise ConfigError(f"rule must be a signal rule such as ColumnSignals(columns=...): got {rule!r}.")
        if set(rule.untraded) & set(self.assets):
            raise ConfigError(f"the rule takes traded assets for signals: {', '.join(rule.untraded)}.")
        return replace(self, rule=rule, columns=(*self.assets, *rule.untraded))

    def _pull(self, factors: ArrayLike) -> Array:
        f = _rows(factors, self.features.n_inputs, "factors")
        gains = self.gains
        return -(gains.intercept + f @ gains.factor.T + self.features.value(f) @ gains.feature.T)

    def __repr__(self) -> str:
        how = "refined by policy gradient" if self.report.refined else "gains of the LQ surrogate"
        return (
            f"NearlyLQPolicy({len(self.assets)} assets, {self.features.n_inputs} factors, "
            f"{self.features.n_features} features, {how})"
        )


def _rows(value: ArrayLike, length: int, what: str) -> Array:
    array = np.asarray(value, dtype=np.float64)
    rows = array.reshape(-1, array.shape[-1]) if array.ndim and array.size else array
    return finite_array(rows, (None, length), what).reshape(array.shape)
