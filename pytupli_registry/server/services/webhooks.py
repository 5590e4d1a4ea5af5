"""Webhooks: URLs that are told what happens to repositories.

An event is written down for every webhook that watches it in the transaction that makes it happen, so there is
none of what was undone, and none is lost; ``webhook_delivery`` sends them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Ref, Repository, Webhook, WebhookDelivery, WebhookWatch
from pytupli_registry.server.errors import BadRequest, NotAuthenticated, NotFound
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.permissions import Action, Caller, Ownership, allows
from pytupli_registry.server.wire.events import MovedTo, UpdatedRef, repo_of
from pytupli_registry.server.wire.names import key_of
from pytupli_registry.server.wire.webhooks import Watched, check_target

__all__ = [
    "Changes",
    "Event",
    "announce",
    "announce_lost_ref",
    "announce_move",
    "announce_new_ref",
    "announce_refs",
    "announce_repository",
    "change_webhook",
    "create_webhook",
    "delete_webhook",
    "find_webhook",
    "list_webhooks",
]

MOST_WEBHOOKS = 50
MOST_WAITING = 1000
DOMAINS = ("repo", "discussion")
VERSION = 3


@dataclass(frozen=True, slots=True)
class Changes:
    """What a webhook shall be; None leaves a part as it is."""

    url: str | None = None
    watched: list[Watched] | None = None
    domains: list[str] | None = None
    secret: str | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a repository.

    Attributes:
        action: ``create``, ``update``, ``move`` or ``delete``.
        scope: what it happened to: ``repo``, ``repo.content``, ``repo.config``, ``discussion``,
            ``discussion.comment``.
        parts: further members of the payload; their URLs begin with the path.
    """

    action: str
    scope: str
    parts: dict[str, Any] = field(default_factory=dict)


def list_webhooks(session: Session, caller: Caller) -> list[Webhook]:
    """Return the caller's webhooks, oldest first.

    Raises:
        NotAuthenticated: nobody is logged in.
    """
    user_id = caller.known()
    return list(
        session.scalars(
            select(Webhook).where(Webhook.user_id == user_id).order_by(Webhook.created_at, Webhook.id)
        )
    )


def find_webhook(session: Session, caller: Caller, webhook_id: str) -> Webhook:
    """Return one of the caller's webhooks.

    Raises:
        NotAuthenticated: nobody is logged in.
        NotFound: the caller has none of that id.
    """
    user_id = caller.known()
    webhook = session.get(Webhook, webhook_id) if webhook_id.isalnum() else None
    if webhook is None or webhook.user_id != user_id:
        raise NotFound(f"There is no webhook {webhook_id[:40]!r}.")
    return webhook


def create_webhook(
    session: Session, caller: Caller, said: Changes, *, base_url: str, hosts: tuple[str, ...]
) -> Webhook:
    """Create a webhook.

    Args:
        session: must write.
        caller: whose it becomes.
        said: URL and what is watched must be there; without domains it is told of everything.
        base_url: what the caller calls this Hub.
        hosts: the hosts that webhooks may call, as the settings say.

    Raises:
        NotAuthenticated, Forbidden: nobody is logged in, or with a token that may only read.
        BadRequest: no URL, one that may not be called, nothing to watch, or too many webhooks.
    """
    user_id = caller.writer()
    if said.url is None or not said.watched:
        raise BadRequest("A webhook needs a 'url' and something 'watched'.")
    existing = session.scalar(select(func.count()).where(Webhook.user_id == user_id)) or 0
    if existing >= MOST_WEBHOOKS:
        raise BadRequest(f"You have {existing} webhooks already. Delete one first.")
    webhook = Webhook(
        id=secrets.token_hex(12),
        user_id=user_id,
        url=said.url,
        watched=[],
        domains=list(DOMAINS),
        base_url=base_url,
    )
    session.add(webhook)
    _apply(session, webhook, said, hosts)
    return webhook


def change_webhook(
    session: Session, caller: Caller, webhook_id: str, said: Changes, *, hosts: tuple[str, ...]
) -> Webhook:
    """Change a webhook.

    Raises:
        NotAuthenticated, Forbidden, NotFound: as :func:`create_webhook` and :func:`find_webhook`.
        BadRequest: as :func:`create_webhook`.
    """
    caller.writer()
    webhook = find_webhook(session, caller, webhook_id)
    _apply(session, webhook, said, hosts)
    return webhook


def delete_webhook(session: Session, caller: Caller, webhook_id: str) -> None:
    """Delete a webhook, and what it was still to be told.

    Raises:
        NotAuthenticated, Forbidden, NotFound: as :func:`change_webhook`.
    """
    caller.writer()
    webhook = find_webhook(session, caller, webhook_id)
    session.execute(delete(Webhook).where(Webhook.id == webhook.id))


def _apply(session: Session, webhook: Webhook, said: Changes, hosts: tuple[str, ...]) -> None:
    if said.url is not None:
        check_target(said.url, hosts)
        webhook.url = said.url
    if said.domains:
        webhook.domains = _domains(said.domains)
    if said.secret is not None:
        webhook.secret = _secret(said.secret) or None
    if said.disabled is not None:
        webhook.disabled = said.disabled
    session.flush()
    if webhook.disabled:
        session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id))
    if said.watched:
        _watch(session, webhook, said.watched)


