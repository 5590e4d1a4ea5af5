"""Gymnasium's own wrappers: the list, its spellings and the bounds of arguments."""

from __future__ import annotations

import inspect

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers

from pytupli_registry.environments.own_wrappers import (
    accepted_arguments,
    argument_problem,
    multiplied,
    own_wrapper,
)

EXCLUDED = {
    "Autoreset",  # the recorder does not take it: an episode would not end where it ends
    "HumanRendering",
    "JaxToNumpy",
    "JaxToTorch",
    "NumpyToTorch",
    "RecordVideo",
    "RenderCollection",
    "TransformAction",
    "TransformObservation",
    "TransformReward",
    "vector",
}
ACCEPTED = sorted(set(wrappers.__all__) - EXCLUDED)


@pytest.mark.parametrize("name", ACCEPTED)
def test_each_is_found_by_the_name_that_gymnasium_records(name: str) -> None:
    wrapper = getattr(wrappers, name)
    assert own_wrapper(f"{wrapper.__module__}:{name}") is wrapper
    assert own_wrapper(f"gymnasium.wrappers:{name}") is wrapper


@pytest.mark.parametrize("name", ACCEPTED)
def test_none_takes_a_function_or_a_place_to_write_to(name: str) -> None:
    parameters = inspect.signature(getattr(wrappers, name)).parameters.values()
    words = " ".join(f"{parameter.name}: {parameter.annotation}" for parameter in parameters).lower()
    assert not any(
        word in words for word in ("callable", "func", "folder", "path", "file", "trigger", "device")
    )


def test_the_recorded_name_is_the_one_gymnasium_writes() -> None:
    env = wrappers.ClipAction(wrappers.NormalizeReward(gymnasium.make("Pendulum-v1")))
    found = [own_wrapper(wrapper.entry_point) for wrapper in env.spec.additional_wrappers]
    assert found == [wrappers.NormalizeReward, wrappers.ClipAction]


@pytest.mark.parametrize(
    "entry_point",
    [
        *(f"gymnasium.wrappers:{name}" for name in sorted(EXCLUDED)),
        "gymnasium.wrappers.rendering:RecordVideo",
        "gymnasium.wrappers.transform_action:ClipReward",
        "gymnasium.wrappers.common:FlattenObservation",
        "gymnasium:FlattenObservation",
        "acme.wrappers:FlattenObservation",
        "gymnasium.wrappers:flattenobservation",
        "gymnasium.wrappers:FlattenObservation.__init__",
        "gymnasium.wrappers.vector:FlattenObservation",
        "gymnasium.wrappers:",
        "FlattenObservation",
        "",
    ],
)
def test_nothing_else_is(entry_point: str) -> None:
    assert own_wrapper(entry_point) is None


@pytest.mark.parametrize(
    ("wrapper", "kwargs", "problem"),
    [
        ("FrameStackObservation", {"stack_size": 10**9}, "is more than"),
        ("FrameStackObservation", {"stack_size": np.int64(10**9)}, "is more than"),
        ("ResizeObservation", {"shape": [84, 10**6]}, "is more than"),
        ("ResizeObservation", {"shape": np.array([84, 10**6])}, "is more than"),
        ("DelayObservation", {"delay": 10**400}, "is more than"),
        ("AtariPreprocessing", {"noop_max": float("inf")}, "is more than"),
        ("DtypeObservation", {"dtype": "object"}, "no numeric dtype"),
        ("DtypeObservation", {"dtype": "O"}, "no numeric dtype"),
        ("DtypeObservation", {"dtype": print}, "no numeric dtype"),
        ("DtypeObservation", {"dtype": int}, "no numeric dtype"),
        ("FrameStackObservation", {"stack_size": 4}, None),
        ("ResizeObservation", {"shape": (84, 84)}, None),
        ("DtypeObservation", {"dtype": "float32"}, None),
        ("DtypeObservation", {"dtype": np.uint8}, None),
        ("RescaleAction", {"min_action": -1, "max_action": np.array([1, 1])}, None),
    ],
)
def test_arguments_are_bounded(wrapper: str, kwargs: dict[str, object], problem: str | None) -> None:
    said = argument_problem(f"gymnasium.wrappers:{wrapper}", kwargs)
    assert (said is None) if problem is None else (problem in str(said))


def test_wrappers_around_each_other_are_bounded_together() -> None:
    assert multiplied([{"stack_size": 4}, {"skip": 3}, {"other": 9}, {}]) == 12
    assert multiplied([{"stack_size": 1000}] * 3) == 10**9


def test_arguments_are_given_as_the_constructors_take_them() -> None:
    assert accepted_arguments("x:ResizeObservation", {"shape": [84, 84]}) == {"shape": (84, 84)}
    assert accepted_arguments("x:DtypeObservation", {"dtype": "float32"}) == {"dtype": np.float32}
    assert accepted_arguments("x:DtypeObservation", {"dtype": np.dtype("u1")}) == {"dtype": np.uint8}
    assert accepted_arguments("x:AddRenderObservation", {"pixels_only": False, "obs_key": "s"}) == {
        "render_only": False,
        "obs_key": "s",
    }
