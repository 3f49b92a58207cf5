"""The plugs come in one piece, and never need torch."""

import subprocess
import sys

import pytest

import portfolio.interop

_SCRIPT = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "cvxportfolio", "quantstats", "fortitudo", "pypfopt", "riskfolio"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, NoTorch())
import portfolio
assert "portfolio.interop" not in sys.modules
import portfolio.interop
print("imported")
"""


def test_names_exist_and_are_sorted():
    assert sorted(portfolio.interop.__all__) == portfolio.interop.__all__
    for name in portfolio.interop.__all__:
        assert getattr(portfolio.interop, name).__doc__


@pytest.mark.slow
def test_no_other_library_is_needed_but_skfolio():
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "imported"
