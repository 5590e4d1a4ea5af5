"""The rules: what may run to build an environment that data names."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.environments.arguments import is_argument_name, objections
from pytupli_registry.environments.entry_points import EntryPoint, parse_entry_point
from pytupli_registry.environments.installed import find_installed, is_among_data, is_shipped
from pytupli_registry.environments.own_wrappers import argument_problem, multiplied, own_wrapper
from pytupli_registry.environments.plan import (
    BuildPlan,
    Ground,
    PlannedRun,
    Refusal,
    shown_call,
    shown_line,
    shown_value,
)
from pytupli_registry.environments.registering import register_installed
from pytupli_registry.errors import EnvironmentRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gymnasium.envs.registration import EnvSpec

    from pytupli_registry.environments.permissions import Permissions
    from pytupli_registry.environments.shipped_code import ShippedCode
    from pytupli_registry.environments.specification import EnvironmentSpecification, WrapperSpecification

__all__ = ["plan_build"]

# No module before it: Gymnasium would import that.
_ENVIRONMENT_ID = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)?[A-Za-z0-9_-][A-Za-z0-9_.-]*", re.ASCII)
_MAX_STEPS = 1 << 53
_MAX_WRAPPERS = 50
_MAX_PRODUCT = 10_000  # of the frames stacked and the steps skipped by all wrappers together
# Packages whose environments make others from their arguments: another id, a module to import, a file to run.
_LOADERS = frozenset({"shimmy", "gym", "minari", "pytupli_registry", "pytupli_d3rlpy", "pytupli_minari"})
# Arguments of Gymnasium's own environments that multiply memory or time.
_MOST = {"frame_skip": 1000, "height": 8192, "max_geom": 1_000_000, "width": 8192}
_MAX_MAP = 10_000  # characters of FrozenLake's map, each of which becomes a dictionary

_INSTALL = "Install the package that provides it, then try again; data never brings its own."


def plan_build(
    specification: EnvironmentSpecification, permissions: Permissions, code: Sequence[ShippedCode] = ()
) -> BuildPlan:
    """Decide what building an environment would run, and whether it may.

    Nothing that the data names is imported, built or called.

    Args:
        specification: from a file that is not trusted.
        permissions: what the user allows beside what is registered.
        code: what came with the specification.
    """
    rules = _Rules(specification, permissions, tuple(code), _registration(specification))
    outcomes = list(rules.outcomes())
    return BuildPlan(
        specification.environment_id,
        tuple(outcome for outcome in outcomes if isinstance(outcome, PlannedRun)),
        tuple(outcome for outcome in outcomes if isinstance(outcome, Refusal)),
    )


def _registration(specification: EnvironmentSpecification) -> EnvSpec | None:
    from gymnasium import registry  # noqa: PLC0415 - loading data must not cost Gymnasium's import

    if specification.environment_id not in registry:
        register_installed()
    return registry.get(specification.environment_id)


@dataclass(frozen=True, slots=True)
class _Call:
    """An entry point that the data wants called."""

    what: str
    entry_point: EntryPoint
    kwargs: Mapping[str, Any]
    registered: Mapping[str, Any]

    @property
    def shown(self) -> str:
        return shown_call(str(self.entry_point), self.kwargs)

    def run(self, ground: Ground, detail: str = "") -> PlannedRun:
        return PlannedRun(str(self.entry_point), ground, detail, self.shown)


@dataclass(frozen=True, slots=True)
class _Rules:
    specification: EnvironmentSpecification
    permissions: Permissions
    code: tuple[ShippedCode, ...]
    registered: EnvSpec | None

    def outcomes(self) -> Iterator[PlannedRun | Refusal]:
        """Yield what may run and what may not; shipped code first, since it is imported first."""
        yield from _limits(self.specification)
        calls = [*self._environment()]
        for wrapper in self.specification.wrappers:
            calls.extend(self._wrapper(wrapper))
        shipped = [call for call in calls if isinstance(call, PlannedRun) and call.ground is Ground.CONSENTED]
        imports = list(self._imports()) if shipped else []
        missing = [outcome for outcome in imports if isinstance(outcome, Refusal)]
        if not missing:
            yield from (*imports, *calls)
            return
        # Without consent to the code there is none to call it.
        imports.remove(missing[0])
        lines = tuple(call.shown for call in shipped)
        yield replace(missing[0], shown=(*missing[0].shown, *lines))
        yield from imports
        yield from (call for call in calls if call not in shipped)

    def _environment(self) -> Iterator[PlannedRun | Refusal]:
        name = f"The environment {self.specification.environment_id!a:.200}"
        defaults = {} if self.registered is None else self.registered.kwargs
        try:
            entry_point = parse_entry_point(self.specification.entry_point)
        except EnvironmentRefused as error:
            yield Refusal(f"{name} cannot be built: {error.message}", error.hint or "")
            return
        call = _Call(name, entry_point, self.specification.kwargs, defaults)
        if self._is_registered(entry_point):
            prefix = self.permissions.prefix_of(entry_point.module) or ""
            yield from self._with_plain_arguments(call, Ground.REGISTERED, prefix)
        else:
            yield from self._other(call, self._why_not_registered(call))

    def _is_registered(self, entry_point: EntryPoint) -> bool:
        return (
            self.registered is not None
            and self.registered.entry_point == self.specification.entry_point
            and not entry_point.is_standard_library
            and entry_point.top_level not in _LOADERS
            and not _is_loaded_from_data(entry_point.top_level)
        )

    def _why_not_registered(self, call: _Call) -> Refusal:
        registered, top = self.registered, call.entry_point.top_level
        if registered is None:
            sentence = f"{call.what} ({call.entry_point}) is not registered with Gymnasium here."
            hint = "Import the package that registers it, then try again; data never imports code on its own."
        elif not isinstance(registered.entry_point, str):
            sentence = f"{call.what} is registered with a function, which cannot be compared with the entry point in the data."
            hint = "Register it with a 'module:Class' string, or build it yourself."
        elif registered.entry_point == self.specification.entry_point:
            sentence = f"{call.what} is made by {top!r}, which makes other environments from its arguments."
            hint = "Build it yourself."
        else:
            sentence = (
                f"The data says that {self.specification.environment_id!r} is {str(call.entry_point)!r:.120}, but the "
                f"one registered here is {registered.entry_point!r}."
            )
            hint = "It may be another environment of the same name. Build the one you mean yourself."
        return Refusal(sentence, hint)

    def _wrapper(self, wrapper: WrapperSpecification) -> Iterator[PlannedRun | Refusal]:
        name = f"The wrapper {wrapper.entry_point!a:.200}"
        try:
            call = _Call(name, parse_entry_point(wrapper.entry_point), wrapper.kwargs, {})
        except EnvironmentRefused as error:
            yield Refusal(
                f"The data wraps the environment in something else: {error.message}", error.hint or ""
            )
            return
        if "env" in wrapper.kwargs:
            yield Refusal(f"{name} is given another environment as an argument.", "Correct the data.")
        elif own_wrapper(wrapper.entry_point) is not None:
            yield from self._own_wrapper(call)
        elif self._is_registered_wrapper(wrapper):
            yield call.run(Ground.REGISTERED)
        else:
            sentence = (
                f"{name} is neither registered with the environment nor one of Gymnasium's plain wrappers."
            )
            yield from self._other(call, Refusal(sentence, "Build the environment and wrap it yourself."))

    def _own_wrapper(self, call: _Call) -> Iterator[PlannedRun | Refusal]:
        problem = argument_problem(str(call.entry_point), call.kwargs)
        if problem is not None:
            yield Refusal(
                f"{call.what} is given an argument it may not have: {problem}.", "Correct the data."
            )
            return
        plain = {name: value for name, value in call.kwargs.items() if name != "dtype"}
        checked = _Call(call.what, call.entry_point, plain, {})
        yield from self._with_plain_arguments(checked, Ground.OWN_WRAPPER, "")

    def _is_registered_wrapper(self, wrapper: WrapperSpecification) -> bool:
        if self.registered is None or self.registered.entry_point != self.specification.entry_point:
            return False
        return any(
            known.entry_point == wrapper.entry_point and _same(known.kwargs, dict(wrapper.kwargs))
            for known in self.registered.additional_wrappers
        )

    def _other(self, call: _Call, otherwise: Refusal) -> Iterator[PlannedRun | Refusal]:
        """What is neither registered nor Gymnasium's: allowed by module, consented to by hash, or refused."""
        entry_point = call.entry_point
        prefix = self.permissions.prefix_of(entry_point.module)
        shipped = [piece for piece in self.code if entry_point.top_level in piece.module_names]
        found = find_installed(entry_point.top_level)
        if entry_point.is_standard_library:
            yield Refusal(
                f"{call.what} is {str(entry_point)!r}, a part of Python and no environment.",
                "Nothing allows this: do not use this data.",
            )
        elif found is not None and is_among_data(found):
            yield Refusal(
                f"{call.what} would be imported from a benchmark's own directory, and not from an installed package.",
                "Work in another directory, or ship the code as an artifact that can be consented to.",
            )
        elif prefix is not None and found is not None:
            yield from tuple(self._bad_names(call)) or (call.run(Ground.ALLOWED, prefix),)
        elif shipped:
            yield from self._with_plain_arguments(call, Ground.CONSENTED, shipped[0].sha256)
        elif found is None:
            yield Refusal(otherwise.sentence, f"{entry_point.top_level!r} is not installed here. {_INSTALL}")
        else:
            hint = f"{otherwise.hint} {_how_to_allow(entry_point)}"
            yield Refusal(otherwise.sentence, hint, may_be_allowed=True, shown=(call.shown,))

    def _imports(self) -> Iterator[PlannedRun | Refusal]:
        """All shipped code or none: its modules may import each other."""
        brought = [name for piece in self.code for name in piece.module_names]
        if len(brought) > len(set(brought)):
            yield Refusal(
                "Two pieces of the shipped code bring a module of the same name.", "Correct the data."
            )
        for piece in self.code:
            conflict = piece.conflict()
            shown = f"import of {', '.join(piece.modules)}"
            if conflict is not None:
                yield Refusal(conflict, "Code that comes with data may only bring names of its own.")
            elif piece.sha256 in self.permissions.consents:
                names = ", ".join(piece.module_names)
                yield PlannedRun(names, Ground.CONSENTED, piece.sha256, shown_line(shown), is_call=False)
            else:
                yield _without_consent(piece, shown_line(shown))

    def _with_plain_arguments(
        self, call: _Call, ground: Ground, detail: str
    ) -> Iterator[PlannedRun | Refusal]:
        """Refuse arguments that could mislead the code, unless its module is allowed to be given anything."""
        bad = [*self._bad_names(call)]
        if self.permissions.prefix_of(call.entry_point.module) is None:
            bad.extend(self._bad_values(call))
        yield from bad or (call.run(ground, detail),)

    def _bad_names(self, call: _Call) -> Iterator[Refusal]:
        for name in call.kwargs:
            if not is_argument_name(name):
                yield Refusal(
                    f"{call.what} is given an argument of the name {name!a:.80}.", "Correct the data."
                )

    def _bad_values(self, call: _Call) -> Iterator[Refusal]:
        files = self.specification.files
        for name, value in call.kwargs.items():
            if name == "render_mode":
                continue
            for objection in objections(value, self.permissions, files, call.registered.get(name)):
                hint = f"Build it yourself with the arguments you accept. {_how_to_allow(call.entry_point)}"
                if objection.hashes:
                    hint = f"Consent to the file's hash if you trust it: consent={list(objection.hashes)}. {hint}"
                sentence = f"{call.what} is given {name!a:.80}, {objection.problem}."
                yield Refusal(sentence, hint, objection.hashes, may_be_allowed=True, shown=(call.shown,))
            if call.entry_point.top_level == "gymnasium" and (problem := _excess(name, value)):
                yield Refusal(f"{call.what} is given {name!a:.80}, {problem}.", "Correct the data.")


