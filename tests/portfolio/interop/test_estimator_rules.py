"""scikit-learn's own checks of what an estimator may and must do with its parameters."""

import pytest
from sklearn.utils import estimator_checks

from portfolio.interop import ScenarioDistribution, ScenarioPrior

CHECKS = (
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_no_attributes_set_in_init",
    "check_estimator_cloneable",
    "check_estimator_repr",
)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("estimator", [ScenarioDistribution, ScenarioPrior])
def test_parameters_follow_the_rules(estimator, check):
    getattr(estimator_checks, check)(estimator.__name__, estimator())
