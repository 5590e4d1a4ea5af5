"""Super-squash: a branch keeps its files and forgets how they came about."""

from __future__ import annotations

from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Repository
from pytupli_registry.server.services.commits import touch, write_commit
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.services.refs import lock_ref, move_ref
from pytupli_registry.server.services.revisions import not_found, tree_of, writable_ref
from pytupli_registry.server.services.webhooks import announce_refs
from pytupli_registry.server.wire.events import UpdatedRef

__all__ = ["super_squash"]


def super_squash(
    session: Session, repository: Repository, caller: Caller, revision: str, message: str
) -> str:
    """Replace the history of a branch or pull request by one commit, and return its id.

    What no other ref leads to goes with gc, after its grace period.

    Raises:
        RevisionNotFound: there is no such branch; tags and commits cannot be squashed.
    """
    ref = writable_ref(revision)
    head = lock_ref(session, repository.id, ref)
    if head is None:
        raise not_found(revision)
    title, _, rest = message.strip().partition("\n")
    tree = tree_of(session, repository.id, head)
    oid = write_commit(session, repository.id, caller, tree, (), title.strip(), rest.strip())
    move_ref(session, repository.id, ref, head, oid)
    announce_refs(session, repository, [UpdatedRef(ref, head, oid)])
    touch(session, repository, ref)
    return oid
