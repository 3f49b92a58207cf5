"""No inner statistic lets a NaN pass as harmless."""

import numpy as np
import pytest

from tsgen.errors import DataError
from tsgen.evaluation.dependence import tail_dependence
from tsgen.evaluation.marginal_law import hill_indices
from tsgen.evaluation.path_functionals import ranks_within_units


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(
    "statistic",
    [
        lambda x: hill_indices(x),
        lambda x: tail_dependence(x[:, 0], 0.05),
        lambda x: ranks_within_units(x, rng=np.random.default_rng(0)),
    ],
    ids=["tail index", "tail dependence", "ranks"],
)
def test_values_that_are_not_finite_are_refused(statistic, bad):
    values = np.random.default_rng(0).normal(size=(2000, 1, 2))
    statistic(values)
    values[3, 0, 1] = bad
    with pytest.raises(DataError, match="must be finite: 1 of"):
        statistic(values)
