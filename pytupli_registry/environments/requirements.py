"""What has to be installed to build an environment: looked up, and told as a line for pip.

Requirements come from data, and the line is meant to be pasted into a shell. So a requirement is a name, extras and
versions, and nothing else that pip would understand: no address, no path, no option.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from pytupli_registry.environments.entry_points import lies_within
from pytupli_registry.environments.installed import SITES, find_installed, location_of
from pytupli_registry.errors import FormatError, RequirementsMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["check_requirements", "parse_requirement", "requirements_of"]

_MAX_CHARACTERS = 200
_MAX_REQUIREMENTS = 100
_MAX_DEPTH = 3  # extras that ask for extras
# Gymnasium's own environments that need one certain distribution. Others can be had from several: Box2D, OpenCV.
_NEEDED_BY = {"gymnasium.envs.mujoco": "mujoco"}
# What pip takes as name, extras and versions, in plain letters; packaging reads the rest of the grammar.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._, -]*\])?[ A-Za-z0-9.*+!,<>=~_-]*", re.ASCII)


def check_requirements(requirements: Iterable[tuple[str, str | None]]) -> None:
    """Return only if everything is installed, in a version that fits, with what its extras ask for.

    Args:
        requirements: each as pip takes it, and the version that was installed where it was written down, or None.

    Raises:
        RequirementsMissing: something is not installed or does not fit; the hint is the line that installs it.
        FormatError: one is more than a name, extras and versions.
    """
    wanted = [(parse_requirement(text), recorded) for text, recorded in requirements]
    if len(wanted) > _MAX_REQUIREMENTS:
        raise FormatError("requirements", f"there are more than {_MAX_REQUIREMENTS} of them")
    problems = {str(requirement): problem for requirement, _ in wanted if (problem := _problem(requirement))}
    if not problems:
        return
    said = "; ".join(
        problem + (f" (made with {recorded:.40})" if recorded and recorded.isprintable() else "")
        for requirement, recorded in wanted
        if (problem := problems.get(str(requirement)))
    )
    line = " ".join(
        shlex.quote(_written(requirement)) for requirement, _ in wanted if str(requirement) in problems
    )
    raise RequirementsMissing(
        f"The environment needs what is not installed here: {said}.",
        missing=tuple(problems),
        hint=f"pip install {line}",
    )


def parse_requirement(text: str) -> Requirement:
    """Read a requirement that is a name, extras and versions.

    Raises:
        FormatError: it is anything else that pip would take, or nothing.
    """
    try:
        if len(text) <= _MAX_CHARACTERS and _PLAIN.fullmatch(text):
            requirement = Requirement(text)
            if requirement.url is None and requirement.marker is None:
                return requirement
    except InvalidRequirement:
        pass
    raise FormatError(
        "requirements",
        f"{text!a:.120} is no requirement of a name, extras and versions",
        hint="Only packages by name are asked for: no address, no path, no option.",
    )


def requirements_of(modules: Iterable[str]) -> list[tuple[str, str | None]]:
    """Return the distributions that modules come from, and Gymnasium: each as a requirement, and its version here.

    Modules that no distribution provides, such as a script's, give none. Nothing is imported.
    """
    named = ["gymnasium", *modules]
    named += [
        needed for module in named for package, needed in _NEEDED_BY.items() if lies_within(module, package)
    ]
    providers = importlib.metadata.packages_distributions()
    names = {}
    for top in dict.fromkeys(module.partition(".")[0] for module in named):
        for distribution in _providers(top, providers.get(top, ())):
            names[canonicalize_name(distribution.metadata["Name"])] = distribution
    return [_requirement_of(name, distribution.version) for name, distribution in names.items()]


def _requirement_of(name: str, version: str) -> tuple[str, str]:
    try:
        public = Version(version).public  # without what only one machine's build has: 2.1.0+cpu
    except InvalidVersion:
        return name, version
    return f"{name}>={public}", version


def _providers(top_level: str, recorded: Iterable[str]) -> Iterator[importlib.metadata.Distribution]:
    """Distributions that a module really comes from: a script may have the name of somebody's package.

    Records of editable installs often list no module, so every one of them is asked where it was installed from.
    """
    spec = find_installed(top_level)
    location = None if spec is None else location_of(spec)
    if location is None:
        return
    for name in dict.fromkeys(recorded):
        distribution = importlib.metadata.distribution(name)
        if Path(str(distribution.locate_file(""))).resolve() == location:
            yield distribution
    if SITES.isdisjoint(location.parts):  # not in a virtual environment that lies within a project
        yield from _installed_around(location)


def _installed_around(location: Path) -> Iterator[importlib.metadata.Distribution]:
    """The editable install whose directory is the nearest around a module: projects may lie within each other."""
    around: dict[Path, importlib.metadata.Distribution] = {}
    for distribution in importlib.metadata.distributions():
        directory = _installed_from(distribution)
        if directory is not None and location.is_relative_to(directory):
            around.setdefault(directory, distribution)
    if around:
        yield around[max(around, key=lambda directory: len(directory.parts))]


def _installed_from(distribution: importlib.metadata.Distribution) -> Path | None:
    """The directory of an editable install, as PEP 610 records it."""
    try:
        recorded = json.loads(distribution.read_text("direct_url.json") or "{}")
        editable = recorded.get("dir_info", {}).get("editable", False)
        return Path(unquote(urlsplit(recorded["url"]).path)).resolve() if editable else None
    except (ValueError, KeyError, AttributeError):
        return None


def _problem(requirement: Requirement, depth: int = 0) -> str | None:
    try:
        distribution = importlib.metadata.distribution(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    if not _fits(distribution.version, requirement):
        return (
            f"{requirement.name} {distribution.version} is installed, and {requirement.specifier} is needed"
        )
    return None if depth >= _MAX_DEPTH else _problem_of_extras(distribution, requirement, depth)


def _fits(version: str, requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:  # from before versions had rules: only what asks for none in particular fits
        return not requirement.specifier


def _problem_of_extras(
    distribution: importlib.metadata.Distribution, requirement: Requirement, depth: int
) -> str | None:
    known = {canonicalize_name(extra) for extra in distribution.metadata.get_all("Provides-Extra") or ()}
    for extra in sorted(requirement.extras):
        if canonicalize_name(extra) not in known:
            return f"{requirement.name} knows no extra [{extra}]"
        for inner in _required_by(distribution):
            if _belongs_to(inner, extra) and (problem := _problem(inner, depth + 1)):
                return f"{requirement.name}[{extra}]: {problem}"
    return None


def _required_by(distribution: importlib.metadata.Distribution) -> Iterator[Requirement]:
    for text in distribution.requires or ():
        with suppress(InvalidRequirement):  # an old package's; pip itself would not read it
            yield Requirement(text)


def _belongs_to(requirement: Requirement, extra: str) -> bool:
    """Whether a distribution asks for this because of the extra, on this Python and platform."""
    if requirement.marker is None:
        return False
    try:
        return requirement.marker.evaluate({"extra": extra}) and not requirement.marker.evaluate(
            {"extra": ""}
        )
    except UndefinedEnvironmentName:
        return False


def _written(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"
