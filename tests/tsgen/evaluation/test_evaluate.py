"""End to end: a true model beats wrong ones, leaks are refused, everything left out is named."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from tsgen.errors import ConfigError, DataError, LookAheadError
from tsgen.evaluation.evaluation_config import EvaluationConfig
from tsgen.evaluation.evaluation_period import evaluation_period, training_cutoff_of
from tsgen.evaluation.metric_families import compute_families
from tsgen.evaluation.model_judgement import evaluate
from tsgen.evaluation.scorecard import Scorecard
from tsgen.evaluation.world_comparison import ComparisonEffort
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet

OMEGA, ALPHA, BETA = 0.02e-4, 0.12, 0.86
QUICK = EvaluationConfig(
    horizon=5, n_scenarios=8, n_daily_scenarios=99, effort=ComparisonEffort(null_worlds=49, resamples=10)
)


def variances(values):
    """Conditional variances after a past of shape (time, 2)."""
    start = np.full((1, 2), OMEGA / (1 - ALPHA - BETA))
    driven = np.concatenate([start, OMEGA + ALPHA * values**2])
    return lfilter([1.0], [1.0, -BETA], driven, axis=0)[-1]


@dataclasses.dataclass(frozen=True)
class Garch:
    """Two independent GARCH(1,1) assets; ``scale`` and ``memory`` make it wrong."""

    assets = ("A", "B")
    kind = "log"
    name: str = "garch"
    scale: float = 1.0
    memory: bool = True
    training_cutoff: pd.Timestamp | None = None

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        past = np.zeros((0, 2)) if history is None or not self.memory else history.values
        h = np.tile(variances(past), (n_scenarios, 1))
        paths = np.empty((n_scenarios, horizon, 2))
        for t in range(horizon):
            # a stream per period: a longer horizon must not move the first ones
            noise = np.random.default_rng([seed, t]).standard_normal((n_scenarios, 2))
            paths[:, t] = self.scale * np.sqrt(h) * noise
            h = OMEGA + ALPHA * paths[:, t] ** 2 + BETA * h
        return ScenarioSet(paths, assets=self.assets, kind=self.kind)

    @classmethod
    def fit(cls, panel):
        return cls(name="fitted", training_cutoff=panel.dates[-1])


def make_panel(n=900, seed=0):
    rng, values = np.random.default_rng(seed), np.empty((n, 2))
    h = np.full(2, OMEGA / (1 - ALPHA - BETA))
    for t in range(n):
        values[t] = np.sqrt(h) * rng.standard_normal(2)
        h = OMEGA + ALPHA * values[t] ** 2 + BETA * h
    return ReturnPanel(
        pd.DataFrame(values, index=pd.bdate_range("2015-01-01", periods=n), columns=["A", "B"]), kind="log"
    )


@pytest.fixture(scope="module")
def panel():
    return make_panel()


@pytest.fixture(scope="module")
def card(panel):
    events = []
    made = evaluate(
        Garch(),
        panel,
        baselines=[Garch(name="too calm", scale=0.6), Garch(name="forgetful", memory=False), Garch],
        config=QUICK,
        progress=events.append,
    )
    assert [e.note for e in events] == ["garch", "too calm", "forgetful", "garch (2)", ""]
    return made


def test_the_true_model_is_ranked_first(card):
    scores = card.model_scores
    assert scores.loc["garch", "overall"] > 0.9
    assert scores.loc["too calm", "overall"] < 0.7
    assert scores.loc["forgetful", "forecast calibration"] < scores.loc["garch", "forecast calibration"]
    assert scores.loc["too calm", "value at risk"] < 0.5
    judged = card.table[card.table["verdict"] != "report"]
    # a true model is above its floor in at most 4 % of independent metrics; they come in correlated families
    assert (judged["verdict"] == "above floor").mean() < 0.2


def test_differences_of_proper_scores_are_significant_where_they_should_be(card):
    paired = card.paired_differences.set_index(["score", "baseline"])
    assert paired.loc[("CRPS", "too calm"), "t"] < -3
    assert paired.loc[("CRPS", "forgetful"), "t"] < -2
    # 90 windows of 5 periods in blocks of 90^(1/3), rounded up: independent ones would make errors too small
    assert paired.loc[("energy score", "too calm"), "n_blocks"] == 90 // 5
    sets = card.model_confidence_sets.set_index(["score", "model"])["included"]
    assert sets[("CRPS", "garch")]
    assert not sets[("CRPS", "too calm")]


def test_what_was_left_out_is_named(card):
    families = [s.family for s in card.skipped]
    # the class is the true model again: identical scores cannot be compared, and the card says so
    assert "CRPS against garch (2)" in families
    assert card.facts["start_reason"] == "after a warm-up of 50% of the data"
    assert card.facts["n_daily_dates"] == 450
    assert Scorecard.from_json(card.to_json()).overall == card.overall


def test_one_asset_has_a_card_that_names_what_is_missing():
    class One(Garch):
        """The first asset alone."""

        assets = ("A",)

        def sample(self, n_scenarios, horizon, *, history=None, seed):
            both = None
            if history is not None:
                frame = pd.concat([history.returns, history.returns.rename(columns={"A": "B"})], axis=1)
                both = ReturnPanel(frame, kind="log")
            paths = Garch().sample(n_scenarios, horizon, history=both, seed=seed).returns
            return ScenarioSet(paths[:, :, :1], assets=self.assets, kind=self.kind)

    made = evaluate(One(), make_panel(600).select(["A"]), config=QUICK)
    assert made.overall > 0.8
    reasons = {s.family: s.reason for s in made.skipped}
    assert "needs at least 2: got 1" in reasons["dependence"]
    assert "needs at least 2: got 1" in reasons["lagged cross-correlations"]
    assert "dependence" not in made.groups.index
    assert {"forecast calibration", "temporal law", "marginal law"} <= set(made.groups.index)
    assert [f.name for f in made.stylised_facts][-1] == "tail losses"
    assert Scorecard.from_json(made.to_json()).table.equals(made.table)


def test_what_is_left_out_for_a_baseline_only_is_named():
    rng = np.random.default_rng(0)
    real = ScenarioSet(rng.standard_normal((60, 4, 1)), assets=["A"], kind="log")
    right = ScenarioSet(rng.standard_normal((240, 4, 1)), assets=["A"], kind="log")
    # losses that never change have no tail to estimate
    returns = np.where(right.returns < 0.0, 0.0, right.returns)
    one_sided = ScenarioSet(returns, assets=["A"], kind="log")
    config = EvaluationConfig(effort=ComparisonEffort(null_worlds=19, resamples=10))
    made = evaluate(right, real, baselines={"gains": one_sided}, config=config)
    left_out = {s.family: s.reason for s in made.skipped}
    assert "marginal law" not in left_out
    assert "reaches beyond the centre" in left_out["marginal law (gains)"]
    # what does not apply to anyone is named once
    assert "dependence" in left_out
    assert "dependence (gains)" not in left_out


def test_scenarios_that_cannot_be_judged_do_not_escape():
    """Without losses there is no tail to judge: beside a model that has one, the group counts as failed."""
    rng = np.random.default_rng(0)
    real = ScenarioSet(rng.normal(scale=0.01, size=(150, 10, 2)), ["A", "B"], "log")
    right = ScenarioSet(rng.normal(scale=0.01, size=(600, 10, 2)), ["A", "B"], "log")
    without_losses = ScenarioSet(np.maximum(right.returns, 0.0), ["A", "B"], "log")
    card = evaluate(without_losses, real, baselines={"right": right}, config=QUICK)
    failed = card.table[card.table["metric"] == "can be judged"]
    assert len(failed) > 0
    assert (card.groups[failed["group"]] == 0.0).all()
    assert card.overall < 0.5 < card.model_scores.loc["right", "overall"]


def test_same_seed_same_card():
    rng = np.random.default_rng(0)
    real, fake = (ScenarioSet(rng.standard_normal((n, 4, 2)), assets=["A", "B"], kind="log") for n in (40, 200))
    first, second, other = (evaluate(fake, real, config=QUICK, seed=seed) for seed in (3, 3, 4))
    assert first.to_json() == second.to_json() != other.to_json()


def test_a_generator_that_knows_the_future_scores_zero(panel):
    class Oracle(Garch):
        """Copies what follows the as-of date in the panel it was shown, in one pass."""

        def sample_at(self, seen, dates, n_scenarios, horizon, *, seed):
            padded = np.vstack([seen.values, np.zeros((horizon, 2))])
            for i, row in enumerate(seen.dates.get_indexer(dates)):
                noise = np.random.default_rng([seed, i]).normal(0.0, 1e-4, (n_scenarios, horizon, 2))
                yield padded[row + 1 : row + 1 + horizon] + noise

    made = evaluate(Oracle(), panel, config=dataclasses.replace(QUICK, daily=False))
    assert made.overall == 0.0
    assert list(made.failed_gates) == ["adaptedness / future of the history"]


def test_fixed_scenarios_are_judged_as_paths(panel):
    rng = np.random.default_rng(0)
    scenarios = ScenarioSet(rng.normal(0.0, 0.002, (800, 10, 2)), assets=["A", "B"], kind="log", asof=panel.dates[99])
    made = evaluate(scenarios, panel, config=QUICK)
    assert made.model == "scenarios"
    assert made.facts["n_real_paths"] == 80
    assert made.groups["marginal law"] < 0.6
    assert any("no history" in s.reason for s in made.skipped)


def test_the_period_starts_after_everything_seen():
    panel = make_panel(200)
    cut = panel.dates[149]
    trained = {"m": Garch(training_cutoff=cut)}
    period = evaluation_period(panel, trained, history=None, warm_up=0.5)
    assert period.start == cut
    assert period.daily_dates(30)[-1] == panel.dates[-2]
    train, test = panel.split(cut)
    joined = evaluation_period(test, trained, history=train, warm_up=0.5)
    assert (joined.start, joined.panel.n_dates) == (cut, 200)
    assert joined.window_dates(10)[0] == cut
    early = evaluation_period(test, trained, history=None, warm_up=0.5)
    assert early.start == test.dates[24]

    class Record:
        record = Garch(training_cutoff=cut)

    assert training_cutoff_of(Record()) == cut


def test_models_that_saw_the_evaluation_are_refused():
    panel = make_panel(200)
    train, test = panel.split(panel.dates[99])
    with pytest.raises(LookAheadError, match="it has seen what it is asked to forecast"):
        evaluate(Garch(training_cutoff=panel.dates[-1]), panel, config=QUICK)
    with pytest.raises(LookAheadError, match="garch was trained up to"):
        evaluate(Garch(training_cutoff=panel.dates[150]), test, history=train, config=QUICK)
    with pytest.raises(DataError, match="history must end before the data start"):
        evaluate(Garch(), test, history=panel, config=QUICK)
    with pytest.raises(DataError, match="history and data must have the same assets"):
        evaluate(Garch(), test, history=train.select(["B", "A"]), config=QUICK)


def test_requests_that_do_not_fit_together_are_refused(panel):
    rng = np.random.default_rng(0)
    paths = ScenarioSet(rng.standard_normal((20, 5, 2)), assets=["A", "B"], kind="log")
    long = ScenarioSet(rng.standard_normal((20, 200, 2)), assets=["A", "B"], kind="log")
    with pytest.raises(ConfigError, match="is no generator"):
        evaluate("model", panel)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="cannot be re-conditioned beside a generator"):
        evaluate(Garch(), panel, baselines={"set": paths}, config=dataclasses.replace(QUICK, daily=False))
    with pytest.raises(ConfigError, match="history conditions a generator on dates"):
        evaluate(paths, paths, history=panel)
    with pytest.raises(ConfigError, match="is not fitted"):
        evaluate(paths, paths, baselines=[Garch])
    with pytest.raises(DataError, match="holds only 4 windows of 200 periods"):
        evaluate(long, panel)
    with pytest.raises(ConfigError, match="n_daily_scenarios must be an integer of at least 99"):
        EvaluationConfig(n_daily_scenarios=50)
    with pytest.raises(ConfigError, match="warm_up must be a share"):
        EvaluationConfig(warm_up=1.0)


def test_only_teaching_errors_are_recorded_as_skipped():
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compute_families([("broken", broken)])
