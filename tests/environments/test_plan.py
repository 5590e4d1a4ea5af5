"""Plans as values: what they raise, and how they read."""

from __future__ import annotations

import numpy as np
import pytest

from pytupli_registry.environments.plan import (
    BuildPlan,
    Ground,
    PlannedRun,
    Refusal,
    shown_call,
    shown_line,
    shown_value,
)
from pytupli_registry.errors import ConsentRequired, EnvironmentRefused

RUN = PlannedRun("acme:Room", Ground.ALLOWED, "acme", "acme:Room()")
ASKED = Refusal(
    "Code came along.", "Read it.", ("a" * 64,), may_be_allowed=True, shown=("import of room.py",)
)
ASKED_TOO = Refusal(
    "A file came along.", "Read it.", ("b" * 64, "a" * 64), may_be_allowed=True, shown=("acme:Room()",)
)
NEVER = Refusal("Python is no environment.", "Do not use it.")


def test_a_plan_without_refusals_may_be_carried_out() -> None:
    BuildPlan("Room-v0", (RUN,), ()).check()


def test_consent_is_asked_for_everything_at_once() -> None:
    plan = BuildPlan("Room-v0", (RUN,), (ASKED, ASKED_TOO))
    with pytest.raises(ConsentRequired) as error:
        plan.check()
    assert error.value.message == "Code came along. A file came along."
    assert error.value.hint == "Read it."
    assert error.value.hashes == plan.hashes == ("a" * 64, "b" * 64)
    assert error.value.runs == (
        "acme:Room()  [allowed module prefix 'acme']",
        "import of room.py  [not permitted yet]",
        "acme:Room()  [not permitted yet]",
    )


def test_what_nobody_may_allow_is_not_asked_for() -> None:
    with pytest.raises(EnvironmentRefused, match="Python is no environment") as error:
        BuildPlan("Room-v0", (RUN,), (ASKED, NEVER)).check()
    assert not isinstance(error.value, ConsentRequired)
    assert error.value.hint == "Do not use it."


def test_grounds_are_told_in_words() -> None:
    runs = [
        PlannedRun("a:B", Ground.REGISTERED, "", "a:B()"),
        PlannedRun("a:B", Ground.REGISTERED, "a", "a:B()"),
        PlannedRun("a:B", Ground.OWN_WRAPPER, "", "a:B()"),
        PlannedRun("a:B", Ground.CONSENTED, "c" * 64, "a:B()"),
    ]
    assert [run.permitted_by for run in runs] == [
        "registered",
        "registered",
        "gymnasium's own wrapper",
        "consented code cccccccccccc",
    ]
    assert str(NEVER) == "Python is no environment. Do not use it."


def test_calls_are_short_and_plain() -> None:
    call = shown_call(
        "a:B", {"x": 1, "name": "é\x1b", "table": np.zeros(3), "big": 1 << 20_000, "none": None}
    )
    assert call == "a:B(x=1, name='\\xe9\\x1b', table=<ndarray>, big=<int>, none=None)"
    assert shown_line("a\x1b[2J\u202eb") == "a?[2J?b"
    assert len(shown_line("x" * 10_000)) == 300
    assert shown_value(1.5) == "1.5"
