"""A Hub with very many repositories, written straight into its database with the services' own git objects."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from servers import ADMIN
from sqlalchemy import insert, select

from pytupli_registry.server.database.schema import (
    Account,
    Commit,
    GitBlob,
    Membership,
    Organization,
    Ref,
    Repository,
    RepositoryTag,
    Tree,
    User,
    now,
)
from pytupli_registry.server.services.tokens import create_token
from pytupli_registry.server.wire.git import (
    DIRECTORY,
    FILE,
    CommitObject,
    TreeEntry,
    object_id,
    serialize_tree,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.server.services.hub import Hub

AT_A_TIME = 200  # repositories in a transaction
OWNERS = 20
MEMBER_OF = OWNERS // 2  # whose repositories are private; the user who measures is a member
MINARI = "minari"
MINARI_REPOSITORIES = 50
MINARI_DATASETS = 10


@dataclass
class Rows:
    """Rows that wait to be inserted, by table."""

    rows: dict[type[Any], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: type[Any], **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)

    def write(self, hub: Hub) -> None:
        order = [
            Account,
            User,
            Organization,
            Membership,
            Repository,
            RepositoryTag,
            GitBlob,
            Tree,
            Commit,
            Ref,
        ]
        with hub.database.write() as session:
            for table in sorted(self.rows, key=order.index):
                session.execute(insert(table.__table__), self.rows[table])
        self.rows.clear()


@dataclass
class Population:
    """Writes repositories one after the other."""

    hub: Hub
    rows: Rows = field(default_factory=Rows)
    seen: set[str] = field(default_factory=set)
    number: int = 1000

    def organization(self, name: str) -> int:
        """Add an organization with public members and return its id."""
        self.number += 1
        key = name.lower()
        self.rows.add(
            Account, id=self.number, kind="organization", name=name, name_key=key, full_name="", details=""
        )
        self.rows.add(Organization, account_id=self.number, default_visibility="public", members_public=True)
        return self.number

    def repository(
        self, owner: int, name: str, files: Mapping[str, bytes], visibility: str = "public"
    ) -> None:
        """Add a dataset repository with one commit."""
        self.number += 1
        time = now()
        tree = self.tree({path: TreeEntry(FILE, self.blob(content)) for path, content in files.items()})
        commit = CommitObject(tree, (), ADMIN, CommitObject.clock(), "initial commit")
        self.rows.add(
            Repository,
            id=self.number,
            type="dataset",
            owner_id=owner,
            name=name,
            name_key=name.lower(),
            visibility=visibility,
            gated="no",
            created_at=time,
            updated_at=time,
            card={"license": "mit"},
        )
        self.rows.add(
            RepositoryTag, repository_id=self.number, tag="license:mit", tag_key="license:mit", position=0
        )
        self.rows.add(
            Commit,
            repository_id=self.number,
            oid=commit.oid,
            tree_oid=tree,
            title=commit.title,
            author_name=ADMIN,
            created_at=commit.created_at,
            raw=commit.serialize(),
        )
        self.rows.add(Ref, repository_id=self.number, name="refs/heads/main", commit_oid=commit.oid)
        if len(self.rows.rows[Repository]) >= AT_A_TIME:
            self.rows.write(self.hub)

    def blob(self, content: bytes) -> str:
        """Add a small file and return its id."""
        oid = object_id("blob", content)
        if oid not in self.seen:
            self.seen.add(oid)
            self.rows.add(GitBlob, oid=oid, size=len(content), lfs=False, sha256=None, content=content)
        return oid

    def tree(self, files: Mapping[str, TreeEntry]) -> str:
        """Add the trees of files by path and return the root's id."""
        entries: dict[str, TreeEntry] = {}
        below: dict[str, dict[str, TreeEntry]] = {}
        for path, entry in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = entry
            else:
                entries[name] = entry
        entries |= {name: TreeEntry(DIRECTORY, self.tree(inside)) for name, inside in below.items()}
        raw = serialize_tree(entries)
        oid = object_id("tree", raw)
        if oid not in self.seen:
            self.seen.add(oid)
            self.rows.add(Tree, oid=oid, raw=raw)
        return oid


def populate(hub: Hub, repositories: int, files: int) -> str:
    """Write repositories with so many files each, half of them private, and return the token of their reader."""
    population = Population(hub)
    owners = [population.organization(f"org-{number}") for number in range(OWNERS)]
    population.rows.write(hub)
    with hub.database.write() as session:
        reader = session.scalars(select(User.account_id)).one()
        session.execute(
            insert(Membership.__table__),
            [{"organization_id": owner, "user_id": reader, "role": "read"} for owner in owners[:MEMBER_OF]],
        )
        session.get_one(User, reader).is_admin = False
        token = create_token(session, reader, "measures")
    for number in range(repositories):
        owner = number % OWNERS
        content = {path: f"{number} {path}".encode() for path in paths(files)}
        visibility = "private" if owner < MEMBER_OF else "public"
        population.repository(owners[owner], f"repo-{number}", content, visibility)
    population.rows.write(hub)
    return token


def paths(files: int) -> list[str]:
    """Return the paths that every repository has."""
    return ["README.md", *(f"data/shard-{number // 25}/part-{number}.json" for number in range(files - 1))]


def repo_of(number: int) -> str:
    """Return the name of a repository of :func:`populate`."""
    return f"org-{number % OWNERS}/repo-{number}"


def populate_minari(hub: Hub) -> int:
    """Write an organization as Minari's uploads leave it, and return how many datasets it has."""
    population = Population(hub, number=10_000_000)
    owner = population.organization(MINARI)
    for group in range(MINARI_REPOSITORIES):
        ids = [f"group{group}/task{number}-v0" for number in range(MINARI_DATASETS)]
        files = {f"{one.partition('/')[2]}/data/metadata.json": metadata(one) for one in ids}
        files["namespace_metadata.json"] = json.dumps({"description": "", "datasets": ids}).encode()
        population.repository(owner, f"group{group}", files)
    population.rows.write(hub)
    return MINARI_REPOSITORIES * MINARI_DATASETS


def metadata(dataset_id: str) -> bytes:
    """Return a dataset's ``metadata.json``, as far as listings read it."""
    said = {
        "dataset_id": dataset_id,
        "total_episodes": 100,
        "total_steps": 20_000,
        "dataset_size": 12.5,
        "author": ["A. Author"],
        "author_email": ["a@example.org"],
        "minari_version": "0.5.4",
    }
    return json.dumps(said).encode()
