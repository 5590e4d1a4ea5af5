"""The names by which Minari's ids call a repository, besides its own: a redirect has to lead from each of them.

``minari list remote`` takes the repository from the first part of every id that a namespace file lists. An id
whose repository is not found ends the listing for the whole organization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Account, Redirect, Ref, Repository
from pytupli_registry.server.errors import Conflict
from pytupli_registry.server.services.datasets.snapshot import Snapshot
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH, tree_of
from pytupli_registry.server.wire.minari import (
    NAMESPACE_FILE,
    NAMESPACE_LIMIT,
    NamespaceError,
    NamespaceFile,
)
from pytupli_registry.server.wire.names import RepoId, RepoType, key_of

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["check_unused", "keep_addresses"]

MAIN = f"refs/heads/{DEFAULT_BRANCH}"


def check_unused(session: Session, hub: Hub, repo_id: RepoId, *, besides: int | None = None) -> None:
    """Raise unless the name may become another repository's: a former name is free, but not if ids use it.

    Args:
        session: where repositories are.
        hub: where their files are.
        repo_id: the wanted name.
        besides: a repository that may have the name, as it was its own before.

    Raises:
        Conflict: ids of a namespace that was renamed begin with it.
    """
    if repo_id.type is not RepoType.DATASET:
        return
    former = session.scalar(
        select(Repository)
        .join(Redirect, Redirect.repository_id == Repository.id)
        .join(Account, Account.id == Repository.owner_id)
        .where(
            Redirect.type == repo_id.type.value,
            Redirect.namespace_key == key_of(repo_id.namespace),
            Redirect.name_key == key_of(repo_id.name),
            Account.name_key == key_of(repo_id.namespace),
        )
    )
    if (
        former is None
        or former.id == besides
        or key_of(repo_id.name) not in _names_in_ids(session, hub, former)
    ):
        return
    raise Conflict(
        f"{repo_id} is the former name of a namespace, and ids of its datasets still begin with {repo_id.name!r}: "
        "`minari list remote` would not find them any more. Choose another name, or upload those datasets "
        "again with ids that begin with the namespace's new name and delete the old ones."
    )


def keep_addresses(session: Session, hub: Hub, repository: Repository, target: RepoId) -> None:
    """Let the names in a repository's ids lead to it where it moves; call it before it does.

    Raises:
        Conflict: another repository there has one of these names.
    """
    if repository.type != RepoType.DATASET or key_of(target.namespace) == repository.owner.name_key:
        return
    for name in sorted(_names_in_ids(session, hub, repository) - {key_of(target.name)}):
        _let_lead(session, hub, repository, RepoId(target.type, target.namespace, name))


def _let_lead(session: Session, hub: Hub, repository: Repository, old: RepoId) -> None:
    namespace, name = key_of(old.namespace), key_of(old.name)
    taken = session.scalar(
        select(Repository.id)
        .join(Account, Account.id == Repository.owner_id)
        .where(Repository.type == repository.type, Account.name_key == namespace, Repository.name_key == name)
    )
    if taken is not None:
        raise Conflict(
            f"Ids of datasets in {repository.full_name} begin with {old.name!r}, and {old.namespace} has another "
            f"repository of that name, where Minari would look for them. Move it as {old} after renaming that one."
        )
    check_unused(session, hub, old, besides=repository.id)
    there = session.get(Redirect, (repository.type, namespace, name))
    if there is not None:
        there.repository_id = repository.id
    else:
        redirect = Redirect(
            type=repository.type, namespace_key=namespace, name_key=name, repository_id=repository.id
        )
        session.add(redirect)
    session.flush()


def _names_in_ids(session: Session, hub: Hub, repository: Repository) -> frozenset[str]:
    head = session.get(Ref, (repository.id, MAIN))
    if head is None:
        return frozenset()
    tree = tree_of(session, repository.id, head.commit_oid)
    content = Snapshot(session, hub, tree).read(NAMESPACE_FILE, NAMESPACE_LIMIT)
    try:
        listed = NamespaceFile.read(content).datasets if content is not None else ()
    except NamespaceError:
        return frozenset()
    former = session.scalars(select(Redirect.name_key).where(Redirect.repository_id == repository.id))
    named = {key_of(dataset_id.partition("/")[0]) for dataset_id in listed}
    return frozenset(named & {repository.name_key, *former})
