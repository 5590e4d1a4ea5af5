"""How much of an account's storage each of its repositories takes (``hf repos ls``)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Repository
from pytupli_registry.server.errors import Forbidden
from pytupli_registry.server.services import organizations
from pytupli_registry.server.services.permissions import Caller, OrganizationAction

__all__ = ["StorageShare", "organization_of_member", "storage_shares"]


@dataclass(frozen=True, slots=True)
class StorageShare:
    """A repository and how much of its owner's storage it takes, in percent."""

    repository: Repository
    percent: float


def organization_of_member(session: Session, caller: Caller, name: str) -> int:
    """Return the id of an organization that the caller belongs to.

    Raises:
        NotFound, NotAuthenticated: as ``organizations.find``.
        Forbidden: the caller does not belong to it.
    """
    account = organizations.find(session, caller, name, OrganizationAction.SEE)
    caller.known()
    if account.id not in caller.roles and not caller.is_admin:
        raise Forbidden(f"Only members of {account.name} may see what its repositories take.")
    return account.id


def storage_shares(session: Session, owner_id: int, *, after: int, count: int) -> list[StorageShare]:
    """Return an account's repositories by id, the first ``count`` from behind ``after`` on."""
    total = (
        session.scalar(select(func.sum(Repository.used_storage)).where(Repository.owner_id == owner_id)) or 0
    )
    found = session.scalars(
        select(Repository)
        .where(Repository.owner_id == owner_id, Repository.id > after)
        .order_by(Repository.id)
        .limit(count)
    )
    return [StorageShare(one, 100 * one.used_storage / int(total) if total else 0.0) for one in found]
