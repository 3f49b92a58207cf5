"""One torch thread inside, the previous number afterwards.

The number of threads changes how matrix products are split and so their rounding; results that must not
depend on the machine are computed with one. Small networks are also faster that way. Of torch alone, and cheap enough
for every block of paths; `tsgen.one_numeric_thread` limits NumPy and SciPy too.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_thread() -> Iterator[None]:
    """Context with one torch thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
