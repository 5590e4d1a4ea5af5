"""What goes wrong on a network, and when."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = [
    "Answer",
    "Asked",
    "Cut",
    "Drip",
    "Fault",
    "Flip",
    "Rule",
    "Sometimes",
    "Stall",
    "first",
    "rate_limit",
]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as a rule may want to know it."""

    number: int
    method: str
    target: str
    range: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The server is not asked; this is answered."""

    status: int
    body: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is reset after so many bytes of content of the answer, or of the request."""

    after: int
    of_request: bool = False


@dataclass(frozen=True, slots=True)
class Stall:
    """After so many bytes of content of the answer nothing comes any more, and the connection stays open."""

    after: int


@dataclass(frozen=True, slots=True)
class Drip:
    """The answer's content comes at so many bytes a second: a slow loris."""

    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Flip:
    """One bit of the byte at that place of the answer's content is another."""

    at: int
    bit: int = 0


Fault = Answer | Cut | Stall | Drip | Flip
Rule = Callable[[Asked], Fault | None]


def rate_limit(seconds: int = 1, *, quota: int = 1000) -> Answer:
    """Return what the Hub answers to those who ask too often.

    Form of the fields: https://huggingface.co/docs/hub/rate-limits.
    """
    text = f"We had to rate limit you, you hit the quota of {quota} api requests per 5 minutes period."
    fields = (
        ("RateLimit", f'"api";r=0;t={seconds}'),
        ("RateLimit-Policy", f'"fixed window";"api";q={quota};w=300'),
        ("Retry-After", str(seconds)),
        ("Content-Type", "application/json"),
    )
    return Answer(429, b'{"error":"%s"}' % text.encode(), fields)


def first(count: int, fault: Fault, *, containing: str = "", method: str = "") -> Rule:
    """Return the rule that gives a fault to the first so many requests whose target contains a text."""
    left = [count]
    lock = threading.Lock()

    def rule(asked: Asked) -> Fault | None:
        if containing not in asked.target or method not in ("", asked.method):
            return None
        with lock:
            left[0] -= 1
            return fault if left[0] >= 0 else None

    return rule


@dataclass
class Sometimes:
    """A rule by chance: each request that it is for gets one of some faults with a probability.

    Args:
        seed: decides everything.
        share: of the requests that get a fault.
        kinds: make a fault, each from the random numbers given.
        containing: only requests whose target contains this.
        most: so many faults altogether, so that who tries again comes to an end.

    Attributes:
        done: the faults that were given.
    """

    seed: int
    share: float
    kinds: Sequence[Callable[[random.Random], Fault]]
    containing: str = ""
    most: int = 1_000_000
    done: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def __call__(self, asked: Asked) -> Fault | None:
        with self._lock:
            if self.containing not in asked.target or len(self.done) >= self.most:
                return None
            if self._random.random() >= self.share:
                return None
            self.done.append(self._random.choice(self.kinds)(self._random))
            return self.done[-1]
