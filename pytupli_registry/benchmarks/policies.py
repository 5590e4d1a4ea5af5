"""Policies: what acts in an environment, wherever it was trained.

Evaluation steps several environments together and asks the policy once a tick for all of them. A *lane* is one of
these environments. Plugins turn other libraries' algorithms into policies, and read and write their files, through
the entry point group ``pytupli_registry.policies``; the core knows none of those libraries.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
import logging
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from pytupli_registry.errors import AdapterError, ArtifactError, ConsentRequired, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    import gymnasium

__all__ = [
    "POLICY_GROUP",
    "RANDOM",
    "FunctionPolicy",
    "Policy",
    "PolicyFormats",
    "RandomPolicy",
    "RewardedPolicy",
    "as_policy",
    "load_policy",
    "policy_format",
    "policy_formats",
    "save_policy",
]

POLICY_GROUP = "pytupli_registry.policies"
RANDOM = "random"  # the name that stands for this policy wherever one is named

_LOGGER = logging.getLogger(__name__)
_CHUNK = 1 << 20


@runtime_checkable
class Policy(Protocol):
    """What acts on several lanes at once.

    What an episode becomes must not depend on which other lanes run: keep random numbers and memory by lane. What
    floating-point arithmetic does to batches of different sizes is the policy's own business. A policy may have an
    attribute ``distributions``, names of what computes its actions (``("d3rlpy", "torch")``): their versions become
    part of an evaluation.
    """

    def begin(self, seeds: Sequence[int]) -> None:
        """Begin an episode on each of ``len(seeds)`` lanes; whatever the lanes remembered is over.

        Args:
            seeds: what the environment of each lane was reset with.
        """

    def act(self, observations: Sequence[Any], lanes: Sequence[int]) -> Sequence[Any]:
        """Choose an action for each lane that still runs.

        Args:
            observations: what the environments returned: elements of the observation space, unbatched.
            lanes: the number of the lane that each observation comes from, ascending, each at most once.

        Returns:
            as many actions as observations, in their order: elements of the action space.
        """


@runtime_checkable
class RewardedPolicy(Policy, Protocol):
    """A policy that wants to know what its actions earned, as one conditioned on returns does."""

    def reward(self, rewards: Sequence[float], lanes: Sequence[int]) -> None:
        """Take what the last actions of these lanes earned; called after each step, before the next ``act``."""


class PolicyFormats(Protocol):
    """What a plugin registers under ``pytupli_registry.policies``: an object, or a module, of these names.

    Attributes:
        formats: names of the file formats, as ``benchmark.json`` has them: ``d3``, ``torchscript``, ``onnx``.
        suffixes: the suffix of each format's files, with its dot; a suffix stands for one format only.
    """

    @property
    def formats(self) -> tuple[str, ...]: ...  # noqa: D102 - the class documents them

    @property
    def suffixes(self) -> Mapping[str, str]: ...  # noqa: D102

    def accepts(self, thing: Any, /) -> bool:  # noqa: ANN401 - another library's own type
        """Whether this is an algorithm or a policy that :meth:`wrap` takes."""

    def wrap(
        self,
        thing: Any,  # noqa: ANN401
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        /,
    ) -> Policy:
        """Return the policy that acts as the algorithm does when it is evaluated: without exploration.

        Raises:
            PytupliError: it was trained for other spaces.
        """

    def needs_consent(self, name: str, /) -> bool:
        """Whether reading a file of that format can run code that is in the file.

        A format that runs code while it is read (anything built on pickle) says True; one that is read as
        numbers and a description of known operations says False.
        """

    def load(
        self,
        path: Path,
        name: str,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        /,
    ) -> Policy:
        """Read the policy from a file of that format, whole: the file is gone after the call.

        Raises:
            PytupliError: the file is not of that format, or the policy is for other spaces.
        """

    def save(self, thing: Any, path: Path, /) -> None:  # noqa: ANN401
        """Write an accepted thing as the format that the suffix of ``path`` stands for.

        Raises:
            PytupliError: the thing cannot be written in that format.
        """


class RandomPolicy:
    """Samples from the action space; each lane has a generator of its own, seeded like its environment."""

    def __init__(self, action_space: gymnasium.Space[Any]) -> None:
        self._action_space = action_space
        self._lanes: list[gymnasium.Space[Any]] = []

    def begin(self, seeds: Sequence[int]) -> None:
        """Seed a copy of the action space for each lane."""
        self._lanes = [copy.deepcopy(self._action_space) for _ in seeds]
        for space, seed in zip(self._lanes, seeds, strict=True):
            space.seed(int(seed))

    def act(self, observations: Sequence[Any], lanes: Sequence[int]) -> list[Any]:  # noqa: ARG002 - it looks at none
        """Sample an action for each lane."""
        return [self._lanes[lane].sample() for lane in lanes]


class FunctionPolicy:
    """A function of one observation, as a policy."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def begin(self, seeds: Sequence[int]) -> None:
        """Do nothing: a function remembers nothing between episodes."""

    def act(self, observations: Sequence[Any], lanes: Sequence[int]) -> list[Any]:  # noqa: ARG002 - all are alike
        """Call the function for each observation."""
        return [self._function(observation) for observation in observations]


