"""Code as data: one form of archive, and an import from the very bytes that were hashed."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import io
import sys
import traceback
import types
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.environments.shipped_code import ShippedCode, pack_code
from pytupli_registry.errors import ArtifactError, EnvironmentRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _imports_as_before() -> Iterator[None]:
    """Take out again what a test imported and mounted."""
    finders, modules = list(sys.meta_path), set(sys.modules)
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        if name.startswith(("shipped_", "other_shipped")):
            del sys.modules[name]


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "shipped_acme/__init__.py": "from .envs import Wind\n",
        "shipped_acme/envs/__init__.py": "from shipped_acme.envs.wind import Wind\n",
        "shipped_acme/envs/wind.py": "class Wind:\n    speed = 3  # é\n",
        "shipped_acme/__about__.py": "version = '1'\n",
        "shipped_acme/data/wind.csv": "1,2\n",
        "shipped_acme/scripts/run.py": "raise SystemExit\n",
        "shipped_acme/__pycache__/wind.py": "raise SystemExit\n",
        "shipped_acme/not-a-module.py": "raise SystemExit\n",
    }
    return write(tmp_path, files) / "shipped_acme"


def zipped(*entries: tuple[str, bytes], **options: int) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", **options) as archive:  # type: ignore[arg-type]
        for name, source in entries:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), source)
    return written.getvalue()


def read(content: bytes) -> ShippedCode:
    return ShippedCode.from_bytes(content, hashlib.sha256(content).hexdigest())


def test_a_package_is_packed_with_its_sources_and_nothing_else(package: Path) -> None:
    code = pack_code(package)
    assert list(code.modules) == [
        "shipped_acme/__about__.py",
        "shipped_acme/__init__.py",
        "shipped_acme/envs/__init__.py",
        "shipped_acme/envs/wind.py",
    ]
    assert code.modules["shipped_acme/envs/wind.py"] == (package / "envs/wind.py").read_bytes()
    assert code.module_names == ("shipped_acme",)
    assert code.sha256 == hashlib.sha256(code.content).hexdigest()


def test_the_archive_is_one_that_others_can_read_and_depends_on_nothing_else(
    package: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "again"
    for path, source in pack_code(package).modules.items():
        (copied / path).parent.mkdir(parents=True, exist_ok=True)
        (copied / path).write_bytes(source)
        (copied / path).chmod(0o700)
    first, second = pack_code(package).content, pack_code(copied / "shipped_acme").content
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_hash_of_an_archive_never_changes() -> None:
    code = ShippedCode("", {"shipped_one.py": b"x = 1\n"})
    found = hashlib.sha256(code.content).hexdigest()
    assert found == "ed487bdee76c0d090eeb10ce5cd87d6fbadcf50c9788fd2856ccf22a8d4e2150"


def test_modules_files_and_several_of_them_are_packed(tmp_path: Path, package: Path) -> None:
    single = write(tmp_path, {"shipped_single.py": "x = 1\n"}) / "shipped_single.py"
    module = types.ModuleType("shipped_single")
    module.__file__ = str(single)
    assert pack_code(module).content == pack_code(single).content == pack_code([single]).content
    assert pack_code([single, package]).module_names == ("shipped_acme", "shipped_single")


def test_what_cannot_be_packed_says_why(tmp_path: Path, package: Path) -> None:
    with pytest.raises(ArtifactError, match=r"neither a \.py file nor a package"):
        pack_code(package / "data" / "wind.csv")
    with pytest.raises(ArtifactError, match=r"neither a \.py file nor a package"):
        pack_code(package / "scripts")
    with pytest.raises(ArtifactError, match=r"neither a \.py file nor a package"):
        pack_code(tmp_path / "absent.py")
    with pytest.raises(ArtifactError, match="cannot be shipped on its own"):
        pack_code(sys.modules["__main__"])
    with pytest.raises(ArtifactError, match="cannot be shipped on its own"):
        pack_code(importlib.import_module("importlib.util"))
    with pytest.raises(ArtifactError, match="has no source"):
        pack_code(sys)
    with pytest.raises(ArtifactError, match="Two of the sources"):
        pack_code([package, package])
    with pytest.raises(ArtifactError, match="1 to 1000 modules"):
        pack_code([])
    (tmp_path / "not-a-name.py").write_text("")
    with pytest.raises(ArtifactError, match="no Python source file"):
        pack_code(tmp_path / "not-a-name.py")


@pytest.mark.parametrize("name", ["secret.py", "inner"])
def test_links_out_of_a_package_are_not_followed(package: Path, tmp_path: Path, name: str) -> None:
    outside = write(
        tmp_path / "outside", {"secret.py": "key = 1\n", "inner/__init__.py": "", "inner/key.py": ""}
    )
    (package / name).symlink_to(outside / name)
    with pytest.raises(ArtifactError, match="link that leads out"):
        pack_code(package)


def test_a_link_to_the_package_itself_ends(package: Path) -> None:
    (package / "again").symlink_to(package)
    with pytest.raises(ArtifactError, match="link"):
        pack_code(package)


def test_too_much_code_is_refused(package: Path) -> None:
    for index in range(1001):
        (package / f"m{index}.py").write_text("")
    with pytest.raises(ArtifactError, match="more than 1000"):
        pack_code(package)


def test_an_archive_comes_back_as_it_was(package: Path) -> None:
    code = pack_code(package)
    again = ShippedCode.from_bytes(code.content, code.sha256)
    assert again == code
    assert again.content == code.content
    with pytest.raises(TypeError):
        again.modules["shipped_acme/__init__.py"] = b""  # type: ignore[index]


def test_another_hash_is_another_file(package: Path) -> None:
    code = pack_code(package)
    with pytest.raises(ArtifactError, match="has the hash"):
        ShippedCode.from_bytes(code.content, "0" * 64)
    with pytest.raises(ArtifactError, match="has the hash"):
        ShippedCode.from_bytes(code.content + b"\n", code.sha256)


GOOD = zipped(("shipped_one.py", b"x = 1\n"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"import os",
        b"PK\x05\x06" + b"\0" * 18,
        zipped(("shipped_one.py", b"0" * 1000), compression=zipfile.ZIP_DEFLATED),
        GOOD[:-1],
        GOOD + b"\n",
        b"#!/bin/sh\n" + GOOD,
        GOOD.replace(b"x = 1\n", b"x = 2\n"),
    ],
    ids=["empty", "source", "no files", "compressed", "cut", "longer", "prefixed", "wrong checksum"],
)
def test_archives_in_any_other_form_are_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError):
        read(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ArtifactError, match="twice"):
        read(zipped(("shipped_one.py", b"x = 1\n"), ("shipped_one.py", b"x = 2\n")))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("shipped_one.py", b"\0" * (64 << 20))
    assert len(written.getvalue()) < 100_000
    with pytest.raises(ArtifactError, match="more than it is"):
        read(written.getvalue())
    with pytest.raises(ArtifactError, match="larger than"):
        read(b"\0" * ((16 << 20) + 1))


@pytest.mark.parametrize(
    "name",
    [
        "../shipped_one.py",
        "/shipped_one.py",
        "C:/shipped_one.py",
        "a\\..\\shipped_one.py",
        "./shipped_one.py",
        "a//shipped_one.py",
        "shipped_one.pyc",
        "shipped_one.so",
        "shipped_one",
        "shipped_one.py/",
        "shipped-one.py",
        "shipped_öne.py",
        "__init__.py",
        "__main__.py",
        "__pycache__/shipped_one.py",
        "a/" * 100 + "shipped_one.py",
        "shipped_dir/one.py",
        "shipped_one.py\n",
    ],
)
def test_names_that_are_no_modules_are_refused(name: str) -> None:
    with pytest.raises(ArtifactError):
        read(zipped((name, b"")))


def test_a_module_and_a_package_of_one_name_are_refused() -> None:
    content = ShippedCode("", {"shipped_one.py": b"", "shipped_one/__init__.py": b""}).content
    with pytest.raises(ArtifactError, match="at once"):
        read(content)


@given(st.data())
def test_no_change_of_an_archive_goes_unnoticed(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(content))
    except ArtifactError:
        return
    assert found.content == bytes(content)


def test_modules_are_imported_from_memory(package: Path) -> None:
    code = pack_code(package)
    for path in code.modules:
        (package.parent / path).unlink()
    code.mount()
    found = importlib.import_module("shipped_acme")
    assert found.Wind.speed == 3
    assert inspect.getsource(found.Wind) == "class Wind:\n    speed = 3  # é\n"
    assert not any(str(package) in str(value) for value in vars(found).values())


def test_mounting_again_gives_the_same_module(package: Path) -> None:
    code = pack_code(package)
    code.mount()
    first = importlib.import_module("shipped_acme.envs.wind")
    before = list(sys.meta_path)
    ShippedCode.from_bytes(code.content, code.sha256).mount()
    assert sys.meta_path == before
    assert importlib.import_module("shipped_acme.envs.wind") is first


def test_a_traceback_shows_the_shipped_line(tmp_path: Path) -> None:
    source = write(
        tmp_path, {"shipped_failing.py": "def fail():\n    raise ValueError('here')  # the line\n"}
    )
    pack_code(source / "shipped_failing.py").mount()
    try:
        importlib.import_module("shipped_failing").fail()
    except ValueError:
        assert "# the line" in traceback.format_exc()
    else:
        pytest.fail("it has to raise")


def test_only_the_archives_own_names_are_answered_for(package: Path) -> None:
    pack_code(package).mount()
    for name in ("shipped_acme.absent", "shipped_acme_not", "shipped_absent", "shipped_acme.data"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)


def test_bytes_that_changed_after_the_hash_are_not_mounted(package: Path) -> None:
    code = pack_code(package)
    sources = dict(code.modules)
    changed = ShippedCode(code.sha256, sources)
    assert changed.conflict() is None
    sources["shipped_acme/__init__.py"] = b"raise SystemExit('ran')\n"
    with pytest.raises(EnvironmentRefused, match="bytes have changed"):
        changed.mount()
    assert "shipped_acme" not in sys.modules


def test_changing_the_mapping_after_mounting_changes_nothing(package: Path) -> None:
    sources = dict(pack_code(package).modules)
    ShippedCode(pack_code(package).sha256, sources).mount()
    sources["shipped_acme/__init__.py"] = b"raise SystemExit('ran')\n"
    assert importlib.import_module("shipped_acme").Wind.speed == 3


@pytest.mark.parametrize(
    "name", ["json", "os", "antigravity", "numpy", "gymnasium", "pytest", "pytupli_registry", "_pytest"]
)
def test_no_module_of_this_python_is_replaced(name: str) -> None:
    before = sys.modules.get(name)
    code = ShippedCode("", {f"{name}.py": b"raise SystemExit('ran')\n"})
    code = read(code.content)
    assert "would replace " in str(code.conflict())
    assert repr(name) in str(code.conflict())
    with pytest.raises(EnvironmentRefused, match="would replace"):
        code.mount()
    assert sys.modules.get(name) is before


def test_an_installed_module_with_other_content_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"shipped_there.py": "x = 1\n"})
    monkeypatch.syspath_prepend(str(tmp_path))
    same = read(ShippedCode("", {"shipped_there.py": b"x = 1\n"}).content)
    other = read(ShippedCode("", {"shipped_there.py": b"x = 2\n"}).content)
    assert same.conflict() is None
    assert "would replace the installed module 'shipped_there'" in str(other.conflict())
    assert "shipped_there" not in sys.modules
    loaded = importlib.import_module("shipped_there")
    same.mount()
    assert importlib.import_module("shipped_there") is loaded
    with pytest.raises(EnvironmentRefused, match="would replace"):
        other.mount()


def test_a_plain_directory_of_the_same_name_is_no_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shipped_folder").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    code = read(ShippedCode("", {"shipped_folder.py": b"x = 1\n"}).content)
    code.mount()
    assert importlib.import_module("shipped_folder").x == 1


def test_two_versions_in_one_process_do_not_mix(package: Path) -> None:
    pack_code(package).mount()
    importlib.import_module("shipped_acme")
    (package / "envs/wind.py").write_text("class Wind:\n    speed = 4\n")
    with pytest.raises(EnvironmentRefused, match="Another version"):
        pack_code(package).mount()
