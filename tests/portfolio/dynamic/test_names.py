"""Public names exist, in order, and the package does without torch."""

import subprocess
import sys

import portfolio.dynamic


def test_public_names():
    assert sorted(portfolio.dynamic.__all__) == portfolio.dynamic.__all__
    assert all(hasattr(portfolio.dynamic, name) for name in portfolio.dynamic.__all__)


def test_without_torch():
    script = "import sys; import portfolio.dynamic; print('loaded' if 'torch' in sys.modules else 'fine')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip() == "fine", done.stderr