def _limits(specification: EnvironmentSpecification) -> Iterator[Refusal]:
    name, limit = specification.environment_id, specification.max_episode_steps
    if len(name) > 200 or _ENVIRONMENT_ID.fullmatch(name) is None:
        yield Refusal(
            f"The id {name!a:.120} is not registered with Gymnasium, and cannot be.",
            "An id reads 'namespace/Name-v0', without a module before it.",
        )
    if len(specification.wrappers) > _MAX_WRAPPERS:
        yield Refusal(f"{name!a:.120} is wrapped more than {_MAX_WRAPPERS} times.", "Correct the data.")
    own = (
        wrapper.kwargs for wrapper in specification.wrappers if own_wrapper(wrapper.entry_point) is not None
    )
    if (product := multiplied(own)) > _MAX_PRODUCT:
        yield Refusal(f"The wrappers of {name!a:.120} multiply each step by {product}.", "Correct the data.")
    if limit is not None and (type(limit) is not int or not 1 <= limit <= _MAX_STEPS):
        yield Refusal(
            f"The time limit {shown_value(limit)} of {name!a:.120} is no number of steps.",
            "Correct the data.",
        )


def _is_loaded_from_data(top_level: str) -> bool:
    """Whether shipped code registered the id itself once it was imported: it still takes consent to run."""
    loaded = sys.modules.get(top_level)
    return loaded is not None and is_shipped(loaded.__spec__)


