"""Evaluation: how good a generator is, compared with what, and whether the difference is more than noise."""

from tsgen.evaluation.adapted_wasserstein import (
    SamplingFloor,
    fitted_adapted_wasserstein,
    gaussian_adapted_wasserstein,
    gaussian_wasserstein,
    sampling_floor,
)
from tsgen.evaluation.adaptedness import (
    future_of_history,
    future_of_training,
    horizon_prefix,
    perturb_after,
)
from tsgen.evaluation.classifier_two_sample import (
    classifier_test,
    window_features,
)
from tsgen.evaluation.conditional_law import (
    conditional_law_check,
)
from tsgen.evaluation.dependence import (
    dependence,
)
from tsgen.evaluation.effective_windows import (
    effective_number,
    effective_windows,
)
from tsgen.evaluation.expected_shortfall_tests import (
    ShortfallBacktest,
    expected_shortfall_test,
    z1_statistic,
    z2_statistic,
)
from tsgen.evaluation.joint_var_es_score import (
    joint_var_es_score,
)
from tsgen.evaluation.marginal_law import (
    marginal_law,
)
from tsgen.evaluation.memorisation import (
    memorisation,
)
from tsgen.evaluation.metric_result import (
    Judgement,
    MetricResult,
    judge,
    results_by_name,
)
from tsgen.evaluation.model_comparison import (
    DieboldMariano,
    PairedDifference,
    diebold_mariano,
    model_confidence_set,
    paired_difference,
)
from tsgen.evaluation.nested_adapted_wasserstein import (
    nested_adapted_wasserstein,
    nested_same_law_floor,
)
from tsgen.evaluation.paired_windows import (
    PairedWindows,
)
from tsgen.evaluation.path_functionals import (
    path_functionals,
)
from tsgen.evaluation.proper_scores import (
    energy_scores,
    proper_scores,
    score_differences,
    variogram_scores,
)
from tsgen.evaluation.regime_split import (
    regime_labels,
)
from tsgen.evaluation.score_error import (
    score_error,
)
from tsgen.evaluation.sensitivity import (
    sensitivity,
)
from tsgen.evaluation.signature_distance import (
    signature_distance,
)
from tsgen.evaluation.stylised_facts import (
    StylisedFact,
    stylised_facts,
)
from tsgen.evaluation.temporal_law import (
    lagged_cross_correlation,
    temporal_law,
)
from tsgen.evaluation.uniformity_tests import (
    BerkowitzTest,
    UniformityTest,
    berkowitz_test,
    uniformity_test,
)
from tsgen.evaluation.value_at_risk_tests import (
    LikelihoodRatioTest,
    conditional_coverage_test,
    duration_test,
    exceedances,
    independence_test,
    kupiec_test,
)
from tsgen.evaluation.window_pairing import (
    window_dates,
    windows_at,
    windows_of_paths,
)
from tsgen.evaluation.world_comparison import (
    ComparisonEffort,
)

__all__ = [
    "BerkowitzTest",
    "ComparisonEffort",
    "DieboldMariano",
    "Judgement",
    "LikelihoodRatioTest",
    "MetricResult",
    "PairedDifference",
    "PairedWindows",
    "SamplingFloor",
    "ShortfallBacktest",
    "StylisedFact",
    "UniformityTest",
    "berkowitz_test",
    "classifier_test",
    "conditional_coverage_test",
    "conditional_law_check",
    "dependence",
    "diebold_mariano",
    "duration_test",
    "effective_number",
    "effective_windows",
    "energy_scores",
    "exceedances",
    "expected_shortfall_test",
    "fitted_adapted_wasserstein",
    "future_of_history",
    "future_of_training",
    "gaussian_adapted_wasserstein",
    "gaussian_wasserstein",
    "horizon_prefix",
    "independence_test",
    "joint_var_es_score",
    "judge",
    "kupiec_test",
    "lagged_cross_correlation",
    "marginal_law",
    "memorisation",
    "model_confidence_set",
    "nested_adapted_wasserstein",
    "nested_same_law_floor",
    "paired_difference",
    "path_functionals",
    "perturb_after",
    "proper_scores",
    "regime_labels",
    "results_by_name",
    "sampling_floor",
    "score_differences",
    "score_error",
    "sensitivity",
    "signature_distance",
    "stylised_facts",
    "temporal_law",
    "uniformity_test",
    "variogram_scores",
    "window_dates",
    "window_features",
    "windows_at",
    "windows_of_paths",
    "z1_statistic",
    "z2_statistic",
]
