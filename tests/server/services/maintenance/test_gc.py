"""gc takes what nothing refers to, and nothing else; what it leaves is checked by fsck, every time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from pytupli_registry.server.database.schema import (
    Blob,
    Commit,
    GitBlob,
    HubState,
    Ref,
    Repository,
    RepositoryBlob,
    Tree,
    Upload,
    Xorb,
    now,
)
from pytupli_registry.server.errors import RevisionNotFound
from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.gc.collection import collect_garbage
from pytupli_registry.server.services.maintenance.locks import exclusive, running
from pytupli_registry.server.services.refs import create_branch, create_ref, delete_branch
from tests.server.services.maintenance.conftest import Large, sha

BIG = Large(b"big " * 50_000)
OTHER = Large(b"other " * 50_000)


def gc(world, grace_s: int = 0, **how):
    report = collect_garbage(world.hub, grace_s=grace_s, **how)
    world.assert_sound()
    return report


def drop_history(world, repo_id, oid: str) -> None:
    """Let main point at another commit, as squashing does."""
    with world.hub.database.write() as session:
        session.execute(
            update(Ref).where(Ref.repository_id == world.repository_id(repo_id)).values(commit_oid=oid)
        )


def head(world, repo_id) -> str:
    with world.hub.database.read() as session:
        return session.scalar(select(Ref.commit_oid).where(Ref.repository_id == world.repository_id(repo_id)))


def test_what_is_used_stays(world):
    repo = world.create("one")
    world.commit(repo, a=b"small", b__c=BIG, b__d=b"x" * 100_000)
    world.commit(repo, a=b"small again")
    before = [world.count(table) for table in (Commit, Tree, GitBlob, Blob, RepositoryBlob)]
    report = gc(world)
    assert report.removed == {}
    assert [world.count(table) for table in (Commit, Tree, GitBlob, Blob, RepositoryBlob)] == before


def test_a_commit_goes_when_nothing_leads_to_it(world):
    repo = world.create("one")
    first = head(world, repo)
    world.commit(repo, a=b"small", b__c=BIG)
    drop_history(world, repo, first)
    report = gc(world)
    assert report.removed["commits"] == 1
    assert report.freed_bytes == len(BIG)
    assert (world.count(Commit), world.count(Tree), world.count(GitBlob), world.count(Blob)) == (1, 1, 1, 0)
    assert not world.is_stored(BIG)
    with world.hub.database.read() as session:
        assert session.get(Repository, world.repository_id(repo)).used_storage == 0


def test_a_young_commit_is_marked_first(world):
    repo = world.create("one")
    first = head(world, repo)
    lost = world.commit(repo, a=BIG)
    drop_history(world, repo, first)
    assert "commits" not in gc(world, 100).removed
    with world.hub.database.write() as session:
        marked = session.get(Commit, (world.repository_id(repo), lost)).orphaned_at
        assert marked is not None
        session.execute(update(Commit).values(orphaned_at=marked - timedelta(seconds=101)))
    assert gc(world, 100).removed == {"commits": 1}  # what it reached was touched a moment ago
    assert world.is_stored(BIG)


def test_a_marked_commit_can_come_back(world):
    repo = world.create("one")
    first = head(world, repo)
    world.commit(repo, a=b"parent")
    lost = world.commit(repo, a=BIG)
    drop_history(world, repo, first)
    gc(world, 100)
    with world.hub.database.write() as session:
        create_branch(session, world.repository_id(repo), "rescued", lost)
    gc(world)
    with world.hub.database.read() as session:
        assert session.scalars(select(Commit.orphaned_at)).all() == [None, None, None]
    assert world.is_stored(BIG)


def test_the_time_of_a_rescued_history_begins_anew(world):
    """Of a history, no part may go before what is built on it."""
    repo = world.create("one")
    first = head(world, repo)
    world.commit(repo, a=b"parent")
    last = world.commit(repo, a=b"child")
    drop_history(world, repo, first)
    gc(world, 100)
    with world.hub.database.write() as session:
        session.execute(
            update(Commit)
            .where(Commit.orphaned_at.is_not(None))
            .values(orphaned_at=now() - timedelta(seconds=200))
        )
        create_branch(session, world.repository_id(repo), "rescued", last)
    with world.hub.database.write() as session:
        delete_branch(session, world.repository_id(repo), "rescued")
    assert gc(world, 100).removed == {}
    assert world.count(Commit) == 3
    assert gc(world).removed["commits"] == 2


def test_no_branch_can_be_made_at_a_commit_that_went(world):
    repo = world.create("one")
    with pytest.raises(RevisionNotFound), world.hub.database.write() as session:
        create_ref(session, world.repository_id(repo), "refs/heads/x", "0" * 40)


def test_a_blob_leaves_only_the_repository_that_does_not_have_it(world):
    one, two = world.create("one"), world.create("two")
    first = head(world, one)
    world.commit(one, a=BIG)
    world.commit(two, a=BIG)
    drop_history(world, one, first)
    report = gc(world)
    assert report.removed["blobs of repositories"] == 1
    assert "blobs" not in report.removed
    assert world.is_stored(BIG)
    with world.hub.database.read() as session:
        assert session.scalars(select(RepositoryBlob.repository_id)).all() == [world.repository_id(two)]


def test_an_upload_that_waits_for_its_commit_stays_for_the_grace_period(world):
    repo = world.create("one")
    world.upload(repo, BIG)
    assert gc(world, 100).removed == {}
    assert gc(world).removed == {"blobs of repositories": 1, "blobs": 1}
    assert not world.is_stored(BIG)


def test_what_went_can_be_uploaded_again(world):
    repo = world.create("one")
    world.upload(repo, BIG)
    gc(world)
    world.commit(repo, a=BIG)
    gc(world)
    assert world.is_stored(BIG)


def test_a_deleted_repository_leaves_nothing(world):
    repo = world.create("one")
    world.commit(repo, a=BIG, b__c=OTHER, c=b"small")
    with world.hub.database.write() as session:
        repositories.delete_repository(session, caller_of_user(session, world.user_id), repo)
    gc(world)
    assert [world.count(table) for table in (Commit, Tree, GitBlob, Blob, RepositoryBlob)] == [0] * 5
    assert list(world.hub.objects.list()) == []


def test_a_dry_run_says_the_same_and_does_nothing(world):
    repo = world.create("one")
    first = head(world, repo)
    world.commit(repo, a=b"small", b__c=BIG)
    world.upload(repo, OTHER)
    drop_history(world, repo, first)
    gc(world, 100)  # marks the commit
    said = collect_garbage(world.hub, grace_s=0, dry_run=True)
    assert said.dry_run
    assert world.is_stored(BIG)
    assert world.is_stored(OTHER)
    done = gc(world)
    assert (done.removed, done.freed_bytes) == (said.removed, said.freed_bytes)


def test_objects_without_a_row_go_after_the_grace_period(world):
    world.create("one")
    for key in (blob_key(sha(BIG)), "xorbs/1/" + "a" * 64, "xorbs/77/" + "a" * 64, "parts/abc/1"):
        with world.hub.objects.stage() as staged:
            staged.write(BIG)
            staged.publish(key)
    assert world.check().noted == 4
    assert gc(world, 100).removed == {}
    assert gc(world).removed == {"objects without a row": 4}
    assert list(world.hub.objects.list()) == []
    assert (world.count(Blob), world.count(Xorb)) == (0, 0)


def test_a_row_that_lost_its_bytes_is_harmless_and_goes(world):
    """What a gc leaves that was killed between the bytes and the end of its transaction."""
    repo = world.create("one")
    world.upload(repo, BIG)
    with world.hub.database.write() as session:
        session.execute(delete(RepositoryBlob))
        session.execute(update(Repository).values(used_storage=0))
    world.hub.objects.delete(blob_key(sha(BIG)))
    findings = world.check()
    assert (findings.damaged, findings.noted) == (0, 1)
    assert gc(world).removed == {"blobs": 1}


def test_expired_uploads_lose_their_parts(world):
    repo = world.create("one")
    for upload_id, age in (("old", 10), ("new", -10)):
        with world.hub.objects.stage() as staged:
            staged.write(b"part")
            staged.publish(f"parts/{upload_id}/1")
        with world.hub.database.write() as session:
            upload = Upload(
                id=upload_id,
                repository_id=world.repository_id(repo),
                user_id=world.user_id,
                sha256="0" * 64,
                size=4,
                part_size=4,
            )
            upload.expires_at = now() - timedelta(seconds=age)
            session.add(upload)
    gc(world)
    assert [found.key for found in world.hub.objects.list("parts")] == ["parts/new/1"]
    assert world.check().noted == 0


def test_unused_xorbs_go_and_clients_are_told(world):
    repo = world.create("one")
    world.commit(repo, a=BIG)
    time = now()
    used = {"size": 4, "lengths": b"", "created_at": time, "touched_at": time}
    rows = [
        {"hash": "a" * 64, "stored": True, "segments": [], **used},
        {"hash": "b" * 64, "stored": False, "segments": [[0, 1, sha(BIG), 0], [1, 2, sha(OTHER), 0]], **used},
        {"hash": "c" * 64, "stored": False, "segments": [[0, 1, sha(BIG), 0]], **used},
        {"hash": "d" * 64, "stored": False, "segments": [[0, 1, sha(OTHER), 0]], **used},
    ]
    with world.hub.objects.stage() as staged:
        staged.write(b"xorb")
        staged.publish(f"xorbs/{world.user_id}/{'a' * 64}")
    with world.hub.database.write() as session:
        world.hub.database.insert_missing(session, Xorb, [{"user_id": world.user_id, **row} for row in rows])
    before = epoch(world)
    gc(world, 100)
    assert epoch(world) == before
    report = gc(world)
    assert report.removed == {"xorbs": 3}
    with world.hub.database.read() as session:
        left = session.execute(select(Xorb.hash, Xorb.segments).order_by(Xorb.hash)).all()
    assert [tuple(row) for row in left] == [(c * 64, [[0, 1, sha(BIG), 0]]) for c in "bc"]
    assert list(world.hub.objects.list("xorbs")) == []
    assert epoch(world) != before


def epoch(world):
    with world.hub.database.read() as session:
        state = session.get(HubState, "xet_epoch")
        return state and state.value


def test_a_running_server_needs_a_grace_period(world):
    with running(world.settings.directory):
        with pytest.raises(MaintenanceError, match="--grace 3600"):
            collect_garbage(world.hub, grace_s=60)
        collect_garbage(world.hub, grace_s=3600)
        collect_garbage(world.hub, grace_s=60, dry_run=True)


def test_two_at_a_time_are_refused(world):
    with exclusive(world.hub), pytest.raises(MaintenanceError, match="Another maintenance"):
        collect_garbage(world.hub)
    collect_garbage(world.hub)


def test_a_damaged_hub_is_left_alone(world):
    repo = world.create("one")
    world.commit(repo, a__b=BIG)
    world.upload(repo, OTHER)
    with world.hub.database.write() as session:
        session.execute(delete(Tree))
    with pytest.raises(MaintenanceError, match="fsck"):
        collect_garbage(world.hub, grace_s=0)
    assert world.is_stored(OTHER)
