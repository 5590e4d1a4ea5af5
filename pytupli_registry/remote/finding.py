"""``pytupli_registry.search``: what a user asks, as a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytupli_registry.hub.search import Query
from pytupli_registry.remote.search import find_datasets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytupli_registry.hub.search import Bounds
    from pytupli_registry.remote.search import Results

__all__ = ["search"]


def search(
    text: str = "",
    *,
    organization: str | None = None,
    tags: Iterable[str] = (),
    environment: str | None = None,
    space: str | None = None,
    observation: str | None = None,
    action: str | None = None,
    licence: str | None = None,
    episodes: Bounds = (None, None),
    steps: Bounds = (None, None),
    size: Bounds = (None, None),
    returns: Bounds = (None, None),
    score: Bounds = (None, None),
    quality: Mapping[str, Bounds] | None = None,
    sort: str = "updated",
    ascending: bool = False,
    limit: int = 20,
    page: int = 1,
) -> Results:
    """Find datasets on the Hub that one may read; everything given must hold.

    A Hub of ours answers all of it. Of others, repositories are listed by owner, name and tag, and what is in them is
    read; ``notes`` of the results say so.

    Args:
        text: words, each of which is in a name, an id, the environment or the description.
        organization: the owner.
        tags: tags that the repository has.
        environment: Gymnasium's id; without a version, all versions.
        space: kind of the observation space or the action space, ``box``.
        observation: kind of the observation space.
        action: kind of the action space.
        licence: as huggingface.co spells it, ``cc-by-4.0``.
        episodes: least and largest number of episodes, None for no bound.
        steps: likewise, of steps.
        size: likewise, of bytes.
        returns: likewise, of the mean return.
        score: likewise, of the mean return where the random policy has 0 and the expert 100.
        quality: likewise, of numbers by name, such as ``terminated``.
        sort: ``updated``, ``created``, ``downloads``, ``likes``, ``episodes``, ``steps``, ``size``, ``return``, ``score``.
        ascending: the smallest, or oldest, first.
        limit: how many to return.
        page: which page of so many, from 1 on.

    Raises:
        HubError: the Hub refuses, or cannot be reached.
    """
    query = Query(
        words=tuple(text.split()),
        organization=organization,
        tags=tuple(tags),
        environment=environment,
        space=space,
        observation=observation,
        action=action,
        licence=licence,
        episodes=episodes,
        steps=steps,
        size=size,
        returns=returns,
        score=score,
        quality=quality or {},
        sort=sort,
        ascending=ascending,
    )
    return find_datasets(query, limit=limit, page=page)
