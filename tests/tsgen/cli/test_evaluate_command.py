"""`tsgen evaluate` through the command line itself: the card equals that of the API, bad input is explained."""

import json
import re
from datetime import date

import pytest

import tsgen as toolkit
from tsgen.baselines import IidGaussian
from tsgen.cli.baseline_choice import BASELINES, baseline_names, fit_baselines
from tsgen.cli.evaluation_inputs import EvaluationData, load_data, training_part
from tsgen.errors import ConfigError, DataError
from tsgen.evaluation import metric_families
from tsgen.evaluation.evaluation_config import EvaluationConfig
from tsgen.evaluation.scorecard import Scorecard
from tsgen.evaluation.world_comparison import ComparisonEffort
from tsgen.progress import silent
from tsgen.scenario_set import ScenarioSet

QUICK = ("--horizon", 10, "--scenarios", 4, "--daily-dates", 0, "--null-worlds", 19)
CUT = "2018-12-31"


@pytest.fixture(autouse=True)
def without_the_slow_families(monkeypatch, request):
    """Classifier and signature take most of the time and are tested elsewhere; the slow suite keeps them."""
    if "slow" in request.keywords:
        return

    def refuse(*_, **__):
        raise DataError("left out of this test.")

    monkeypatch.setattr(metric_families, "classifier_test", refuse)
    monkeypatch.setattr(metric_families, "signature_distance", refuse)


@pytest.fixture(scope="module")
def panel():
    return toolkit.load_returns("sample").select(["SYN_A", "SYN_B"])


