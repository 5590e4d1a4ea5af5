"""What holds of a folder."""

import hashlib
import os
import stat
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from pytupli_registry.server.objects import ObjectNotFound, StoreUnavailable, open_store

CONTENT = b"observations"
KEY = f"blobs/{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def root(folder) -> Path:
    return folder.root


def put(store, content: bytes = CONTENT, key: str | None = None) -> str:
    with store.stage() as staged:
        staged.write(content)
        staged.publish(key or f"blobs/{staged.sha256}")
    return key or f"blobs/{staged.sha256}"


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


class TestLayout:
    def test_files(self, folder, root):
        put(folder)
        put(folder, b"", f"xorbs/u/{'ab' * 32}")
        put(folder, b"", "parts/u/1")
        sha = KEY.removeprefix("blobs/")
        xorb = f"xorbs/u/ab/ab/{'ab' * 32}"
        assert everything(root) == sorted([f"blobs/{sha[:2]}/{sha[2:4]}/{sha}", xorb, "parts/u/1"])

    def test_the_path_is_the_file(self, folder):
        assert folder.path(put(folder)).read_bytes() == CONTENT

    def test_only_the_owner_reads(self, folder, root):
        put(folder)
        with folder.stage() as staged:
            staged.write(b"abc")
            modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in [root, *root.rglob("*")]}
        assert modes == {0}

    def test_nothing_is_left_in_staging(self, folder, root):
        put(folder)
        put(folder)
        with folder.stage() as staged:
            staged.write(b"abc")
        folder.check()
        assert names(root / "staging") == []

    def test_no_descriptors_are_left(self, folder):
        put(folder)
        before = len(names(Path("/proc/self/fd")))
        for _ in range(20):
            put(folder)
            put(folder, b"x", "parts/u/1")
            next(folder.read(KEY))
            folder.read(KEY)
            list(folder.list())
            next(folder.list())
            folder.path(KEY)
            folder.delete("parts/u/1")
            folder.sweep_stale(timedelta(0))
            with pytest.raises(ObjectNotFound):
                folder.read("parts/u/1")
        assert len(names(Path("/proc/self/fd"))) == before

    def test_the_last_part_takes_its_directory_along(self, folder, root):
        put(folder, b"1", "parts/u/1")
        put(folder, b"2", "parts/u/2")
        folder.delete("parts/u/1")
        assert (root / "parts/u").exists()
        folder.delete("parts/u/2")
        assert names(root / "parts") == []

    def test_it_synchronises_by_default(self, tmp_path):
        store = open_store(tmp_path / "o")
        assert put(store) == KEY
        assert put(store) == KEY
        assert b"".join(store.read(KEY)) == CONTENT


class TestSending:
    """What a server wants to know to hand a file to the system."""

    def test_the_descriptor_and_what_is_left(self, folder):
        blocks = folder.read(put(folder, b"x" * (3 << 20), "parts/u/1"), 100)
        assert (blocks.position, blocks.remaining) == (100, (3 << 20) - 100)
        sent = len(next(blocks))
        assert (blocks.position, blocks.remaining) == (100 + sent, (3 << 20) - 100 - sent)
        assert os.fstat(blocks.fileno()).st_size == 3 << 20

    def test_who_is_local(self, folder, cloud):
        assert (folder.is_local, cloud.is_local) == (True, False)


