"""Two benchmarks of one identity build the same."""

import json

from pytupli_registry.benchmarks.identity import identity_of
from pytupli_registry.benchmarks.reading import specification_from_json

BOX = {"type": "Box", "dtype": "float32", "shape": [1], "low": 0, "high": 1}


def artifact(digit, codec="code", **details):
    return {"sha256": digit * 64, "size": 1, "codec": codec, "file_name": "a.zip", "details": details}


def identity(kwargs=None, **artifacts):
    return identity_of(
        specification_from_json(
            json.dumps(
                {
                    "format": "pytupli-benchmark",
                    "format_version": 1,
                    "name": "room",
                    "environment": {
                        "id": "Room-v0",
                        "entry_point": "acme:Room",
                        "kwargs": kwargs or {},
                        "observation_space": BOX,
                        "action_space": BOX,
                    },
                    "artifacts": artifacts,
                }
            )
        )
    )


def test_code_that_is_shipped_is_part_of_it():
    kinds = [
        identity(),
        identity(a=artifact("0")),
        identity(a=artifact("1")),
        identity(a=artifact("0"), b=artifact("1")),
    ]
    assert len(set(kinds)) == len(kinds)
    assert identity(a=artifact("0"), b=artifact("1")) == identity(other=artifact("1"), name=artifact("0"))
    assert identity(a=artifact("0", "policy")) == identity()


def test_what_decodes_to_something_else_has_another():
    named = {"$artifact": "a"}
    entry = artifact("0", "array")
    kinds = [
        identity({"x": named}, a=entry),
        identity({"x": {**named, "y": 1}}, a=entry),
        identity({"x": [named]}, a=entry),
        identity({"x": {"$tuple": [named]}}, a=entry),
        identity({"x": named}, a=artifact("1", "array")),
        identity({"x": named}, a=artifact("0", "bytes")),
        identity({"x": named}, a=artifact("0", "array", type="other")),
        *(
            identity({"x": value})
            for value in (1, 1.0, True, "1", None, -0.0, 0.0, 0, [], {}, {"$tuple": []})
        ),
    ]
    assert len(set(kinds)) == len(kinds)
    assert identity({"x": named}, a=entry) == identity({"x": {"$artifact": "b"}}, b=entry)
