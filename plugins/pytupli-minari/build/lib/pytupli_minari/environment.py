"""Environment specifications from a file, made harmless before Minari sees them.

Minari turns ``env_spec`` into a Gymnasium ``EnvSpec``, hands it on to every dataset it derives, and gives it to
``gymnasium.make``, which imports and calls what the specification names. So what Minari gets names an entry point
only if the local Gymnasium registry holds the same environment already.
"""

from __future__ import annotations

import json
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from pytupli_registry.environments.stored import explain_refusal
from pytupli_registry.errors import AdapterError

__all__ = ["harmless", "normalised"]

# Minari cuts these texts out of the JSON before it parses it (keys that Gymnasium 1.0 does not know). A text in which
# they still occurred would be read by Minari as something else than what was checked here.
_CUT_BY_MINARI = ('"order_enforce": true,', '"apply_api_compatibility": false,', '"autoreset": false, ')
_DROPPED = ("apply_api_compatibility", "autoreset")


def normalised(env_spec: str, key: str = "env_spec") -> str:
    """Return the specification as JSON that Minari and Gymnasium read the way it was read here.

    Raises:
        AdapterError: it is no specification that this Gymnasium understands.
    """
    text = json.dumps(_parse(env_spec, key))
    if any(part in text for part in _CUT_BY_MINARI):
        raise _malformed(key, "it hides text that Minari would cut out")
    try:
        EnvSpec.from_json(text)
    except Exception as error:
        # Gymnasium raises its own Error, ValueError, TypeError and AttributeError, depending on what is wrong.
        raise _malformed(key, f"{error!s:.200}") from error
    return text


def harmless(env_spec: str, key: str = "env_spec") -> str:
    """Return the specification, without anything to import if the environment may not be built here.

    Raises:
        AdapterError: it is no specification that this Gymnasium understands.
    """
    text = normalised(env_spec, key)
    spec = json.loads(text)
    if explain_refusal(text) is None:
        registered = gymnasium.registry[spec["id"]]  # a refusal otherwise
        if spec.get("vector_entry_point") in {None, registered.vector_entry_point}:
            return text
        return json.dumps({**spec, "vector_entry_point": None})
    spec.update(entry_point=None, vector_entry_point=None, additional_wrappers=[])
    return json.dumps(spec)


def _parse(env_spec: str, key: str) -> dict[str, Any]:
    try:
        spec = json.loads(env_spec)
    except (TypeError, ValueError, RecursionError) as error:
        raise _malformed(key, f"it is not JSON ({error!s:.120})") from error
    if not isinstance(spec, dict):
        raise _malformed(key, "it is not a JSON object")
    if not isinstance(spec.get("additional_wrappers", []), list):
        raise _malformed(key, "its additional_wrappers are no list")
    spec.setdefault("additional_wrappers", [])
    if spec.get("order_enforce") is True:
        del spec["order_enforce"]  # it is the default
    return {name: value for name, value in spec.items() if name not in _DROPPED}


def _malformed(key: str, problem: str) -> AdapterError:
    return AdapterError(
        f"The dataset's {key} is no Gymnasium environment specification: {problem}.",
        hint="Correct or remove it in the dataset's metadata.json; the other adapters do without it.",
    )
