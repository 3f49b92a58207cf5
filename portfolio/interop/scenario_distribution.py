"""`ScenarioDistribution`: any generator as the distribution estimator of skfolio's `SyntheticData`.

`SyntheticData` takes equally likely rows; for scenarios with probabilities use `ScenarioPrior`. Above
`fold_scenarios` and `conditioning`; imports skfolio's base classes' library (scikit-learn), never a generator.
"""

from collections.abc import Callable
from typing import Any, Self, final

import numpy as np
import sklearn.base as skb
import sklearn.utils.validation as skv
from numpy.typing import NDArray

from portfolio.interop.conditioning import Conditioning, conditioned_sample
from portfolio.interop.fold_scenarios import FoldHistory, fold_history, fold_scenarios, trained_source
from portfolio.interop.scenario_matrix import equally_likely_rows, scenario_matrix
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import numpy_stream
from tsgen.return_kind import ReturnKind
from tsgen.whole_numbers import whole_number


@final
class ScenarioDistribution(skb.BaseEstimator):
    """A generator, conditioned on the returns it is fitted to, that samples as skfolio's distributions do.

    Parameters
    ----------
    generator : object with assets, kind, sample(...), optional
        Already trained; `fit` conditions it on the past and never trains it again. Give either this or the next.
    fit_generator : callable, optional
        ``fit_generator(panel) -> generator``, called by `fit` with the returns it gets.
    horizon : int
        A sample is the simple buy-and-hold return over this many periods; 1 has the periodicity of the data.
    kind : {"simple", "log"}
        Convention of the returns given to `fit`; skfolio's are simple. Samples are always simple.
    panel : ReturnPanel, optional
        Longer or wider history to condition on, only up to the last date given to `fit`: needed if `fit` sees a
        pre-selection of the generator's assets.
    pool : int
        With conditions, this many times as many outcomes are drawn, at least 10,000, of which those that meet the
        conditions represent the law.
    random_state : int
        Same number, same samples; every fold has its own noise.

    Attributes
    ----------
    generator_ : object
        The generator used.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Defined if the data had names.

    Notes
    -----
    **Honest folds.** A fold's decision is made on the last date given to `fit`; a generator that was trained on later
    returns is refused with `LookAheadError`. That needs dates: pass DataFrames. A generator that does not say what it
    was trained on (no ``training_cutoff``) is believed; `portfolio.check_no_lookahead` finds out. Folds that train on
    what comes after their test (k-fold, combinatorial) have no decision date: nothing can be honest there.

    References
    ----------
    skfolio 1.12, ``skfolio.distribution.BaseMultivariateDist.sample`` (conditioning).

    Examples
    --------
    >>> import pandas as pd
    >>> from tsgen.baselines import BlockBootstrap
    >>> days = pd.bdate_range("2024-01-01", periods=60)
    >>> X = pd.DataFrame(np.random.default_rng(0).normal(0, 0.01, (60, 2)), index=days, columns=["A", "B"])
    >>> ScenarioDistribution(fit_generator=BlockBootstrap.fit).fit(X).sample(5).shape
    (5, 2)
    """

    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def __init__(
        self,
        generator: Any = None,
        fit_generator: Callable[[ReturnPanel], Any] | None = None,
        horizon: int = 1,
        kind: ReturnKind = "simple",
        panel: ReturnPanel | None = None,
        pool: int = 10,
        random_state: int = 0,
    ) -> None:
        self.generator = generator
        self.fit_generator = fit_generator
        self.horizon = horizon
        self.kind: ReturnKind = kind
        self.panel = panel
        self.pool = pool
        self.random_state = random_state

    def fit(self, X: Any, y: None = None) -> Self:
        """Condition on the past: the decision is made after its last date.

        Parameters
        ----------
        X : DataFrame of shape (date, asset)
            Returns of ``kind``, indexed by dates.
        y : None
            Not used.

        Raises
        ------
        LookAheadError
            If the generator has learned from returns after the last date of X.
        ConfigError, DataError
            If a setting or X is unusable.
        """
        del y
        whole_number(self.pool, "pool")
        fold = fold_history(X, kind=self.kind, panel=self.panel)
        self.generator_ = trained_source(fold, generator=self.generator, fit_generator=self.fit_generator)
        self.fold_: FoldHistory = fold
        skv.validate_data(self, X)
        return self

    def sample(self, n_samples: int = 1, conditioning: Conditioning | None = None) -> NDArray[np.float64]:
        """Equally likely simple returns of the periods after the last date.

        Parameters
        ----------
        n_samples : int
        conditioning : dict of asset (name or column) to float, tuple or array, optional
            Return over the horizon that is given: a number, ``(low, high)``, or one number per sample.

        Returns
        -------
        ndarray of shape (sample, asset), float64
            Writable; columns as in `fit`. Scenarios with unequal probabilities are drawn in proportion to them.

        Raises
        ------
        ConfigError, DataError
            If a condition is not understood or cannot be met.

        Warns
        -----
        ThinConditioningWarning
            If the condition is so extreme that the answer is an extrapolation.
        """
        skv.check_is_fitted(self)
        whole_number(n_samples, "n_samples")
        wanted = n_samples if conditioning is None else max(self.pool * n_samples, 10_000)
        made = fold_scenarios(self.fold_, self.generator_, wanted, self.horizon, seed=self.random_state)
        matrix = scenario_matrix(made)
        rng = numpy_stream(self.fold_.seed(self.random_state), "skfolio samples")
        if conditioning is not None:
            return conditioned_sample(matrix, conditioning, n_samples, assets=self.fold_.assets, rng=rng)
        if made.probabilities is None:
            return matrix.returns
        return matrix.returns[equally_likely_rows(matrix.probabilities, n_samples, rng=rng)]
