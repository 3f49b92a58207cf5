import json
import subprocess
import sys

import numpy as np
import pytest

from tsgen.reweighting import (
    CVaRView,
    EventProbabilityView,
    MeanView,
    VolatilityView,
    entropy_pooling,
    entropy_pooling_report,
)
from tsgen.scenario_set import ScenarioSet

X = np.random.default_rng(12).normal(0, 0.01, (300, 2, 2))
S = ScenarioSet(X, assets=["A", "B"], kind="log", asof="2024-05-01", provenance={"seed": 3})
VIEWS = [
    MeanView(of="A", target=0.002),
    VolatilityView(of="B", target=0.015),
    EventProbabilityView(event=X[:, 0, 0] < 0.02, target=1.0, name="no jump"),
    CVaRView(of="B", target=0.03),
]


def test_everything_else_of_the_scenarios_is_kept():
    posterior = entropy_pooling(S, VIEWS)
    assert posterior.returns is S.returns or (posterior.returns == S.returns).all()
    assert (posterior.assets, posterior.kind, posterior.asof) == (S.assets, S.kind, S.asof)
    assert posterior.provenance["seed"] == 3
    assert "entropy_pooling" not in S.provenance


def test_provenance_is_json_and_survives_storage(tmp_path):
    posterior = entropy_pooling(S, VIEWS)
    posterior.save(tmp_path / "s.parquet")
    back = ScenarioSet.load(tmp_path / "s.parquet")
    (facts,) = back.provenance["entropy_pooling"]
    assert facts == json.loads(json.dumps(posterior.provenance["entropy_pooling"][0]))
    np.testing.assert_array_equal(back.weights, posterior.weights)
    assert facts["views"][2]["multiplier"] == "inf"
    assert facts["divergence"] > 0
    assert facts["held"][0]["moment"] == "mean of B"


def test_second_pooling_adds_its_own_entry():
    twice = entropy_pooling(entropy_pooling(S, VIEWS[:1]), VIEWS[1:2])
    assert [e["views"][0]["view"] for e in twice.provenance["entropy_pooling"]] == ["mean of A", "volatility of B"]


def test_numbers_of_the_report():
    report = entropy_pooling_report(S, VIEWS)
    q = report.posterior.weights
    positive = q[q > 0]
    assert report.effective_number == pytest.approx(np.exp(-(positive * np.log(positive)).sum()))
    assert report.prior_effective_number == pytest.approx(300)
    assert report.effective_share == pytest.approx(report.effective_number / 300)
    # against equal prior probabilities the divergence is the entropy lost
    assert report.divergence == pytest.approx(np.log(300 / report.effective_number), rel=1e-7)
    assert report.iterations > 0
    assert "4 views" in repr(report)
    assert "no jump" in report._repr_html_()


SCRIPT = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, NoTorch())
from tsgen.reweighting import MeanView, entropy_pooling
from tsgen.scenario_set import ScenarioSet
s = ScenarioSet([[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
print(entropy_pooling(s, [MeanView(of="A", target=0.05)]).weights.round(3).tolist())
"""


def test_works_with_torch_blocked():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0.75, 0.25]"
