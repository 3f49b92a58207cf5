"""Seeded torch generators, derived from the same keys as the numpy streams."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from tsgen.random_streams import stream_key


def _torch_seed(seed: int, purpose: str) -> int:
    # torch takes a signed 64-bit seed
    return int(stream_key(seed, purpose)[0] >> np.uint64(1))


def torch_stream(seed: int, purpose: str) -> torch.Generator:
    """Independent torch CPU generator for one purpose."""
    generator = torch.Generator(device="cpu")
    generator.manual_seed(_torch_seed(seed, purpose))
    return generator


@contextmanager
def module_initialisation(seed: int, purpose: str) -> Iterator[None]:
    """Seed torch's global CPU stream for building modules, and restore it afterwards.

    The initialisers inside ``torch.nn`` layers accept no generator; this is the only place where the
    global stream is used, and it leaves no trace.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(_torch_seed(seed, purpose))
        yield
