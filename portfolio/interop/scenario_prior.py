"""`ScenarioPrior`: scenarios with their probabilities as a prior of skfolio's optimisers.

skfolio's `SyntheticData` forgets probabilities; here they arrive in ``sample_weight``, so that re-weighted (entropy
pooling) and steered scenarios keep their meaning in every convex measure. Above `fold_scenarios`.
"""

from collections.abc import Callable
from typing import Any, Self, final

import sklearn.utils.validation as skv
from numpy.typing import NDArray
from skfolio.prior import BasePrior, ReturnDistribution

from portfolio.backtest.rule_policies import require_callable
from portfolio.interop.fold_scenarios import FoldHistory, fold_history, fold_scenarios, of_fold, trained_source
from portfolio.interop.scenario_matrix import scenario_matrix
from portfolio.moments import scenario_moments
from tsgen.errors import ConfigError
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet


@final
class ScenarioPrior(BasePrior):
    """Scenarios given the past, re-weighted if wanted, as skfolio's `ReturnDistribution` with probabilities.

    Parameters
    ----------
    generator : object with assets, kind, sample(...), optional
        Already trained, plain or steered; `fit` conditions it on the past. Give exactly one of the first three.
    fit_generator : callable, optional
        ``fit_generator(panel) -> generator``, called by `fit` with the returns it gets.
    scenarios : ScenarioSet, optional
        Made beforehand: the same for every fold, so its as-of date must not be after any fold's last date.
    reweight : callable, optional
        ``reweight(scenarios) -> scenarios``, applied to the fold's scenarios, for example
        ``functools.partial(entropy_pooling, views=[...])``.
    horizon : int
        Rows are simple buy-and-hold returns over this many periods; 1 has the periodicity of the data. Ready scenarios
        are taken over their first ``horizon`` periods.
    n_scenarios : int
    kind : {"simple", "log"}
        Convention of the returns given to `fit`; skfolio's are simple.
    panel : ReturnPanel, optional
        Longer or wider history to condition on, only up to the last date given to `fit`: needed after a pre-selection.
    random_state : int
        Same number, same scenarios; every fold has its own noise.

    Attributes
    ----------
    return_distribution_ : ReturnDistribution
        ``returns`` (scenario, asset), ``sample_weight`` (``None`` if all are equal), and the exact moments of this
        discrete law in ``mu`` and ``covariance``.
    scenarios_ : ScenarioSet
        The paths behind it, of the fold's assets.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Defined if the data had names.

    Notes
    -----
    **Honest folds**: as `ScenarioDistribution`. Costs, previous weights and the risk-free rate of skfolio's optimisers
    are per row: with ``horizon=21`` they are per 21 periods.

    Drawdown measures of skfolio read rows as one history and make no sense on scenarios; use `portfolio.mean_drawdown`.

    References
    ----------
    Meucci (2010), "Historical scenarios with fully flexible probabilities".

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from tsgen.baselines import BlockBootstrap
    >>> days = pd.bdate_range("2024-01-01", periods=60)
    >>> X = pd.DataFrame(np.random.default_rng(0).normal(0, 0.01, (60, 2)), index=days, columns=["A", "B"])
    >>> prior = ScenarioPrior(fit_generator=BlockBootstrap.fit, n_scenarios=100).fit(X)
    >>> prior.return_distribution_.returns.shape
    (100, 2)
    """

    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def __init__(
        self,
        generator: Any = None,
        fit_generator: Callable[[ReturnPanel], Any] | None = None,
        scenarios: ScenarioSet | None = None,
        reweight: Callable[[ScenarioSet], ScenarioSet] | None = None,
        horizon: int = 1,
        n_scenarios: int = 1000,
        kind: ReturnKind = "simple",
        panel: ReturnPanel | None = None,
        random_state: int = 0,
    ) -> None:
        self.generator = generator
        self.fit_generator = fit_generator
        self.scenarios = scenarios
        self.reweight = reweight
        self.horizon = horizon
        self.n_scenarios = n_scenarios
        self.kind: ReturnKind = kind
        self.panel = panel
        self.random_state = random_state

    def fit(self, X: Any, y: None = None, **fit_params: Any) -> Self:
        """Make the scenarios of the decision after the last date of X, and their distribution.

        Parameters
        ----------
        X : DataFrame of shape (date, asset)
            Returns of ``kind``, indexed by dates.
        y : None
            Not used.
        **fit_params
            Not used; none may be given.

        Raises
        ------
        LookAheadError
            If the generator or the scenarios know returns after the last date of X.
        ConfigError, DataError
            If a setting or X is unusable.
        """
        del y
        if fit_params:
            raise ConfigError(f"ScenarioPrior.fit takes returns only: got {', '.join(fit_params)} too.")
        fold = fold_history(X, kind=self.kind, panel=self.panel)
        made = self._made(fold)
        if self.reweight is not None:
            require_callable(self.reweight, "reweight")
            made = of_fold(fold, self.reweight(made))
        matrix = scenario_matrix(made, horizon=self.horizon)
        moments = scenario_moments(made, horizon=self.horizon)
        self.scenarios_ = made
        self.return_distribution_ = ReturnDistribution(
            mu=moments.mean.copy(),
            covariance=moments.covariance.copy(),
            returns=matrix.returns,
            sample_weight=None if made.probabilities is None else matrix.probabilities,
        )
        skv.validate_data(self, X)
        return self

    def _made(self, fold: FoldHistory) -> ScenarioSet:
        if self.scenarios is None:
            source = trained_source(fold, generator=self.generator, fit_generator=self.fit_generator)
            return fold_scenarios(fold, source, self.n_scenarios, self.horizon, seed=self.random_state)
        if self.generator is not None or self.fit_generator is not None:
            raise ConfigError("scenarios= are ready: give no generator= or fit_generator= beside them.")
        return of_fold(fold, self.scenarios)
