"""Held-out densities of the anchors, and what they decide."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from tsgen.marketdata.known_processes import StudentTLaw
from tsgen.networks.head_shape import HeadShape
from tsgen.networks.score_head import ScoreHead
from tsgen.training.closed_form_density import mean_log_density
from tsgen.training.head_selection import HeadConfig, build_head, select_head
from tsgen.training.student_t_anchor import N_NODES
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_rows import make_rows, split_rows

PLAIN = HeadShape(2, 0, "none", 2, 8, 1, "silu", 0, learned=False)


def _rows(z):
    return make_rows(torch.from_numpy(z), torch.zeros(*z.shape[:2], 0), 2)


def test_densities_are_those_of_the_laws():
    rng = np.random.default_rng(0)
    covariance = np.array([[1.0, 0.4], [0.4, 0.8]])
    law = StudentTLaw(mean=np.zeros((8000, 2)), covariance=covariance, dof=4.0)
    z = law.sample(rng=rng).reshape(1000, 8, 2)
    data, rows = _rows(z), torch.arange(8000)
    clean = data.clean(rows).numpy()
    normal = mean_log_density(ScoreHead(PLAIN), data, rows)
    assert normal == pytest.approx(norm.logpdf(clean).sum(axis=1).mean(), abs=1e-6)
    tied = build_head(PLAIN._replace(n_components=N_NODES, residual="student_t"), data, rows, seed=0)
    exact = law.log_density(clean).mean()
    # a fitted law of four numbers gains about 4 / (2 n) on its own sample; the sixteen nodes cost less than 1e-3
    assert mean_log_density(tied, data, rows) == pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize(("dof", "winner"), [(4.0, "Student-t anchor"), (np.inf, "standard normal anchor")])
def test_density_decides_between_closed_forms_where_paths_abound(dof, winner):
    rng = np.random.default_rng(1)
    z = rng.standard_normal((1500, 10, 1))
    if np.isfinite(dof):
        z = z * np.sqrt((dof - 2) / rng.chisquare(dof, size=z.shape))
    data, split = _rows(z), split_rows(1500, 10, fraction=0.2, purge=0)
    selection = select_head(data, split, HeadConfig(contexts=(), lookback=2), TrainingConfig(), seed=0)
    assert [c.candidate for c in selection.comparisons if c.accepted][-1] == winner
