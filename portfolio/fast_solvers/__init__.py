"""Direct solvers behind the same problems as the cvxpy specification; see `direct_engine`.

A problem is put into numbers (`problem_translation`, `direct_form`), solved (`quadratic_engine`, or `tail_rounds`
over `interior_point`), and accepted only with a proof of optimality (`certificate`).
"""

from portfolio.fast_solvers.direct_engine import DirectEngine
from portfolio.fast_solvers.problem_translation import DirectRefusal

__all__ = ["DirectEngine", "DirectRefusal"]