def _how_to_allow(entry_point: EntryPoint) -> str:
    top = entry_point.top_level
    return f"If you trust the installed package {top!r}, allow it: allow=({top!r},), or PYTUPLI_ALLOWED_MODULES={top}."


def _without_consent(piece: ShippedCode, shown: str) -> Refusal:
    names = ", ".join(piece.module_names)
    return Refusal(
        f"The environment's code ({names}) comes with the data, and nobody consented to run it here.",
        f"Read it, then consent to exactly this version: consent=({piece.sha256!r},).",
        (piece.sha256,),
        may_be_allowed=True,
        shown=(shown,),
    )


def _excess(name: str, value: object) -> str | None:
    if name == "desc" and _cells(value) > _MAX_MAP:
        return f"a map of more than {_MAX_MAP} cells"
    if name in _MOST and isinstance(value, int | float | np.number) and not value <= _MOST[name]:
        return f"which is more than {_MOST[name]}"
    return None


def _cells(map_: object) -> int:
    """How many cells a map has: each letter of a text is one."""
    if isinstance(map_, np.ndarray):
        letters = map_.itemsize // {"S": 1, "U": 4}.get(map_.dtype.kind, map_.itemsize or 1)
        return map_.size * max(letters, 1)
    return len(str(map_))


def _same(known: object, wanted: object) -> bool:
    """Equality that asks no object from data what it thinks it equals."""
    if type(known) is not type(wanted):
        return isinstance(known, tuple) and type(wanted) is list and _same(list(known), wanted)
    if isinstance(known, dict) and isinstance(wanted, dict):
        return known.keys() == wanted.keys() and all(_same(known[name], wanted[name]) for name in known)
    if isinstance(known, list | tuple) and isinstance(wanted, list | tuple):
        return len(known) == len(wanted) and all(map(_same, known, wanted))
    return isinstance(known, str | int | float | bool | None) and known == wanted
