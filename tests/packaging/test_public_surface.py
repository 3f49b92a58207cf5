"""What an outsider gets: the fixed names, lazily and without torch; documented; from our distribution."""

import inspect
import subprocess
import sys

import pytest

import portfolio
import tsgen

TSGEN_NAMES = {
    "AdaptedDiffusionGenerator",
    "GeneratorConfig",
    "ReturnPanel",
    "ScenarioSet",
    "fit_generator",
    "EvaluationConfig",
    "Scorecard",
    "baselines",
    "entropy_pooling",
    "evaluate",
    "list_datasets",
    "load_generator",
    "load_returns",
    "reweighting",
    "match_moments",
    "BarrierHit",
    "DrawdownBeyond",
    "EventProbability",
    "ExpectedShortfall",
    "MaxDrawdown",
    "PathMean",
    "RealisedVolatility",
    "RiskConstraint",
    "SteeredGenerator",
    "SteeringConfig",
    "TerminalLoss",
    "TerminalReturn",
    "load_steered",
    "steer",
}


def test_the_public_names_are_the_reviewed_ones():
    assert set(tsgen.__all__) == TSGEN_NAMES
    assert set(tsgen.__all__) <= set(dir(tsgen))
    for name in tsgen.__all__:
        getattr(tsgen, name)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'; public names are"):
        _ = tsgen.nonsense


def test_every_public_name_is_documented():
    for package in (tsgen, portfolio):
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert inspect.getdoc(value), f"{package.__name__}.{name} has no docstring"


TORCH_FREE = ("tsgen", "portfolio", "tsgen.scenario_set", "tsgen.marketdata", "tsgen.reweighting")


@pytest.mark.parametrize("module", TORCH_FREE)
def test_torch_free_parts_do_not_import_torch(module):
    code = f"import sys, {module}; assert 'torch' not in sys.modules, 'torch was imported'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_both_packages_come_from_this_distribution():
    from importlib.metadata import distribution

    assert tsgen.__version__ == distribution("tsgen-toolkit").version
    assert inspect.getfile(portfolio).endswith("portfolio/__init__.py")
    assert (inspect.getfile(tsgen).rsplit("/", 2)[0]) == inspect.getfile(portfolio).rsplit("/", 2)[0]
