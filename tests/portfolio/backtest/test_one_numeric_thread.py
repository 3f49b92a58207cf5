"""The limit on threads holds until the last user leaves, and then what was before is back."""

import threading

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from portfolio.backtest.one_numeric_thread import one_numeric_thread


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
