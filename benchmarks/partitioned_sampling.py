"""Many scenarios to a folder of Parquet parts: seconds, memory, one worker against two, and resuming.

    OMP_NUM_THREADS=1 python benchmarks/partitioned_sampling.py [paths] [folder]

Default: 1,000,000 paths x 21 days x 20 stocks (about 1.7 GB of float32). Memory is the largest proportional set size of
the parent and its workers together, sampled once a second: pages shared between processes count once. Prints one
JSON object. CPU seconds are given beside wall seconds: on a busy machine only their ratio means anything.
"""

import json
import resource
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import tsgen
from tsgen.generator import GeneratorConfig

HORIZON = 21


def proportional_memory(pid: int) -> int:
    """Kilobytes of a process, shared pages divided among their users; 0 once it has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        return 0
    return 0


def family(pid: int) -> list[int]:
    found = [pid]
    for task in Path("/proc").glob(f"{pid}/task/*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


class MemoryWatch:
    """Largest memory of this process and all below it while the context is open."""

    def __enter__(self) -> "MemoryWatch":
        self.largest_mb, self.open = 0.0, True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        import os

        while self.open:
            total = sum(proportional_memory(p) for p in family(os.getpid()))
            self.largest_mb = max(self.largest_mb, total / 1024)
            time.sleep(1.0)  # reading it more often takes a tenth of a core from the workers

    def __exit__(self, *_) -> None:
        self.open = False
        self.thread.join()


def cpu_seconds() -> float:
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def run(generator, folder: Path, paths: int, workers: int) -> dict:
    started, cpu = time.perf_counter(), cpu_seconds()
    with MemoryWatch() as memory:
        parts = generator.sample_to_parquet(folder, paths, HORIZON, seed=1, n_workers=workers)
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)  # so that the workers' CPU seconds are counted
    seconds = time.perf_counter() - started
    size = sum(p.stat().st_size for p in folder.glob("*.parquet"))
    return {
        "workers": workers,
        "paths": paths,
        "parts": len(parts),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds() - cpu, 1),
        "paths_per_second": round(paths / seconds),
        "largest_memory_mb": round(memory.largest_mb),
        "megabytes": round(size / 2**20),
    }


def fit_and_save(folder: Path) -> None:
    tsgen.fit_generator(tsgen.load_returns("us_stocks"), GeneratorConfig.preset("fast"), seed=0).save(folder)


def resumed(generator, folder: Path, paths: int) -> dict:
    for number in (0, 3):
        (folder / f"part-{number:06d}.parquet").unlink()
    started = time.perf_counter()
    generator.sample_to_parquet(folder, paths, HORIZON, seed=1)
    return {"two parts removed, seconds to repair": round(time.perf_counter() - started, 1)}


if __name__ == "__main__":
    paths = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    base = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp())
    # fitted in a process of its own: what fitting leaves in memory is not what sampling needs
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        apart.submit(fit_and_save, base / "generator").result()
    generator = tsgen.load_generator(base / "generator")
    results = [run(generator, base / f"workers-{n}", paths, n) for n in (1, 2)]
    names = [sorted((base / f"workers-{n}").glob("*.parquet")) for n in (1, 2)]
    same = all(a.read_bytes() == b.read_bytes() for a, b in zip(*names, strict=True))
    report = {
        "generator": repr(generator),
        "runs": results,
        "two_workers_over_one": round(results[0]["seconds"] / results[1]["seconds"], 2),
        "same_bytes": same,
        **resumed(generator, base / "workers-1", paths),
    }
    print(json.dumps(report, indent=2))
    shutil.rmtree(base)