def _secret(secret: str) -> str:
    if not secret.isascii() or not (secret.isprintable() and secret == secret.strip()):
        raise BadRequest(
            "A webhook's secret travels in a header: use printable ASCII without blanks around it."
        )
    return secret


def _domains(domains: list[str]) -> list[str]:
    unknown = [domain for domain in domains if domain not in DOMAINS]
    if unknown:
        raise BadRequest(f"The domain {unknown[0][:40]!r} is unknown: use 'repo' or 'discussion'.")
    return [domain for domain in DOMAINS if domain in domains]


def _watch(session: Session, webhook: Webhook, watched: list[Watched]) -> None:
    webhook.watched = [{"type": one.type, "name": one.name} for one in watched]
    session.execute(delete(WebhookWatch).where(WebhookWatch.webhook_id == webhook.id))
    names = sorted({(one.type, key_of(one.name)) for one in watched})
    session.add_all(WebhookWatch(webhook_id=webhook.id, type=type_, name_key=name) for type_, name in names)
    session.flush()


def announce(session: Session, repository: Repository, event: Event) -> None:
    """Write an event down for every webhook that watches ``repository`` and whose owner may see it."""
    domain = event.scope.partition(".")[0]
    for webhook in _watching(session, repository):
        if domain in webhook.domains and _may_know(session, webhook, repository):
            payload = _payload(webhook, repository, event)
            session.add(WebhookDelivery(webhook_id=webhook.id, payload=payload))
    session.flush()


def announce_repository(session: Session, repository: Repository, action: str) -> None:
    """Tell that a repository was created (``create``), is about to be deleted, or its settings changed (``update``)."""
    announce(session, repository, Event(action, "repo.config" if action == "update" else "repo"))


def announce_move(session: Session, repository: Repository, new_name: str, new_owner_id: int) -> None:
    """Tell that a repository is about to have another name, ``namespace/name``."""
    moved = MovedTo(new_name, new_owner_id)
    announce(session, repository, Event("move", "repo", {"movedTo": moved.shown()}))


def announce_refs(session: Session, repository: Repository, updated: Iterable[UpdatedRef]) -> None:
    """Tell that branches, tags or pull requests point at other commits."""
    refs = list(updated)
    parts: dict[str, Any] = {"updatedRefs": [ref.shown() for ref in refs]}
    main = [ref.new_oid for ref in refs if ref.name == "refs/heads/main"]
    if main and main[0]:
        parts["headSha"] = main[0]
    announce(session, repository, Event("update", "repo.content", parts))


def announce_new_ref(session: Session, repository: Repository, name: str) -> None:
    """Tell that a branch or tag was created."""
    announce_refs(session, repository, [UpdatedRef(name, None, _oid(session, repository, name))])


def announce_lost_ref(session: Session, repository: Repository, name: str) -> None:
    """Tell that a branch or tag is about to be deleted."""
    announce_refs(session, repository, [UpdatedRef(name, _oid(session, repository, name), None)])


def _oid(session: Session, repository: Repository, name: str) -> str | None:
    return session.scalar(select(Ref.commit_oid).where(Ref.repository_id == repository.id, Ref.name == name))


def _watching(session: Session, repository: Repository) -> list[Webhook]:
    owner = repository.owner
    account = "user" if owner.kind == "user" else "org"
    watches = select(WebhookWatch.webhook_id).where(
        or_(
            (WebhookWatch.type == repository.type) & (WebhookWatch.name_key == key_of(repository.full_name)),
            (WebhookWatch.type == account) & (WebhookWatch.name_key == owner.name_key),
        )
    )
    waiting = (
        select(func.count(WebhookDelivery.id))
        .where(WebhookDelivery.webhook_id == Webhook.id)
        .correlate(Webhook)
        .scalar_subquery()
    )
    return list(
        session.scalars(
            select(Webhook)
            .where(Webhook.id.in_(watches), Webhook.disabled.is_(False), waiting < MOST_WAITING)
            .order_by(Webhook.id)
        )
    )


def _may_know(session: Session, webhook: Webhook, repository: Repository) -> bool:
    ownership = Ownership(repository.owner_id, repository.visibility, repository.created_by)
    try:
        owner = caller_of_user(session, webhook.user_id)
    except NotAuthenticated:
        return False  # disabled
    return allows(owner, ownership, Action.SEE)


def _payload(webhook: Webhook, repository: Repository, event: Event) -> dict[str, Any]:
    parts = dict(event.parts)
    repo = repo_of(
        id_=repository.id,
        type_=repository.type,
        name=repository.full_name,
        private=repository.visibility == "private",
        owner_id=repository.owner_id,
    )
    if "headSha" in parts:
        repo["headSha"] = parts.pop("headSha")
    payload = {
        "event": {"action": event.action, "scope": event.scope},
        "repo": repo,
        "webhook": {"id": webhook.id, "version": VERSION},
        **parts,
    }
    return {name: _with_base(part, webhook.base_url) for name, part in payload.items()}


def _with_base(part: Any, base: str) -> Any:  # noqa: ANN401 - any JSON
    """Return ``part`` with the URLs in it made absolute."""
    if not isinstance(part, dict) or "url" not in part:
        return part
    return {**part, "url": {kind: f"{base}{path}" for kind, path in part["url"].items()}}