class TestStrangers:
    """Whoever can write to the directory cannot lead the server out of it."""

    @pytest.fixture
    def outside(self, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"secret")
        return outside

    def test_a_link_in_place_of_an_object(self, folder, outside):
        path = folder.path(put(folder))
        path.unlink()
        path.symlink_to(outside / "secret")
        for ask in (folder.read, folder.size, folder.path):
            with pytest.raises(StoreUnavailable):
                ask(KEY)
        with pytest.raises(StoreUnavailable):
            put(folder)
        assert list(folder.list()) == []
        folder.delete(KEY)
        assert put(folder) == KEY
        assert (outside / "secret").read_bytes() == b"secret"

    @pytest.mark.parametrize("above", [0, 1, 2])
    def test_a_link_in_place_of_a_directory(self, folder, outside, above):
        path = folder.path(put(folder)).parents[above]
        path.rename(outside / "moved")
        path.symlink_to(outside / "moved")
        for ask in (folder.read, folder.size, folder.path, folder.delete):
            with pytest.raises(StoreUnavailable):
                ask(KEY)
        with pytest.raises(StoreUnavailable):
            put(folder)
        assert [found.key for found in folder.list("parts")] == []
        assert len(list((outside / "moved").rglob("*"))) >= 1

    def test_a_listing_follows_no_links(self, folder, root, outside):
        put(folder)
        (root / "parts").symlink_to(outside)
        (outside / "u").mkdir()
        (outside / "u" / "1").touch()
        (root / "blobs" / "zz").symlink_to(outside)
        assert [found.key for found in folder.list()] == [KEY]
        with pytest.raises(StoreUnavailable):
            list(folder.list("parts"))

    def test_staging_that_leads_away(self, folder, root, outside):
        (root / "staging").rmdir()
        (root / "staging").symlink_to(outside)
        with pytest.raises(StoreUnavailable):
            put(folder)
        with pytest.raises(StoreUnavailable):
            folder.sweep_stale(timedelta(0))
        assert names(outside) == ["secret"]

    def test_files_that_are_no_objects(self, folder, root):
        put(folder)
        for name in ("README", "blobs/.DS_Store", f"blobs/{'ab' * 32}", "parts/u", "xorbs/u/1"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        assert [found.key for found in folder.list()] == [KEY]

    def test_pipes_and_directories(self, folder, root):
        path = folder.path(put(folder))
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(StoreUnavailable):
            folder.read(KEY)
        with pytest.raises(StoreUnavailable):
            put(folder)
        path.unlink()
        path.mkdir()
        with pytest.raises(StoreUnavailable):
            folder.size(KEY)
        with pytest.raises(StoreUnavailable):
            put(folder)

    def test_a_file_that_becomes_shorter(self, folder):
        blocks = folder.read(put(folder, b"x" * (3 << 20), "parts/u/1"))
        next(blocks)
        os.truncate(folder.path("parts/u/1"), 10)
        with pytest.raises(StoreUnavailable):
            list(blocks)


class TestOutages:
    def test_a_root_that_is_gone_is_not_an_empty_store(self, folder, root):
        put(folder)
        root.rename(root.with_name("unmounted"))
        for ask in (
            lambda: folder.read(KEY),
            lambda: folder.size(KEY),
            lambda: list(folder.list()),
            folder.check,
        ):
            with pytest.raises(StoreUnavailable):
                ask()
        with pytest.raises(StoreUnavailable):
            put(folder)
        assert not root.exists()

    def test_an_empty_volume_in_its_place_takes_nothing(self, folder, root):
        root.rename(root.with_name("elsewhere"))
        root.mkdir()
        with pytest.raises(StoreUnavailable):
            folder.check()
        with pytest.raises(StoreUnavailable):
            put(folder)
        assert names(root) == []

    def test_messages_say_nothing_of_this_machine(self, folder, root):
        root.rename(root.with_name("unmounted"))
        with pytest.raises(StoreUnavailable) as caught:
            folder.check()
        assert str(root) not in caught.value.message
        assert str(root) in str(caught.value.__cause__)


class TestSweeping:
    def test_what_a_killed_process_left(self, folder, root):
        code = (
            "import os, sys, pathlib; from pytupli_registry.server.objects import open_store\n"
            "with open_store(pathlib.Path(sys.argv[1])).stage() as staged:\n"
            "    staged.write(b'abc'); os.kill(os.getpid(), 9)"
        )
        for _ in range(2):
            subprocess.run([sys.executable, "-c", code, root])
        put(folder)
        assert len(everything(root)) == 3
        assert folder.sweep_stale(timedelta(hours=1)) == 0
        assert folder.sweep_stale(timedelta(0)) == 2
        assert [found.key for found in folder.list()] == [KEY]
        assert len(everything(root)) == 1

    def test_not_what_another_process_is_writing(self, folder, root):
        code = (
            "import sys, pathlib; from pytupli_registry.server.objects import open_store\n"
            "with open_store(pathlib.Path(sys.argv[1])).stage() as staged:\n"
            "    staged.write(b'observations'); print(flush=True); sys.stdin.read()\n"
            "    staged.publish('blobs/' + staged.sha256)"
        )
        command = [sys.executable, "-c", code, root]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            old = time.time() - 10**6
            (staged,) = (root / "staging").iterdir()
            os.utime(staged, (old, old))
            assert folder.sweep_stale(timedelta(hours=1)) == 0
            process.communicate()
        assert process.returncode == 0
        assert b"".join(folder.read(KEY)) == CONTENT


FULL = """
import os, sys, pathlib, resource
from pytupli_registry.server.errors import StorageFull
from pytupli_registry.server.objects import open_store
store = open_store(pathlib.Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    with store.stage() as staged:
        for _ in range(20):
            staged.write(b"x" * 70_000)
except StorageFull:
    print("full")
with store.stage() as staged:
    staged.write(b"x" * 900_000)
    try:
        staged.write(b"x" * 900_000)  # the first 100 000 of them fit
    except StorageFull:
        print("full")
    try:
        staged.publish("parts/u/1")  # would be bytes that nobody has hashed
    except Exception as error:
        print(type(error).__name__)
with store.stage() as staged:
    staged.write(b"x" * 999_999)
    staged.publish("parts/u/2")
"""


def test_a_full_disk(folder, root):
    done = subprocess.run([sys.executable, "-c", FULL, root], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["full", "full", "StoreUnavailable"], "")
    assert everything(root) == ["parts/u/2"]
    assert [found.size for found in folder.list()] == [999_999]
