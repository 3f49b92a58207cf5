"""Peak memory: at least what we demonstrably used, children included."""

import subprocess
import sys

import numpy as np

from tsgen.cli.peak_memory import peak_memory_mb


def test_a_large_array_shows():
    before = peak_memory_mb()
    block = np.ones(40_000_000)  # 305 MB of touched pages
    assert peak_memory_mb() >= block.nbytes / 2**20
    del block
    assert peak_memory_mb() >= before


def test_a_living_worker_counts_and_a_mere_launcher_does_not():
    alone = peak_memory_mb()
    code = "x = bytearray(150 * 2**20); print('ready', flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    try:
        assert peak_memory_mb() >= alone + 150
    finally:
        child.communicate("\n")
    # what the process itself grew by meanwhile is far less than a second copy of it
    assert peak_memory_mb() < alone + 100
