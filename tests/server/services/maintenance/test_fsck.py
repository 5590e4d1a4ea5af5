"""Every kind of damage is planted by hand, and found; nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, text, update

from pytupli_registry.server.database.schema import (
    Blob,
    Commit,
    Discussion,
    GitBlob,
    Ref,
    Repository,
    RepositoryBlob,
    Tree,
    User,
    Xorb,
    now,
)
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.repositories import lookup
from pytupli_registry.server.services.storage_history.large_files import delete_large_files
from tests.server.services.maintenance.conftest import Large, World, sha

if TYPE_CHECKING:
    from pathlib import Path

BIG = Large(b"big " * 50_000)
REGULAR = b"r" * 100_000  # in the object store, but not by LFS


@pytest.fixture
def filled(world: World) -> World:
    repo = world.create("one")
    world.commit(repo, a=b"small", b__c=BIG)
    world.commit(repo, a=b"small again", b__d=REGULAR)
    world.assert_sound()
    return world


def execute(world: World, *statements) -> None:
    """Change rows behind the back of the constraints, as a broken disk or an eager administrator does."""
    with world.hub.database.engine.connect() as connection:
        if world.hub.database.is_sqlite:
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            if not world.hub.database.is_sqlite:
                connection.execute(text("SET session_replication_role = 'replica'"))
            for statement in statements:
                connection.execute(statement)
        connection.invalidate()


def test_a_sound_hub_has_no_findings(filled: World):
    findings = filled.check(deep=True)
    assert (findings.damaged, findings.noted, findings.kept) == (0, 0, [])
    assert findings.checked == {
        "accounts": 1,
        "repositories": 1,
        "refs": 1,
        "commits": 3,
        "trees": 5,
        "files": 5,
        "blobs": 2,
        "xorbs": 0,
    }


DAMAGES = {
    "commit changed": ([update(Commit).values(raw=b"tree 0")], "commit", 3),
    "commit of another tree": ([update(Commit).values(tree_oid="0" * 40)], "commit", 3),
    "tree gone": ([delete(Tree)], "tree", 3),
    "tree changed": ([update(Tree).values(raw=b"100644 a\0" + b"\1" * 20)], "tree", 5),
    "small file gone": ([delete(GitBlob).where(GitBlob.content.is_not(None))], "git blob", 3),
    "small file changed": (
        [update(GitBlob).where(GitBlob.content.is_not(None)).values(content=b"?", size=1)],
        "git blob",
        3,
    ),
    "small file of another size": (
        [update(GitBlob).where(GitBlob.content.is_not(None)).values(size=1)],
        "git blob",
        3,
    ),
    "pointer to another size": ([update(GitBlob).where(GitBlob.lfs).values(size=1)], "git blob", 2),
    "branch gone": ([delete(Ref)], "repository", 1),
    "branch to nowhere": ([update(Ref).values(commit_oid="0" * 40)], "ref", 1),
    "not owned": ([delete(RepositoryBlob), update(Repository).values(used_storage=0)], "blob", 2),
    "wrong storage": ([update(Repository).values(used_storage=1)], "repository", 1),
    "user gone": ([delete(User)], "account", 1),
    "user and organization": (
        [
            text(
                "INSERT INTO organizations (account_id, default_visibility, members_public) VALUES (1, 'private', false)"
            )
        ],
        "account",
        1,
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_rows_are_found(filled: World, name: str):
    statements, kind, count = DAMAGES[name]
    execute(filled, *statements)
    found = [finding for finding in filled.check().kept if finding.is_damage and finding.kind == kind]
    assert len(found) >= count
    assert all(finding.subject and finding.message for finding in found)


def test_a_lost_parent_is_found(filled: World):
    with filled.hub.database.read() as session:
        parent = session.query(Commit).filter(Commit.parent_oid.is_(None)).one().oid
    execute(filled, delete(Commit).where(Commit.oid == parent))
    assert [finding.kind for finding in filled.check().kept] == ["commit"]


def test_a_pull_request_of_a_lost_commit_is_found(filled: World):
    discussion = {
        "repository_id": 1,
        "number": 1,
        "title": "a",
        "status": "merged",
        "is_pull_request": True,
        "author_name": "alice",
        "base": "refs/heads/main",
        "base_oid": "0" * 40,
        "created_at": now(),
    }
    with filled.hub.database.write() as session:
        discussion["repository_id"] = session.query(Repository).one().id
        filled.hub.database.insert_missing(session, Discussion, [discussion])
    assert [finding.kind for finding in filled.check().kept] == ["discussion"]


def test_lost_bytes_are_found_with_their_owner(filled: World):
    filled.hub.objects.delete(blob_key(sha(BIG)))
    (finding,) = filled.check().kept
    assert (finding.is_damage, finding.kind, finding.subject) == (True, "blob", sha(BIG))
    assert "alice/one" in finding.message


def stored_file(world: World, content: bytes) -> Path:
    path = world.hub.objects.path(blob_key(sha(content)))
    path.chmod(0o600)
    return path


def test_missing_bytes_at_the_end_are_found(filled: World):
    with stored_file(filled, BIG).open("r+b") as file:
        file.truncate(10)
    (finding,) = filled.check().kept
    assert (finding.kind, finding.subject) == ("blob", sha(BIG))


@pytest.mark.parametrize("content", [BIG, REGULAR])
def test_changed_bytes_are_found_by_reading_them(filled: World, content: bytes):
    with stored_file(filled, content).open("r+b") as file:
        file.write(b"?")
    assert filled.check().damaged == 0
    found = filled.check(deep=True)
    assert {finding.subject for finding in found.kept} >= {sha(content)}
    assert found.damaged == (1 if content is BIG else 2)  # a regular file has git's id, too


def test_a_xorb_without_bytes_is_harmless(filled: World):
    row = {
        "user_id": filled.user_id,
        "hash": "a" * 64,
        "size": 4,
        "lengths": b"",
        "stored": True,
        "segments": [],
    }
    with filled.hub.database.write() as session:
        filled.hub.database.insert_missing(session, Xorb, [row | {"created_at": now(), "touched_at": now()}])
    findings = filled.check()
    assert (findings.damaged, findings.noted) == (0, 1)


def test_findings_are_counted_beyond_those_that_are_kept(world: World):
    rows = [{"sha256": f"{n:064x}", "size": 1, "created_at": now(), "touched_at": now()} for n in range(1200)]
    with world.hub.database.write() as session:
        world.hub.database.insert_missing(session, Blob, rows)
    findings = world.check()
    assert (findings.noted, len(findings.kept)) == (1200, 1000)


def test_rows_that_refer_to_nothing_are_found(world: World):
    execute(world, delete(User))
    kinds = {finding.kind for finding in world.check().kept}
    assert kinds == {"account"}
    orphan = "INSERT INTO users (account_id, is_admin) VALUES (77, false)"
    execute(world, text(orphan))
    kinds = {finding.kind for finding in world.check().kept}
    assert kinds == ({"account", "database"} if world.hub.database.is_sqlite else {"account"})


def test_what_was_taken_from_old_history_is_no_damage(filled: World):
    """An administrator may take large files out of a repository whose branches do not have them any more."""
    repo = filled.create("two")
    other = Large(b"other " * 50_000)
    filled.commit(repo, a=other)
    with filled.hub.database.write() as session:
        repository = lookup(session, repo)
        first = session.query(Commit).filter_by(repository_id=repository.id, parent_oid=None).one().oid
        session.execute(update(Ref).where(Ref.repository_id == repository.id).values(commit_oid=first))
        assert delete_large_files(session, filled.hub, repository, [sha(other)], rewrite=False) == 1
    filled.assert_sound()
