"""Built-in codecs, codecs of installed packages, and what happens when one is not there."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from pytupli_registry.benchmarks.arguments import decode, encode
from pytupli_registry.benchmarks.artifacts.codecs import builtin_codecs, codec_for, codec_named
from pytupli_registry.benchmarks.artifacts.reader import ArtifactReader
from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
from pytupli_registry.benchmarks.specification import ArtifactEntry
from pytupli_registry.errors import ArtifactError, FormatError

MODULE = """
import json
from pathlib import Path

class Turbine:
    def __init__(self, power):
        self.power = power

class Broken(Turbine):
    pass

class TurbineCodec:
    name = "turbine"
    suffix = ".json"

    def accepts(self, value):
        if getattr(value, "power", None) == "ask":
            raise RuntimeError("do not ask")
        return type(value) is Turbine

    def write(self, value, file):
        if value.power is None:
            raise ValueError("no power")
        file.write(json.dumps(value.power).encode())
        return object() if value.power == "details" else {"unit": "kW", **({"x": "y" * 99999} if value.power == "long" else {})}

    def read(self, path, details):
        assert details == {"unit": "kW"}, details
        assert path.suffix == ".json"
        return Turbine(json.loads(path.read_bytes()))

Path(__file__).with_name("imported").touch()
"""


def install(
    site: Path, entry_point: str = "turbine = acme_codecs:TurbineCodec", module: str = MODULE
) -> None:
    site.mkdir()
    (site / "acme_codecs.py").write_text(module)
    info = site / "acme_codecs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-codecs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pytupli_registry.codecs]\n{entry_point}\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    directory = tmp_path / "site"
    install(directory)
    monkeypatch.syspath_prepend(directory)
    yield directory
    sys.modules.pop("acme_codecs", None)


def turbine(power):
    from acme_codecs import Turbine

    return Turbine(power)


def test_an_installed_codec_keeps_its_type(site, tmp_path):
    with ArtifactSpool() as spool:
        encoded = encode({"parts": [turbine(3)]}, spool, "model")
        assert encoded == {"parts": [{"$artifact": "model-parts-0"}]}
        entry = spool.entries["model-parts-0"]
        assert (entry.codec, entry.file_name) == ("turbine", "model-parts-0.json")
        assert entry.details == {"unit": "kW", "$distribution": "acme-codecs"}
        spool.store(tmp_path / "bench")
    (back,) = decode(encoded, ArtifactReader(tmp_path / "bench", {"model-parts-0": entry}))["parts"]
    assert type(back).__name__ == "Turbine"
    assert back.power == 3


def test_without_it_the_package_to_install_is_named(site, tmp_path, monkeypatch):
    with ArtifactSpool() as spool:
        encoded = encode(turbine(3), spool, "model")
        spool.store(tmp_path / "bench")
        monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(site)])
        with pytest.raises(ArtifactError, match="codec 'turbine' is not installed") as caught:
            decode(encoded, ArtifactReader(tmp_path / "bench", spool.entries))
    assert "pip install acme-codecs" in caught.value.hint


def entry_of(content: bytes, codec: str, **details) -> ArtifactEntry:
    sha256 = hashlib.sha256(content).hexdigest()
    return ArtifactEntry(sha256=sha256, size=len(content), codec=codec, file_name="x.json", details=details)


def stored(directory: Path, content: bytes, codec: str, **details) -> ArtifactReader:
    entry = entry_of(content, codec, **details)
    path = directory / entry.path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return ArtifactReader(directory, {"x": entry})


def test_a_hostile_package_name_is_not_repeated(tmp_path):
    reader = stored(tmp_path, b"x", "nothing", **{"$distribution": "evil; rm -rf /"})
    with pytest.raises(ArtifactError) as caught:
        reader.read("x")
    assert "evil" not in str(caught.value)


def test_codecs_are_looked_up_by_reading_only(site, tmp_path):
    reader = stored(tmp_path / "bench", b"3", "turbine", unit="kW")
    assert reader.sha256("x") == hashlib.sha256(b"3").hexdigest()
    assert reader.path("x").read_bytes() == b"3"
    assert not (site / "imported").exists()
    assert reader.read("x").power == 3
    assert (site / "imported").exists()


def test_builtin_types_do_not_import_codecs(site):
    with ArtifactSpool() as spool:
        encode([np.zeros(2), b"x", np.float32(1), ["y" * 5000]], spool, "x")
    assert not (site / "imported").exists()


@pytest.mark.parametrize(
    ("power", "message"),
    [
        (None, "'wheel' cannot be kept: the codec 'turbine' failed .ValueError: no power"),
        ("details", "'turbine' failed"),
        ("long", "more details"),
        ("ask", "failed to say whether"),
    ],
)
def test_codecs_that_fail(site, power, message):
    with ArtifactSpool() as spool, pytest.raises(ArtifactError, match=message):
        encode(turbine(power), spool, "wheel")


def test_a_codec_that_cannot_read(site, tmp_path):
    reader = stored(tmp_path / "bench", b"{", "turbine", unit="kW")
    with pytest.raises(ArtifactError, match="'turbine' could not read the artifact 'x'"):
        reader.read("x")


@pytest.mark.parametrize(
    ("entry_point", "module"),
    [
        ("broken = acme_codecs:TurbineCodec", "raise RuntimeError('at import')"),
        ("broken = acme_codecs:Missing", MODULE),
        ("broken = acme_codecs:TurbineCodec", MODULE),
        ("broken = acme_codecs:Turbine", MODULE),
        ("broken = no_such_module:Codec", MODULE),
    ],
)
def test_broken_packages_are_named(tmp_path, monkeypatch, entry_point, module):
    install(tmp_path / "site", entry_point, module)
    monkeypatch.syspath_prepend(tmp_path / "site")
    try:
        with pytest.raises(ArtifactError, match="codec 'broken' of acme-codecs"):
            codec_named("broken")
        with ArtifactSpool() as spool, pytest.raises(ArtifactError, match="acme-codecs"):
            encode(object(), spool, "x")
    finally:
        sys.modules.pop("acme_codecs", None)


def test_a_package_cannot_replace_a_builtin_codec(tmp_path, monkeypatch):
    install(tmp_path / "site", "array = acme_codecs:TurbineCodec")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert type(codec_named("array").codec).__name__ == "ArrayCodec"
    assert codec_named("array").distribution is None
    assert not (tmp_path / "site" / "imported").exists()


def test_a_name_like_another_is_suggested():
    with pytest.raises(ArtifactError, match="not installed") as caught:
        codec_named("tabel")
    assert "table" in caught.value.hint


def test_nothing_accepts_any_object():
    assert codec_for(object()) is None
    assert [codec.name for codec in builtin_codecs()] == ["file", "bytes", "array", "table", "json"]


@pytest.mark.parametrize(
    ("content", "codec", "details"),
    [
        (b"\x80\x04cos\nsystem\n", "array", {}),
        (b"x", "table", {}),
        (b"x", "bytes", {"type": "memoryview"}),
        (b"x", "bytes", {"type": ["bytes"]}),
        (b"{", "json", {}),
        (b"[NaN]", "json", {}),
        (b"[1e999]", "json", {}),
        (b"\xff", "json", {}),
        (b'{"a":1,"a":2}', "json", {}),
        (b"[" * 1_000_000, "json", {}),
        (b"[" * 500 + b"]" * 500, "json", {}),
        (b"9" * 100_000, "json", {}),
        (b'{"$artifact":"x"}', "json", {}),
        (b'{"$nothing":1}', "json", {}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_hostile_artifacts_are_format_errors(tmp_path, content, codec, details):
    with pytest.raises(FormatError, match=r"artifacts/[0-9a-f]{16}/x\.json"):
        stored(tmp_path, content, codec, **details).read("x")


def test_unknown_names(tmp_path):
    reader = stored(tmp_path, b"x", "bytes")
    for ask in (reader.read, reader.path, reader.sha256):
        with pytest.raises(FormatError, match="no artifact 'y'"):
            ask("y")


def test_changed_bytes_reach_no_codec(site, tmp_path):
    reader = stored(tmp_path / "bench", b"3", "turbine", unit="kW")
    next((tmp_path / "bench").rglob("x.json")).write_bytes(b"4")
    with pytest.raises(FormatError, match="SHA-256"):
        reader.read("x")


def test_hashes_of_the_paths_that_were_handed_out(tmp_path):
    (tmp_path / "wind.csv").write_text("a\n")
    with ArtifactSpool() as spool:
        encoded = encode([tmp_path / "wind.csv", str(tmp_path / "wind.csv"), b"x"], spool, "v")
        spool.store(tmp_path / "bench")
        reader = ArtifactReader(tmp_path / "bench", spool.entries)
        assert reader.hashes == {}
        path, text, _ = decode(encoded, reader)
        assert reader.hashes == {path: hashlib.sha256(b"a\n").hexdigest()}
        assert Path(text) == path


def test_dicts_keep_their_order_in_json(tmp_path):
    value = {"z": "x" * 5000, "a": [{"y": 1, "b": (2,)}]}
    with ArtifactSpool() as spool:
        encoded = encode(value, spool, "v")
        spool.store(tmp_path)
        back = decode(encoded, ArtifactReader(tmp_path, spool.entries))
    assert json.dumps(back) == json.dumps(value)
    assert back == value


def test_the_same_hashes_in_another_process():
    code = textwrap.dedent(
        """
        import numpy as np, pandas as pd
        from pytupli_registry.benchmarks.arguments import encode
        from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
        with ArtifactSpool() as spool:
            encode({"a": np.arange(5.0), "b": pd.DataFrame({"x": [1.5], "y": ["é"]}), "c": ["z" * 5000, {"s": 1, "r": 2}]},
                   spool, "v")
            print(sorted(spool.contents))
        """
    )

    def ran(seed: str) -> str:
        environment = {"PYTHONHASHSEED": seed}
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        ).stdout

    first = ran("1")
    assert first.count("'") == 6
    assert ran("2") == first
