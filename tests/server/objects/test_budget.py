"""The allowance of memory that all uploads share."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest

from pytupli_registry.server.objects.budget import Budget


def test_never_more_than_there_is():
    budget, lock = Budget(100), Lock()
    held, most = 0, 0

    def work(amount):
        nonlocal held, most
        with budget.take(amount):
            with lock:
                held += min(amount, 100)
                most = max(most, held)
            Event().wait(0.001)
            with lock:
                held -= min(amount, 100)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, [30, 70, 100, 5, 1000, 0] * 20))
    assert (held, most) == (0, 100)


def test_errors_give_it_back():
    budget = Budget(10)
    for _ in range(3):
        with pytest.raises(KeyError), budget.take(10):
            raise KeyError
    with budget.take(10):
        pass


def test_who_asks_for_too_much_waits_for_all():
    budget, entered = Budget(10), Event()

    def everything():
        with budget.take(10**12):
            entered.set()

    with ThreadPoolExecutor(1) as thread:
        with budget.take(1):
            thread.submit(everything)
            assert not entered.wait(0.05)
        assert entered.wait(5)
