"""The environment that a recipe names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytupli_registry.catalog.recipe import is_file
from pytupli_registry.environments.building import build
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.environments.registering import register_installed
from pytupli_registry.environments.requirements import check_requirements
from pytupli_registry.environments.specification import EnvironmentSpecification, WrapperSpecification
from pytupli_registry.errors import EnvironmentRefused, RequirementsMissing, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import gymnasium

    from pytupli_registry.catalog.catalog import CatalogEntry
    from pytupli_registry.catalog.recipe import Recipe, WrapperRecipe

__all__ = ["check_installed", "make_environment"]


def make_environment(found: CatalogEntry) -> gymnasium.Env[Any, Any]:
    """Build the environment of a recipe, with the files beside the recipe as paths.

    The recipe came with an installed package, and whoever asks for it allows what it names.

    Raises:
        RequirementsMissing: something is not installed; the hint is the line that installs it.
        EnvironmentRefused: nobody registered the id, or its constructor failed.
    """
    recipe = found.recipe
    check_installed(recipe)
    register_installed()
    specification = _specification(recipe, found.directory)
    points = (specification.entry_point, *(wrapper.entry_point for wrapper in specification.wrappers))
    allowed = tuple(dict.fromkeys(point.partition(":")[0].partition(".")[0] for point in points))
    return build(specification, Permissions(allowed_modules=allowed))


def check_installed(recipe: Recipe) -> None:
    """Return only if what a recipe needs is installed.

    Raises:
        RequirementsMissing: it is not; the hint names the extra of this package, where there is one.
    """
    try:
        check_requirements([(requirement, None) for requirement in recipe.requirements])
    except RequirementsMissing as error:
        if recipe.extra is None:
            raise
        hint = f"pip install 'pytupli-registry[{recipe.extra}]'"
        raise RequirementsMissing(error.message, missing=error.missing, hint=hint) from error


def _specification(recipe: Recipe, directory: Path) -> EnvironmentSpecification:
    import gymnasium  # noqa: PLC0415 - listing the catalog must not cost Gymnasium's import

    wanted = recipe.environment
    registered = gymnasium.registry.get(wanted.id)
    if registered is None or not isinstance(registered.entry_point, str):
        raise EnvironmentRefused(
            f"The environment {wanted.id!r} of {recipe.name!r} is not registered with Gymnasium.",
            hint=did_you_mean(wanted.id, gymnasium.registry) or "Install the package that registers it.",
        )
    return EnvironmentSpecification(
        wanted.id,
        registered.entry_point,
        {**registered.kwargs, **_with_paths(wanted.arguments, directory)},
        wanted.max_episode_steps or registered.max_episode_steps,
        registered.reward_threshold,
        registered.nondeterministic,
        registered.order_enforce,
        tuple(_wrapper(wrapper, directory) for wrapper in wanted.wrappers),
    )


def _wrapper(recipe: WrapperRecipe, directory: Path) -> WrapperSpecification:
    name = recipe.entry_point.partition(":")[2]
    return WrapperSpecification(name, recipe.entry_point, _with_paths(recipe.arguments, directory))


def _with_paths(arguments: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    return {name: _with_path(value, directory) for name, value in arguments.items()}


def _with_path(value: Any, directory: Path) -> Any:  # noqa: ANN401 - any JSON value
    if is_file(value):
        return directory / value["file"]
    if isinstance(value, dict):
        return _with_paths(value, directory)
    return [_with_path(part, directory) for part in value] if isinstance(value, list) else value
