"""From a permitted entry point to the class it names; its module is imported here, and nothing is called."""

from __future__ import annotations

import importlib
import inspect
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from pytupli_registry.environments.entry_points import EntryPoint, lies_within, parse_entry_point
from pytupli_registry.environments.installed import is_shipped
from pytupli_registry.environments.own_wrappers import own_wrapper
from pytupli_registry.environments.plan import Ground, PlannedRun
from pytupli_registry.errors import EnvironmentRefused, RequirementsMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytupli_registry.environments.permissions import Permissions

__all__ = ["load_environment", "load_wrapper"]

# Their functions make environments of other names, or none; only their classes may be called.
_LOADER = "shimmy"
_CLASSES_ONLY = ("gymnasium", "pytupli_registry", "minari", _LOADER)


def load_environment(run: PlannedRun, permissions: Permissions) -> Callable[..., Any]:
    """Return what makes the environment.

    A class has to be an environment. A function has to be one that an allowed module itself defines: the names that a
    module imported for its own use are no entry points.

    Raises:
        EnvironmentRefused: the module cannot be imported, or names something else.
    """
    import gymnasium  # noqa: PLC0415 - loading data must not cost Gymnasium's import

    found = _found(run)
    if isinstance(found, FunctionType) and run.detail:
        _check_origin(run, found, permissions)
        if "." in found.__qualname__:
            raise _refused(run, "is a method and no function of its module")
        if any(lies_within(found.__module__, name) for name in _CLASSES_ONLY):
            raise _refused(run, "is a function that makes other environments")
        return found
    if not (inspect.isclass(found) and issubclass(found, gymnasium.Env)):
        raise _refused(run, "is no subclass of gymnasium.Env")
    if run.ground is not Ground.REGISTERED:
        _check_origin(run, found, permissions)
    elif not run.detail and any(lies_within(base.__module__, _LOADER) for base in found.__mro__):
        raise _refused(run, "makes other environments from its arguments")
    return found


def load_wrapper(run: PlannedRun, permissions: Permissions) -> Callable[..., Any]:
    """Return the class of a wrapper.

    Raises:
        EnvironmentRefused: the module cannot be imported, or names something else.
    """
    import gymnasium  # noqa: PLC0415

    if run.ground is Ground.OWN_WRAPPER and (own := own_wrapper(run.entry_point)) is not None:
        return own
    found = _found(run)
    if not (inspect.isclass(found) and issubclass(found, gymnasium.Wrapper)):
        raise _refused(run, "is no subclass of gymnasium.Wrapper")
    if run.ground is not Ground.REGISTERED:
        _check_origin(run, found, permissions)
    return found


def _found(run: PlannedRun) -> object:
    entry_point = parse_entry_point(run.entry_point)
    module = _imported(entry_point)
    if is_shipped(module.__spec__) and run.ground is not Ground.CONSENTED:
        raise _refused(run, "is code that came with data, and not the installed module")
    found: object = module
    for name in entry_point.attributes:
        if found is not module and not inspect.isclass(found):
            raise _refused(run, f"has no {name!r}: only classes are looked into")
        found = getattr(found, name, None)
    return found


def _imported(entry_point: EntryPoint) -> ModuleType:
    try:
        return importlib.import_module(entry_point.module)
    except ModuleNotFoundError as error:
        raise RequirementsMissing(
            f"{str(entry_point)!r} cannot be imported: {error!s:.300}.",
            hint="Install what it needs, then try again; the data can be used without it.",
        ) from error
    except (Exception, SystemExit) as error:
        # Importing runs the module, which is foreign code: whatever it raises means no.
        raise EnvironmentRefused(f"{str(entry_point)!r} cannot be imported: {error!s:.300}.") from error


def _check_origin(run: PlannedRun, found: Any, permissions: Permissions) -> None:  # noqa: ANN401 - class or function
    """What is called has to be defined in what was permitted, not merely imported there."""
    module: str = found.__module__
    if run.ground is Ground.CONSENTED:
        permitted = module.partition(".")[0] == parse_entry_point(run.entry_point).top_level
        hint = "The data has to name the module that defines it."
    else:
        permitted = permissions.prefix_of(module) is not None
        hint = f"If you trust it, allow {module!r} too."
    if not permitted:
        raise _refused(run, f"is defined in {module!r}, which is not what was permitted", hint=hint)


def _refused(run: PlannedRun, problem: str, *, hint: str | None = None) -> EnvironmentRefused:
    return EnvironmentRefused(f"{run.entry_point!r} {problem}.", hint=hint)
