"""From a permitted entry point to the class it names; its module is imported here, and nothing is called."""

from __future__ import annotations

import importlib
import inspect
import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from pytupli_registry.environments.entry_points import EntryPoint, lies_within, parse_entry_point
from pytupli_registry.environments.installed import is_shipped
from pytupli_registry.environments.own_wrappers import own_wrapper
from pytupli_registry.environments.plan import Ground, PlannedRun
from pytupli_registry.errors import EnvironmentRefused, RequirementsMissing

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["load_environment", "load_wrapper"]

# Their functions make environments of other names, or none; only their classes may be called.
_CLASSES_ONLY = ("gymnasium", "pytupli_registry", "shimmy", "minari")


def load_environment(run: PlannedRun) -> Callable[..., Any]:
    """Return what makes the environment.

    A class has to be an environment. A function has to be one that the allowed module itself defines: the names that a
    module imported for its own use are no entry points.

    Raises:
        EnvironmentRefused: the module cannot be imported, or names something else.
    """
    import gymnasium  # noqa: PLC0415 - loading data must not cost Gymnasium's import

    found = _found(run)
    if isinstance(found, FunctionType) and run.ground is not Ground.REGISTERED:
        _check_origin(run, found)
        if any(lies_within(found.__module__, name) for name in _CLASSES_ONLY):
            raise _refused(run, "is a function that makes other environments")
        return found
    if not (inspect.isclass(found) and issubclass(found, gymnasium.Env)):
        raise _refused(run, "is no subclass of gymnasium.Env")
    if run.ground is not Ground.REGISTERED:
        _check_origin(run, found)
    return found


def load_wrapper(run: PlannedRun) -> Callable[..., Any]:
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
        _check_origin(run, found)
    return found


def _found(run: PlannedRun) -> object:
    entry_point = parse_entry_point(run.entry_point)
    module = _imported(entry_point)
    shipped = any(
        is_shipped(sys.modules[name].__spec__) for name in (entry_point.module, entry_point.top_level)
    )
    if shipped and run.ground is not Ground.CONSENTED:
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
    except Exception as error:
        # Importing runs the module, which is foreign code: whatever it raises means no.
        raise EnvironmentRefused(f"{str(entry_point)!r} cannot be imported: {error!s:.300}.") from error


def _check_origin(run: PlannedRun, found: Any) -> None:  # noqa: ANN401 - a class or a function
    """What is called has to be defined in what was permitted, not merely imported there."""
    module: str = found.__module__
    if run.ground is Ground.ALLOWED:
        permitted = lies_within(module, run.detail)
        hint = f"If you trust it, allow {module!r} too."
    else:
        loaded = sys.modules.get(module)
        permitted = (
            loaded is not None
            and getattr(getattr(loaded.__spec__, "loader", None), "shipped_sha256", run.detail) == run.detail
            and module.partition(".")[0] == run.entry_point.partition(":")[0].partition(".")[0]
        )
        hint = "Name the module that defines it."
    if not permitted:
        raise _refused(run, f"is defined in {module!r}, which is not what was permitted", hint=hint)


def _refused(run: PlannedRun, problem: str, *, hint: str | None = None) -> EnvironmentRefused:
    return EnvironmentRefused(f"{run.entry_point!r} {problem}.", hint=hint)
