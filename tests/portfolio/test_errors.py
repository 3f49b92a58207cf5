"""Errors keep their facts, also through a worker process."""

import pickle

import pytest

from portfolio.errors import InfeasibleError, PortfolioError, SolverError, UnboundedError
from tsgen.errors import TsgenError


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (InfeasibleError("no", conflict=["a", "b"], constraints=["a", "b", "c"]), ValueError),
        (UnboundedError("no", missing=["upper bound of A"]), ValueError),
        (SolverError("no", status="user_limit", solver="CLARABEL"), RuntimeError),
    ],
)
def test_attributes_survive_pickling(error, builtin):
    assert isinstance(error, (PortfolioError, builtin))
    assert isinstance(error, TsgenError)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == "no"
    assert vars(copy) == vars(error)
