"""Strictness for every test: no global random state may move, torch keeps its defaults."""

import os
import random

import hypothesis
import numpy as np
import plotly.graph_objects  # noqa: F401  (third-party packages may draw while they are imported: do it once, here)
import pytest
import skfolio.datasets  # noqa: F401

import portfolio  # noqa: F401
import tsgen.generator  # noqa: F401

# these machines are shared and noisy: a deadline would test them, not us; the same examples every time, so that green
# means green. New ones: HYPOTHESIS_PROFILE=exploring pytest ...
hypothesis.settings.register_profile("unhurried", deadline=None, derandomize=True)
hypothesis.settings.register_profile("exploring", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unhurried"))


@pytest.fixture(autouse=True)
def _no_global_randomness():
    """Fail a test that draws from, or seeds, a global random number generator."""
    import sys

    torch = sys.modules.get("torch")
    before = (random.getstate(), np.random.get_state()[1].tobytes())
    torch_before = None if torch is None else torch.random.get_rng_state().numpy().tobytes()
    yield
    assert random.getstate() == before[0], "the global state of `random` moved: pass a generator"
    assert np.random.get_state()[1].tobytes() == before[1], "numpy's global state moved: pass rng="
    if torch_before is not None:
        assert torch.random.get_rng_state().numpy().tobytes() == torch_before, "torch's global state moved"
        assert torch.get_default_dtype() is torch.float32
