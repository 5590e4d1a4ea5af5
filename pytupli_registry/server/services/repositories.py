"""Repositories: finding them for a caller, making, moving and deleting them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager

from pytupli_registry.server.database.schema import Account, Organization, Redirect, Ref, Repository, now
from pytupli_registry.server.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GatedRepo,
    Moved,
    NotAuthenticated,
    NotFound,
    RepoNotFound,
)
from pytupli_registry.server.services import access_requests, organizations
from pytupli_registry.server.services.accounts import find_account
from pytupli_registry.server.services.commits import commit_initial
from pytupli_registry.server.services.datasets.addresses import check_unused, keep_addresses
from pytupli_registry.server.services.permissions import (
    MAY_CREATE,
    PASSES_GATES,
    Action,
    Caller,
    Ownership,
    Role,
    allows,
    standing_of,
)
from pytupli_registry.server.services.webhooks import announce_move, announce_repository
from pytupli_registry.server.wire.names import RepoId, RepoType, check_repo_name, key_of

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = [
    "Changes",
    "change_settings",
    "create",
    "delete_repository",
    "find",
    "lookup",
    "move",
    "namespace_for",
]

VISIBILITIES = ("public", "private")
GATES = {False: "no", "auto": "auto", "manual": "manual"}


# Nearly every request asks this: it is built once, which takes longer than asking.
_NAMED = (
    select(Repository)
    .join(Repository.owner)
    .where(
        Repository.type == bindparam("type"),
        Account.name_key == bindparam("namespace"),
        Repository.name_key == bindparam("name"),
    )
    .options(contains_eager(Repository.owner))
)


def lookup(session: Session, repo_id: RepoId) -> Repository | None:
    """Return the repository of that id, whoever asks; None if there is none."""
    names = {"namespace": key_of(repo_id.namespace), "name": key_of(repo_id.name)}
    return session.scalar(_NAMED, {"type": repo_id.type.value, **names})


def find(session: Session, caller: Caller, repo_id: RepoId, action: Action) -> Repository:
    """Return the repository, if ``caller`` may do ``action`` to it.

    Raises:
        Moved: it has another name now (told only to those who may see it).
        RepoNotFound: there is none, or none the caller may know of.
        NotAuthenticated: it can be seen, but ``action`` needs a user.
        Forbidden: it can be seen, but the caller may not do this.
        GatedRepo: its files are given on request.
    """
    repository = lookup(session, repo_id)
    # What may not be seen is looked for as long as what does not exist: answers take the same time.
    if repository is None or not allows(caller, ownership_of(repository), Action.SEE):
        raise _moved_or_missing(session, caller, repo_id)
    check(session, caller, repository, action)
    return repository


def check(session: Session, caller: Caller, repository: Repository, action: Action) -> None:
    """Raise unless ``caller`` may do ``action``; see :func:`find`."""
    ownership = ownership_of(repository)
    if not allows(caller, ownership, Action.SEE):
        raise missing()
    if not allows(caller, ownership, action):
        raise _refusal(caller, repository, action)
    if action is Action.READ:
        check_gate(session, caller, repository)


def check_gate(session: Session, caller: Caller, repository: Repository) -> None:
    """Raise GatedRepo if the files of ``repository`` are not given to ``caller``."""
    if repository.gated == "no" or standing_of(caller, ownership_of(repository)) in PASSES_GATES:
        return
    if caller.user_id is None or not access_requests.has_access(session, repository.id, caller.user_id):
        name = repository.full_name
        raise GatedRepo(
            f"Access to {repository.type} {name} is restricted and you are not in the authorized list. "
            f"Visit its page to ask for access."
        )


def ownership_of(repository: Repository) -> Ownership:
    """Return what decides about access to a repository."""
    return Ownership(repository.owner_id, repository.visibility, repository.created_by)


def missing() -> RepoNotFound:
    """Return the one answer for what does not exist and for what may not be seen."""
    return RepoNotFound("Repository not found")


def _refusal(caller: Caller, repository: Repository, action: Action) -> Forbidden | NotAuthenticated:
    if not caller.is_known:
        return NotAuthenticated(f"Log in first: you may not {action} {repository.full_name} anonymously.")
    if not caller.writes:
        return Forbidden("This access token may only read. Use one with the role 'write'.")
    return Forbidden(
        f"You may not {action} {repository.type} {repository.full_name}. Ask an admin of "
        f"{repository.owner.name} for a role that may."
    )


def _moved_or_missing(session: Session, caller: Caller, repo_id: RepoId) -> Moved | RepoNotFound:
    repository = session.scalar(
        select(Repository)
        .join(Redirect, Redirect.repository_id == Repository.id)
        .where(
            Redirect.type == repo_id.type.value,
            Redirect.namespace_key == key_of(repo_id.namespace),
            Redirect.name_key == key_of(repo_id.name),
        )
    )
    if repository is None or not allows(caller, ownership_of(repository), Action.SEE):
        return missing()
    return Moved(str(repo_id), repository.full_name)


def namespace_for(session: Session, caller: Caller, name: str | None) -> Account:
    """Return the account in which ``caller`` may create a repository.

    Raises:
        NotAuthenticated: nobody is logged in.
        Forbidden: a read token, or not one's own namespace nor an organization where one may create.
        NotFound: no such namespace, or an organization that one may not know of.
    """
    user_id = caller.writer()
    account = find_account(session, name or caller.name)
    if account is None or not organizations.is_known_to(session, caller, account):
        raise NotFound(f"There is no user or organization {name!r:.100}.")
    if account.id == user_id or caller.is_admin:
        return account
    role = caller.roles.get(account.id)
    if role in MAY_CREATE:
        return account
    if role is None:
        raise Forbidden(f"You may not create repositories in the namespace {account.name!r}.")
    raise Forbidden(
        f"You have the role '{role}' in {account.name!r}, which may not create repositories. "
        "Ask one of its admins for the role 'contributor'."
    )


def create(
    session: Session,
    hub: Hub,
    caller: Caller,
    repo_id: RepoId,
    *,
    visibility: str | None,
    sdk: str | None = None,
) -> Repository:
    """Create a repository with the branch ``main`` and its first commit.

    Raises:
        BadRequest: a name that breaks the rules.
        Conflict: there is one of that name already, or Minari's ids still use the name.
        NotAuthenticated, Forbidden, NotFound: as :func:`namespace_for`.
    """
    owner = namespace_for(session, caller, repo_id.namespace)
    name = check_repo_name(repo_id.name)
    if lookup(session, repo_id) is not None:
        raise Conflict(f"You already created this {repo_id.type} repo: {repo_id}")
    check_unused(session, hub, repo_id)
    _forget_redirects(session, repo_id)
    repository = Repository(
        type=repo_id.type.value,
        owner_id=owner.id,
        name=name,
        name_key=key_of(name),
        visibility=visibility or _default_visibility(session, owner),
        created_by=caller.user_id,
        sdk=sdk,
    )
    session.add(repository)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"You already created this {repo_id.type} repo: {repo_id}") from error
    commit_initial(session, hub, repository, caller)
    announce_repository(session, repository, "create")
    return repository


def _default_visibility(session: Session, owner: Account) -> str:
    chosen = session.scalar(
        select(Organization.default_visibility).where(Organization.account_id == owner.id)
    )
    return chosen or "public"


def _forget_redirects(session: Session, repo_id: RepoId) -> None:
    session.execute(
        delete(Redirect).where(
            Redirect.type == repo_id.type.value,
            Redirect.namespace_key == key_of(repo_id.namespace),
            Redirect.name_key == key_of(repo_id.name),
        )
    )


def delete_repository(session: Session, caller: Caller, repo_id: RepoId) -> Repository:
    """Delete a repository with its history; blobs that no other repository has go with the next gc.

    Raises:
        RepoNotFound, NotAuthenticated, Forbidden: as :func:`find`.
    """
    repository = find(session, caller, repo_id, Action.ADMINISTER)
    announce_repository(session, repository, "delete")
    session.execute(delete(Repository).where(Repository.id == repository.id))
    return repository


def move(session: Session, hub: Hub, caller: Caller, source: RepoId, target: RepoId) -> Repository:
    """Give a repository another name or owner; the old name leads to it from now on.

    Raises:
        RepoNotFound, NotAuthenticated, Forbidden: as :func:`find`, and as :func:`namespace_for` for the target.
        Conflict: there is one of the new name, or one where Minari's ids would lead.
        BadRequest: a name that breaks the rules.
    """
    repository = find(session, caller, source, Action.ADMINISTER)
    owner = namespace_for(session, caller, target.namespace)
    check_repo_name(target.name)
    there = lookup(session, target)
    if there is not None and there.id != repository.id:
        raise Conflict(f"A {target.type} repository called {target} already exists")
    check_unused(session, hub, target, besides=repository.id)
    keep_addresses(session, hub, repository, target)
    announce_move(session, repository, f"{owner.name}/{target.name}", owner.id)
    old_namespace = repository.owner.name
    _forget_redirects(session, target)
    _forget_redirects(session, source)
    if (key_of(old_namespace), repository.name_key) != (owner.name_key, key_of(target.name)):
        session.add(
            Redirect(
                type=repository.type,
                namespace_key=key_of(old_namespace),
                name_key=repository.name_key,
                repository_id=repository.id,
            )
        )
    session.execute(
        update(Repository)
        .where(Repository.id == repository.id)
        .values(owner_id=owner.id, name=target.name, name_key=key_of(target.name))
    )
    session.flush()
    session.expire(repository)
    return repository


@dataclass(frozen=True, slots=True)
class Changes:
    """New settings of a repository; None leaves a setting as it is."""

    visibility: str | None = None
    gated: str | None = None


def change_settings(session: Session, caller: Caller, repo_id: RepoId, changes: Changes) -> Repository:
    """Change visibility or gate.

    Raises:
        RepoNotFound, NotAuthenticated, Forbidden: as :func:`find`.
        BadRequest: an unknown visibility or gate.
    """
    repository = find(session, caller, repo_id, Action.ADMINISTER)
    if changes.visibility is not None:
        repository.visibility = check_visibility(changes.visibility)
    if changes.gated is not None:
        repository.gated = changes.gated
    repository.updated_at = now()
    session.flush()
    announce_repository(session, repository, "update")
    return repository


def check_visibility(visibility: str) -> str:
    """Return ``visibility`` if it is one.

    Raises:
        BadRequest: it is none.
    """
    if visibility not in VISIBILITIES:
        raise BadRequest(f"The visibility {visibility[:40]!r} is unknown: use 'public' or 'private'.")
    return visibility


def repo_id_of(repository: Repository) -> RepoId:
    """Return the id of a repository."""
    return RepoId(RepoType(repository.type), repository.owner.name, repository.name)


def may_admin_namespace(caller: Caller, account: Account) -> bool:
    """Return whether ``caller`` administers a namespace."""
    return caller.is_admin or account.id == caller.user_id or caller.roles.get(account.id) is Role.ADMIN


def head_of(session: Session, repository_id: int, branch: str = "main") -> str | None:
    """Return the commit that a branch points at."""
    return session.scalar(
        select(Ref.commit_oid).where(Ref.repository_id == repository_id, Ref.name == f"refs/heads/{branch}")
    )