@pytest.fixture(scope="module")
def baseline(panel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("baseline") / "gaussian"
    IidGaussian.fit(panel.until(CUT)).save(folder)
    return folder


def test_the_card_of_a_baseline_folder_is_that_of_the_api(tsgen, baseline, panel, tmp_path):
    options = ("--daily-scenarios", 99, "--daily-dates", 60, "--horizon", 10, "--scenarios", 4, "--null-worlds", 19)
    got = tsgen(
        "evaluate", baseline, "sample", *options, "--until", "2019-12-31", "--baselines", "stationary-bootstrap",
        "--seed", 3, "--output", tmp_path / "out", "--json",
    )  # fmt: skip
    assert got.code == 0, got.err
    assert "evaluate: 2/2" in got.err
    content = json.loads(got.out)
    card = Scorecard.from_json((tmp_path / "out" / "scorecard.json").read_text())
    assert content["scorecard"] == json.loads(card.to_json())
    config = EvaluationConfig(
        horizon=10, n_scenarios=4, n_daily_scenarios=99, max_daily_dates=60, effort=ComparisonEffort(null_worlds=19)
    )
    train = panel.until(CUT)
    rival = toolkit.baselines.StationaryBootstrap.fit(train)
    expected = toolkit.evaluate(
        IidGaussian.fit(train),
        panel.until("2019-12-31"),
        baselines={"stationary-bootstrap": rival},
        seed=3,
        config=config,
    )
    assert card.table.equals(expected.table)
    assert card.model_scores.equals(expected.model_scores)
    assert card.facts["start"].startswith(CUT)
    assert content["scores"]["stationary-bootstrap"]["overall"] == expected.model_scores["overall"].iloc[1]
    page = (tmp_path / "out" / "scorecard.html").read_text(encoding="utf-8")
    assert "Scorecard of iid_gaussian" in page
    assert "fact-autocorrelation-of-r-chart" in page


def test_a_generator_folder_and_plain_lines(tsgen, finished_once):
    got = tsgen("evaluate", finished_once.folder / "generator", "sample", "--from", "2019-06-03", *QUICK)
    assert got.code == 0, got.err
    assert "Scorecard of AdaptedDiffusionGenerator: overall" in got.out
    # the day before the first one that is evaluated
    assert "Evaluated after 2019-05-31" in got.out
    assert "0 daily forecasts" in got.out
    for group in ("marginal law", "dependence", "sensitivity"):
        assert re.search(rf"^{group} +\d\.\d\d$", got.out, re.M)
    assert "Verdicts of AdaptedDiffusionGenerator" in got.out
    assert "Left out: " in got.out


def test_fixed_scenarios_are_judged_as_paths(tsgen, baseline, tmp_path):
    file = tmp_path / "s.parquet"
    toolkit.baselines.load_baseline(baseline).sample(400, 10, seed=0).save(file)
    got = tsgen("evaluate", file, "sample", "--from", "2019-01-02", "--null-worlds", 19, "--json")
    assert got.code == 0, got.err
    assert json.loads(got.out)["scorecard"]["facts"]["n_real_paths"] > 40
    compared = tsgen("evaluate", file, "sample", "--null-worlds", 19, "--baselines", "iid-gaussian")
    assert compared.code == 0, compared.err
    assert "iid-gaussian" in compared.out
    assert "Evaluated on" in compared.out
    wrong = tsgen("evaluate", file, "sample", "--horizon", 5)
    assert (wrong.code, "these scenarios have 10 periods" in wrong.err) == (2, True)
    undated = ScenarioSet(ScenarioSet.load(file).returns, assets=["SYN_A", "SYN_B"], kind="log")
    undated.save(file)
    wrong = tsgen("evaluate", file, "sample", "--baselines", "iid-gaussian")
    assert wrong.code == 2
    assert "--baselines need returns up to the as-of date" in wrong.err


def test_bad_calls_are_explained(tsgen, baseline, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    file = tmp_path / "model.csv"
    file.write_text("")
    cases = {
        (tmp_path / "none", "sample"): (5, "there is nothing at"),
        (empty, "sample"): (5, "holds no model"),
        (file, "sample"): (5, "is no model"),
        (baseline, "samples"): (2, "unknown data set"),
        (baseline, "sample", "--from", "2019"): (2, "--from must be a date written in full"),
        (baseline, "sample", "--from", "2015-01-02"): (3, "no returns up to 2015-01-01"),
        (baseline, "sample", "--from", "2017-01-02"): (3, "it has seen what it is asked to forecast"),
        (baseline, "sample", "--from", "2019-01-02", "--until", "2019-01-01"): (2, "nothing is left to evaluate"),
        (baseline, "sample", "--from", "2019-01-02", "--history", "sample"): (2, "give one of them"),
        (baseline, "sample", "--history", "sample"): (3, "history must end before the data start"),
        (baseline, "sample", "--baselines", "fhs-garsh"): (2, "Did you mean fhs-garch?"),
        (baseline, "sample", "--baselines", "arma,arma"): (2, "a name occurs twice"),
        (baseline, "sample", "--daily-dates", 10): (2, "--daily-dates must be 0 or at least 50"),
        (baseline, "sample", "--missing", "fill"): (2, "missing must be one of"),
        (baseline, "sample", "--output", file): (5, "is a file, expected a folder"),
    }
    for arguments, (code, message) in cases.items():
        got = tsgen("evaluate", *arguments, "--json")
        assert got.code == code, (arguments, got.err)
        assert message in got.err, (arguments, got.err)
        assert json.loads(got.out)["error"]["exit_code"] == code


def test_baselines_see_nothing_after_the_training_cut_off(panel):
    model = IidGaussian.fit(panel.until(CUT))
    late = load_data(model, "sample", history=None, start=date(2020, 1, 2), until=None, missing="error")
    assert training_part(model, late, warm_up=0.5).dates[-1] == panel.until(CUT).dates[-1]
    # a model of a time before the data: up to the start of the evaluation
    only_later = EvaluationData(panel.after("2019-06-28"), None)
    part = training_part(model, only_later, warm_up=0.25)
    assert part.dates[0] > panel.until("2019-06-28").dates[-1]
    assert part.n_dates == only_later.data.n_dates // 4


def test_every_baseline_name_fits(panel):
    short = panel.until("2016-12-30")
    fitted = fit_baselines(baseline_names("all"), short, progress=silent, strict=True)
    assert list(fitted.models) == list(BASELINES)
    assert not fitted.refused
    # options reach the fit
    assert fitted.models["fhs-ewma"].recursion.beta.tolist() == [0.94, 0.94]
    assert fitted.models["fhs-gjr"].recursion.gamma.any()
    assert not fitted.models["fhs-garch"].recursion.gamma.any()


def test_of_all_baselines_those_that_cannot_be_fitted_are_named(panel):
    tiny = panel.until("2015-03-31")
    names = ("iid-gaussian", "garch-ccc")
    with pytest.warns(UserWarning, match="the baseline garch-ccc is left out"):
        fitted = fit_baselines(names, tiny, progress=silent, strict=False)
    assert list(fitted.models) == ["iid-gaussian"]
    assert "250" in fitted.refused["garch-ccc"]
    with pytest.raises(DataError, match="250"):
        fit_baselines(names, tiny, progress=silent, strict=True)
    with pytest.raises(ConfigError, match="unknown baseline"):
        baseline_names("all,arma")


@pytest.mark.slow
def test_everything_beside_all_baselines(tsgen, finished_once):
    options = ("--horizon", 10, "--scenarios", 8, "--daily-scenarios", 99, "--daily-dates", 60, "--null-worlds", 19)
    got = tsgen("evaluate", finished_once.folder / "generator", "sample", *options, "--baselines", "all", "--json")
    assert got.code == 0, got.err
    content = json.loads(got.out)
    assert set(content["scores"]) == {"AdaptedDiffusionGenerator", *BASELINES}
    # the one that replays its training data is told from the others by the gate
    assert content["scores"]["regurgitation"]["overall"] <= 0.5
    families = {s["family"] for s in content["scorecard"]["skipped"]}
    assert not families & {"signature", "classifier", "sensitivity"}
