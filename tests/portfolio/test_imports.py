"""The package works where torch is not installed."""

import subprocess
import sys

_SCRIPT = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, NoTorch())
import numpy as np
import portfolio
from tsgen.scenario_set import ScenarioSet
rng = np.random.default_rng(0)
s = ScenarioSet(rng.normal(0, 0.01, (50, 5, 3)), assets=["A", "B", "C"], kind="log")
a = portfolio.mean_variance(s, risk_aversion=3.0, costs=portfolio.LinearCost(0.001))
assert abs(a.weights.sum() - 1) < 1e-8
try:
    import torch
except ImportError:
    print("without torch")
"""


def test_optimises_with_torch_blocked():
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "without torch"


def test_public_names_exist_and_functions_win_over_files():
    import portfolio.equal_weight
    import portfolio.mean_variance

    assert callable(portfolio.mean_variance)
    assert callable(portfolio.equal_weight)
    assert sorted(portfolio.__all__) == portfolio.__all__
    assert all(hasattr(portfolio, name) for name in portfolio.__all__)
