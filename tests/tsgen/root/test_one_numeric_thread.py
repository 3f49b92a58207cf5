"""The limit on threads holds until the last user leaves, and then what was before is back."""

import threading

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_info, threadpool_limits

import tsgen
from tsgen.one_numeric_thread import one_numeric_thread


def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_overlapping_users_share_one_limit():
    np.eye(2) @ np.eye(2)
    with threadpool_limits(limits=2):
        before = threads()
        first, second = one_numeric_thread(), one_numeric_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        # two plain threadpool_limits would be back to the old number here, with the second user still at work
        assert set(threads()) == {1}
        second.__exit__(None, None, None)
        assert threads() == before


def test_the_limit_is_lifted_after_errors_and_from_other_threads():
    with threadpool_limits(limits=2):
        before = threads()

        def fail():
            try:
                with one_numeric_thread():
                    raise ValueError("inside")
            except ValueError:
                pass

        workers = [threading.Thread(target=fail) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert threads() == before


def test_fitting_judging_and_steering_use_one_thread():
    """Their results would depend on the number of cores, and notebooks wait for threads that others keep busy."""
    values = 0.01 * np.random.default_rng(0).standard_normal((260, 2))
    panel = tsgen.ReturnPanel(pd.DataFrame(values, index=pd.bdate_range("2015-01-01", periods=260)), kind="log")
    seen: set[tuple[str, int]] = set()

    def listen(event):
        seen.update((event.stage, count) for count in threads())

    with threadpool_limits(limits=2):
        generator = tsgen.fit_generator(panel, tsgen.GeneratorConfig.preset("fast"), progress=listen)
        paths = [generator.sample(200, 4, seed=seed) for seed in (0, 1)]
        tsgen.evaluate(paths[0], paths[1], progress=listen)
        constraint = tsgen.RiskConstraint(tsgen.TerminalReturn({str(panel.assets[0]): 1.0}), "==", -0.01)
        quick = tsgen.SteeringConfig(
            n_steps=4, n_paths=500, n_iterations=1, n_fit_steps=5, n_certificate_paths=1_000, block_size=500
        )
        tsgen.steer(generator, [constraint], horizon=2, config=quick, progress=listen)
        assert 2 in threads()
    assert {count for _, count in seen} == {1}
    assert len({stage for stage, _ in seen}) >= 3
