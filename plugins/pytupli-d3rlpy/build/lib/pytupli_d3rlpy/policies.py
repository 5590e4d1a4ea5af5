"""The file formats of d3rlpy's policies; this module is what the plugin registers.

It is a :class:`pytupli_registry.benchmarks.policies.PolicyFormats`. ``.d3`` is read without running anything that
is in the file, and needs no consent; see :mod:`pytupli_d3rlpy.d3_files`. TorchScript is code by design. ONNX is a
graph of known operations, but it is read by a native runtime, and may name other files to read.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

from pytupli_d3rlpy.acting import ObservationChoices, acts, policy_of
from pytupli_d3rlpy.d3_files import read_d3, write_d3
from pytupli_d3rlpy.exported import export, load_onnx, load_torchscript
from pytupli_registry.errors import AdapterError, ConsentRequired

if TYPE_CHECKING:
    from collections.abc import Mapping

    import gymnasium

    from pytupli_d3rlpy.acting import Learnt
    from pytupli_registry.benchmarks.policies import Policy

__all__ = [
    "accepts",
    "formats",
    "load",
    "load_policy",
    "needs_consent",
    "save",
    "save_policy",
    "suffixes",
    "wrap",
]

formats: tuple[str, ...] = ("d3", "torchscript", "onnx")
suffixes: Mapping[str, str] = MappingProxyType({"d3": ".d3", "torchscript": ".pt", "onnx": ".onnx"})

accepts = acts
wrap = policy_of


def needs_consent(name: str) -> bool:
    """Whether reading a file of that format can do more than make numbers of it."""
    return name != "d3"


def load(
    path: Path,
    name: str,
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
    **said: Unpack[ObservationChoices],
) -> Policy:
    """Read a policy. TorchScript and ONNX run what is in the file: ask for consent before.

    Raises:
        AdapterError: there is no such format, what reads it is not installed, or it is for other spaces.
        FormatError: the file is not what it should be.
    """
    if name == "d3":
        return policy_of(read_d3(path), observation_space, action_space, **said)
    if name == "torchscript":
        return load_torchscript(path, observation_space, action_space, said)
    if name == "onnx":
        return load_onnx(path, observation_space, action_space, said)
    raise AdapterError(f"{name!r:.80} is no format of d3rlpy's.", hint=f"There are {', '.join(formats)}.")


def save(thing: Learnt, path: Path | str) -> None:
    """Write a trained algorithm as what the suffix says: ``.d3``, ``.pt`` (TorchScript) or ``.onnx``.

    ``.d3`` keeps everything, and is the one that others can read without trust. The two exported formats hold the
    greedy policy only and run without d3rlpy.

    Raises:
        AdapterError: it has no network yet, cannot be exported, or the suffix is none of these.
        ArtifactError: it cannot be written.
    """
    path = Path(path)
    if path.suffix == suffixes["d3"]:
        write_d3(thing, path)
    elif path.suffix in suffixes.values():
        export(thing, path)
    else:
        raise AdapterError(
            f"{path.name!r:.80} does not say which format to write.",
            hint=f"End it in {', '.join(suffixes.values())}.",
        )


save_policy = save


def load_policy(
    path: Path | str,
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
    *,
    trusted: bool = False,
    **said: Unpack[ObservationChoices],
) -> Policy:
    """Read a policy from a file, to act in an environment.

    Args:
        path: ``.d3``, ``.pt`` or ``.onnx``.
        observation_space: of the environment.
        action_space: of the environment.
        trusted: whether the file may run what is in it, as ``.pt`` and ``.onnx`` do; ``.d3`` never does.
        said: how it sees observations, where that is not plain, as in :func:`policy_of`.

    Raises:
        ConsentRequired: the file would run what is in it, and is not ``trusted``.
        PytupliError: as :func:`load` and :func:`read_d3` raise.
    """
    path = Path(path)
    name = next((name for name, suffix in suffixes.items() if suffix == path.suffix), path.suffix)
    if name in formats and needs_consent(name) and not trusted:
        raise ConsentRequired(
            f"Loading {path.name} runs what is in it (format {name!r}).",
            runs=[f"{name} file {path.name}"],
            hint="If you trust where it comes from, say trusted=True.",
        )
    return load(path, name, observation_space, action_space, **said)