def as_policy(
    thing: Any,  # noqa: ANN401 - whatever acts
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
) -> Policy:
    """Return what acts as a policy: a policy itself, what a plugin accepts, or a function of one observation.

    Raises:
        AdapterError: it is none of these.
        PytupliError: the plugin that accepts it cannot use it on these spaces.
    """
    if isinstance(thing, Policy) and not inspect.isclass(thing):
        return thing
    if inspect.isroutine(thing) or isinstance(thing, functools.partial):
        return FunctionPolicy(thing)
    for plugin in policy_formats().values():
        if plugin.accepts(thing):
            return plugin.wrap(thing, observation_space, action_space)
    if callable(thing) and not inspect.isclass(thing):
        return FunctionPolicy(thing)
    raise AdapterError(
        f"A {type(thing).__name__} is no policy that anything installed knows.",
        hint="Give a function observation -> action, an object with begin and act, or install the plugin for it "
        "(pytupli-d3rlpy for d3rlpy's algorithms).",
    )


def policy_formats() -> dict[str, PolicyFormats]:
    """Return what the installed plugins registered, by entry point name; one that cannot be imported is logged."""
    found: dict[str, PolicyFormats] = {}
    for point in sorted(entry_points(group=POLICY_GROUP), key=lambda point: point.name):
        try:
            found[point.name] = cast("PolicyFormats", point.load())
        except (ImportError, AttributeError) as error:  # no such module; no such name in it
            _LOGGER.warning("The policy plugin %r cannot be imported: %s", point.name, error)
    return found


def policy_format(name: str) -> PolicyFormats:
    """Return the plugin that knows a file format.

    Raises:
        AdapterError: nothing installed does.
    """
    known: list[str] = []
    for plugin in policy_formats().values():
        if name in plugin.formats:
            return plugin
        known.extend(plugin.formats)
    hint = (
        did_you_mean(name, known)
        or f"Installed: {', '.join(sorted(known)) or 'none'}; pytupli-d3rlpy adds d3."
    )
    raise AdapterError(f"There is no plugin for policies of the format {name!r:.80}.", hint=hint)


def save_policy(thing: Any, path: Path) -> str:  # noqa: ANN401 - another library's own type
    """Write what a plugin accepts to a file and return the name of the format, which the suffix chooses.

    Raises:
        AdapterError: no installed plugin accepts it and writes that format.
        PytupliError: the plugin cannot write this one.
    """
    for plugin in policy_formats().values():
        for name, suffix in plugin.suffixes.items():
            if suffix == path.suffix and plugin.accepts(thing):
                plugin.save(thing, path)
                return name
    raise AdapterError(
        f"Nothing installed writes a {type(thing).__name__} to a file that ends in {path.suffix!r}.",
        hint="Choose another suffix, or install the plugin for it (pytupli-d3rlpy for d3rlpy's algorithms).",
    )


def load_policy(
    path: Path,
    sha256: str,
    name: str,
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
    *,
    consents: Container[str] = (),
) -> Policy:
    """Read a policy from a file that need not be trusted.

    The bytes are copied and hashed in one go, and the plugin reads the copy: what is loaded is what was hashed.

    Args:
        path: the file.
        sha256: what it has to be, in hexadecimal.
        name: of its format.
        observation_space: of the environment it is to act in.
        action_space: likewise.
        consents: hashes of files that may run code when they are read.

    Raises:
        AdapterError: no installed plugin knows the format.
        ConsentRequired: the format can run code, and nobody consented to this hash.
        ArtifactError: the file has another hash, or cannot be read.
        PytupliError: the plugin cannot read it, or it is for other spaces.
    """
    plugin = policy_format(name)
    if plugin.needs_consent(name) and sha256 not in consents:
        raise ConsentRequired(
            f"Loading the policy {path.name} runs code that is in the file (format {name!r}).",
            hashes=[sha256],
            runs=[f"{name} file {path.name}, SHA-256 {sha256}"],
            hint=f"If you trust where it comes from: consent=[{sha256!r}].",
        )
    with tempfile.TemporaryDirectory(prefix="pytupli-policy-") as private:
        copied = Path(private) / f"policy{plugin.suffixes.get(name, '')}"
        found = _copy_and_hash(path, copied)
        if found != sha256:
            raise ArtifactError(
                f"The policy {path.name} is not the one it should be: its SHA-256 is {found}, not {sha256}.",
                hint="The file was changed or damaged; get it again.",
            )
        return plugin.load(copied, name, observation_space, action_space)


def _copy_and_hash(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    try:
        with source.open("rb") as file, target.open("wb") as copied:
            while part := file.read(_CHUNK):
                digest.update(part)
                copied.write(part)
    except OSError as error:
        raise ArtifactError(f"The policy {source.name} cannot be read: {error!s:.200}.") from error
    return digest.hexdigest()
