"""Git's objects are shared by all repositories: neither forged names nor changed settings may cost anybody a file."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from pytupli_registry.server.database.schema import Blob, GitBlob, RepositoryBlob, Tree, now
from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.files import file_of, read_file
from pytupli_registry.server.services.git_objects import keep_trees
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.gc.collection import collect_garbage
from pytupli_registry.server.wire.git import FILE, TreeEntry, object_id, serialize_tree
from pytupli_registry.server.wire.lfs import Pointer
from tests.server.services.maintenance.conftest import Large, World, sha
from tests.server.services.maintenance.test_gc import head
from tests.server.services.maintenance.test_gc_races import make_old

if TYPE_CHECKING:
    from pytupli_registry.server.wire.names import RepoId

STORED = b"more than the database takes " * 4000
BIG = Large(b"big " * 5000)


@pytest.mark.parametrize("content", [b"mine", STORED, BIG], ids=["small", "stored", "large"])
@pytest.mark.parametrize("forged", [b"evil", b"another length"])
def test_a_name_with_another_content(world: World, content: bytes, forged: bytes) -> None:
    """As somebody puts it there who can make two contents of one SHA-1."""
    repo = world.create("one")
    is_large = isinstance(content, Large)
    plain = Pointer(sha(content), len(content)).encoded() if is_large else content
    oid = object_id("blob", plain)
    with world.hub.database.write() as session:
        session.add(GitBlob(oid=oid, size=len(forged), lfs=False, content=forged))
    before = head(world, repo)
    with pytest.raises(Unprocessable, match="same SHA-1"):
        world.commit(repo, a=content, b=b"else")
    assert head(world, repo) == before
    with world.hub.database.read() as session:
        assert session.get_one(GitBlob, oid).content == forged


def test_a_tree_with_another_content(world: World) -> None:
    trees = [serialize_tree({name: TreeEntry(FILE, "0" * 40)}) for name in ("a", "b")]
    oid = object_id("tree", trees[0])
    for raw in (trees[0], trees[0]):
        with world.hub.database.write() as session:
            keep_trees(session, world.hub, {oid: raw})
    with pytest.raises(Unprocessable, match="same SHA-1"), world.hub.database.write() as session:
        keep_trees(session, world.hub, {oid: trees[1]})
    with world.hub.database.read() as session:
        assert session.get_one(Tree, oid).raw == trees[0]


def test_the_same_content_keeps_it_young(world: World) -> None:
    repo = world.create("one")
    for content in (b"mine", STORED):
        world.commit(repo, a=content)
        make_old(world)
        began = now()
        world.commit(repo, b=content)
        with world.hub.database.read() as session:
            assert session.get_one(GitBlob, object_id("blob", content)).touched_at >= began


def set_inline_size(world: World, size: int) -> None:
    """Start the Hub again with another setting."""
    world.hub.close()
    world.settings = world.settings.model_copy(update={"inline_size": size})
    world.hub = Hub.open(world.settings)


def content_at(world: World, content: bytes) -> bytes:
    """Read a file without what is kept in memory."""
    with closing(Hub.open(world.settings)) as hub, hub.database.read() as session:
        return b"".join(read_file(session, hub, file_of(session, hub, object_id("blob", content))))


def delete_repository(world: World, repo: RepoId) -> None:
    with world.hub.database.write() as session:
        repositories.delete_repository(session, caller_of_user(session, world.user_id), repo)


@pytest.mark.parametrize(("count", "times"), [(1, 1), (5, 8)], ids=["one file", "more than wait in memory"])
def test_files_that_moved_with_the_setting(world: World, count: int, times: int) -> None:
    """Whether the database or the object store has them, they stay for whoever has them, and only for them."""
    contents = [b"%d " % number + STORED * times for number in range(count)]
    files = {f"f{number}": content for number, content in enumerate(contents)}
    first, second, third = (world.create(name) for name in ("first", "second", "third"))
    world.commit(first, **files)
    set_inline_size(world, 1 << 20)
    world.commit(second, **files)
    assert world.count(RepositoryBlob) == 2 * count
    delete_repository(world, first)
    set_inline_size(world, 1000)
    world.commit(third, **files)
    delete_repository(world, second)
    for _ in range(2):
        make_old(world)
        collect_garbage(world.hub, grace_s=3600)
        world.assert_sound()
    assert [content_at(world, content) for content in contents] == contents
    delete_repository(world, third)
    make_old(world)
    collect_garbage(world.hub, grace_s=3600)
    assert world.count(Blob) == 0


def test_files_of_the_database_that_the_store_would_take_now(world: World) -> None:
    first, second = world.create("first"), world.create("second")
    set_inline_size(world, 1 << 20)
    world.commit(first, a=STORED)
    set_inline_size(world, 1000)
    world.commit(second, a=STORED)
    delete_repository(world, first)
    make_old(world)
    collect_garbage(world.hub, grace_s=3600)
    world.assert_sound()
    assert content_at(world, STORED) == STORED
    with world.hub.database.write() as session:  # what tells them apart are all of their bytes
        session.execute(update(GitBlob).where(GitBlob.size == len(STORED)).values(content=STORED[::-1]))
    with pytest.raises(Unprocessable, match="same SHA-1"):
        world.commit(second, b=STORED)
