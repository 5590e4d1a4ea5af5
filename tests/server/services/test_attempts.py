"""Counting attempts."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from huggingface_hub.utils import parse_ratelimit_headers

from pytupli_registry.server.errors import TooManyRequests
from pytupli_registry.server.services import attempts
from pytupli_registry.server.services.attempts import WINDOW_S, Attempts, address_key


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted(clock: Clock) -> Attempts:
    return Attempts(clock)


def refusals(counted: Attempts, keys: tuple[str, ...], times: int, limit: int = 3) -> int:
    refused = 0
    for _ in range(times):
        try:
            counted.enter("login", keys, limit)
        except TooManyRequests:
            refused += 1
    return refused


def test_so_many_and_no_more(counted: Attempts, clock: Clock) -> None:
    assert refusals(counted, ("a",), 3) == 0
    with pytest.raises(TooManyRequests) as caught:
        counted.enter("login", ("a",), 3)
    assert caught.value.headers == {
        "Retry-After": str(WINDOW_S),
        "RateLimit": f'"login";r=0;t={WINDOW_S}',
        "RateLimit-Policy": f'"fixed window";"login";q=3;w={WINDOW_S}',
    }
    clock.now += WINDOW_S - 1
    with pytest.raises(TooManyRequests) as caught:
        counted.enter("login", ("a",), 3)
    assert caught.value.headers["Retry-After"] == "1"
    clock.now += 1
    assert refusals(counted, ("a",), 3) == 0


def test_the_stock_client_understands_the_refusal(counted: Attempts) -> None:
    refusals(counted, ("a",), 3)
    with pytest.raises(TooManyRequests) as caught:
        counted.enter("login", ("a",), 3)
    read = parse_ratelimit_headers(caught.value.headers)
    assert (read.resource_type, read.remaining, read.reset_in_seconds) == ("login", 0, WINDOW_S)
    assert (read.limit, read.window_seconds) == (3, WINDOW_S)


def test_keys_count_by_themselves(counted: Attempts) -> None:
    assert refusals(counted, ("name:a", "address:1"), 3) == 0
    assert refusals(counted, ("name:b", "address:2"), 3) == 0
    assert refusals(counted, ("name:c", "address:1"), 1) == 1
    assert refusals(counted, ("name:a", "address:3"), 1) == 1
    assert refusals(counted, ("name:c", "address:3"), 3) == 0  # refused attempts were not counted


def test_policies_count_by_themselves(counted: Attempts) -> None:
    assert refusals(counted, ("a",), 4) == 1
    counted.enter("device", ("a",), 3)


def test_forgiving(counted: Attempts) -> None:
    refusals(counted, ("a", "b"), 3)
    counted.forgive("login", "a")
    counted.forgive("login", "b", all_of_them=True)
    assert refusals(counted, ("a",), 2) == 1
    assert refusals(counted, ("b",), 4) == 1
    counted.forgive("login", "c")  # never below nothing
    assert refusals(counted, ("c",), 4) == 1


def test_attempts_at_the_same_time(counted: Attempts) -> None:
    with ThreadPoolExecutor(8) as pool:
        refused = sum(pool.map(lambda _: refusals(counted, ("a",), 10, limit=25), range(8)))
    assert refused == 8 * 10 - 25


def test_memory_is_bounded(counted: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST_KEPT", 100)
    for number in range(1000):
        counted.enter("login", (f"a{number}",), 3)
    assert len(counted._windows) == 100


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # one subscriber's network
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        (None, "unix socket", True),
    ],
)
def test_addresses(one: str | None, other: str | None, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same
