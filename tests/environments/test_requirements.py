"""Requirements: looked up in what is installed, and told as a line that is safe to paste."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.environments.requirements import (
    check_requirements,
    parse_requirement,
    requirements_of,
)
from pytupli_registry.errors import FormatError, RequirementsMissing

if TYPE_CHECKING:
    from pathlib import Path


def install(site: Path, name: str, version: str, *metadata: str, **files: str) -> None:
    """Lay out an installed distribution by hand."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    for file, content in files.items():
        (info / file.replace("__", ".")).write_text(content)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_what_is_installed_passes(site: Path) -> None:
    install(
        site, "Acme-Envs", "2.1.0+cpu", "Provides-Extra: grid", "Requires-Dist: acme-grid>=1; extra == 'grid'"
    )
    install(site, "acme-grid", "1.5")
    check_requirements(
        [
            ("acme_envs>=2,<3", "2.1.0"),
            ("ACME.envs[grid]~=2.1", None),
            ("gymnasium>=1.0.0", "1.0.0"),
            ("numpy", None),
        ]
    )


def test_everything_that_does_not_fit_is_told_with_the_line_that_installs_it(site: Path) -> None:
    install(site, "acme-envs", "1.0")
    with pytest.raises(RequirementsMissing) as error:
        check_requirements(
            [
                ("acme-envs[grid,wind] >=2, <3", "2.1"),
                ("no-such-package", None),
                ("numpy", None),
                ("absent==1.*", "1.5"),
            ]
        )
    assert error.value.hint == "pip install 'acme-envs[grid,wind]<3,>=2' no-such-package 'absent==1.*'"
    assert shlex.split(str(error.value.hint))[2:] == [
        "acme-envs[grid,wind]<3,>=2",
        "no-such-package",
        "absent==1.*",
    ]
    assert "acme-envs 1.0 is installed, and <3,>=2 is needed (made with 2.1)" in error.value.message
    assert "no-such-package is missing" in error.value.message
    assert len(error.value.missing) == 3


def test_what_an_extra_asks_for_is_looked_up_too(site: Path) -> None:
    install(
        site,
        "acme-envs",
        "2.0",
        "Provides-Extra: grid",
        "Provides-Extra: all",
        "Requires-Dist: acme-grid>=3; extra == 'grid'",
        "Requires-Dist: elsewhere; extra == 'grid' and sys_platform == 'plan9'",
        "Requires-Dist: acme-envs[grid]; extra == 'all'",
        "Requires-Dist: not-asked-for",
    )
    with pytest.raises(RequirementsMissing, match=r"acme-envs\[grid\]: acme-grid is missing"):
        check_requirements([("acme-envs[grid]", None)])
    install(site, "acme-grid", "2.9")
    with pytest.raises(RequirementsMissing, match=r"acme-grid 2.9 is installed, and >=3 is needed"):
        check_requirements([("acme-envs[all]", None)])
    with pytest.raises(RequirementsMissing, match=r"knows no extra \[wind\]"):
        check_requirements([("acme-envs[wind]", None)])


def test_extras_that_ask_for_each_other_end(site: Path) -> None:
    install(site, "acme", "1", "Provides-Extra: a", "Requires-Dist: acme[a]; extra == 'a'")
    check_requirements([("acme[a]", None)])


HOSTILE = [
    "",
    " ",
    "--index-url http://evil.example/",
    "-r requirements.txt",
    "-e .",
    ".",
    "./acme",
    "/srv/acme",
    "../acme",
    "acme @ file:///srv/acme",
    "acme @ https://evil.example/acme.whl",
    "acme@git+https://evil.example/acme",
    "git+https://evil.example/acme",
    "https://evil.example/acme.whl",
    "acme.whl --hash=x",
    "acme --extra-index-url http://evil.example/",
    "acme; os_name == 'posix'",
    "acme; python_version < '4'",
    "acme; rm -rf ~",
    "acme && id",
    "acme | sh",
    "acme > /etc/x",
    "acme $(id)",
    "acme `id`",
    "acme 'quoted'",
    "acme\nevil",
    "acme\r\nevil",
    "acme\\",
    "acme\x1b[2J",
    "acme\x00",
    "acmé",
    "аcme",  # noqa: RUF001 - a Cyrillic letter
    "acme\u202e",
    "acme other",
    "acme[grid",
    "acme>=",
    "acme>=1 --pre",
    "acme===1;x",
    "a" * 201,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_more_than_name_extras_and_versions_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="no requirement") as error:
        check_requirements([("numpy", None), (text, None)])
    assert str(error.value).isprintable()


def test_there_cannot_be_too_many() -> None:
    with pytest.raises(FormatError, match="more than"):
        check_requirements([("numpy", None)] * 101)


@given(st.text(alphabet="ab-_.[],<>=~!*+ @;:/'\"$&|\\\n1", max_size=20))
def test_whatever_is_accepted_is_safe_in_a_shell(text: str) -> None:
    try:
        requirement = parse_requirement(text)
    except FormatError:
        return
    assert requirement.url is None
    assert requirement.marker is None
    assert not text.startswith("-")
    try:
        check_requirements([(text, None)])
    except RequirementsMissing as error:
        pip, install_, *rest = shlex.split(str(error.hint))
        assert (pip, install_, len(rest)) == ("pip", "install", 1)
        assert not rest[0].startswith("-")
        assert not set(rest[0]) & set("@;:/'\"$&|\\\n ")


def test_modules_name_the_distributions_they_come_from() -> None:
    found = dict(requirements_of(["numpy.random", "pytupli_registry.environments", "json", "no_such_module"]))
    version = importlib.metadata.version("numpy")
    assert found[f"numpy>={version}"] == version
    assert found["gymnasium>=1.0.0"] == "1.0.0"
    assert {name.partition(">")[0] for name in found} == {"gymnasium", "numpy", "pytupli-registry"}
    check_requirements(found.items())


def test_mujoco_is_named_where_gymnasiums_own_environments_need_it() -> None:
    names = [name.partition(">")[0] for name, _ in requirements_of(["gymnasium.envs.mujoco.reacher_v5"])]
    assert names == ["gymnasium", "mujoco"]


def test_a_script_is_not_taken_for_a_package_of_its_name(site: Path, tmp_path: Path) -> None:
    install(site, "acme-scripts", "1.0", top_level__txt="acme_script\n")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "acme_script.py").write_text("raise SystemExit('imported')\n")
    sys.path.insert(0, str(tmp_path / "scripts"))  # restored by monkeypatch's syspath
    assert [name for name, _ in requirements_of(["acme_script"])] == ["gymnasium>=1.0.0"]
    (site / "acme_script.py").write_text("raise SystemExit('imported')\n")
    sys.path.remove(str(tmp_path / "scripts"))
    assert [name for name, _ in requirements_of(["acme_script"])] == ["gymnasium>=1.0.0", "acme-scripts>=1.0"]


def test_versions_and_requirements_from_before_the_rules(site: Path) -> None:
    install(
        site, "acme-old", "1.0-custom-build", "Provides-Extra: grid", "Requires-Dist: what >= is (this; extra"
    )
    check_requirements([("acme-old", None), ("acme-old[grid]", None)])
    with pytest.raises(RequirementsMissing, match=r"acme-old 1\.0-custom-build is installed"):
        check_requirements([("acme-old>=1", None)])


def test_editable_installs_are_found_and_single_files_are_not(site: Path, tmp_path: Path) -> None:
    source = tmp_path / "projects" / "my acme" / "src"
    (source / "acme_editable").mkdir(parents=True)
    (source / "acme_editable" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "single_file.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "site").mkdir()
    editable = {"url": source.parent.as_uri(), "dir_info": {"editable": True}}
    install(tmp_path / "site", "acme-editable-envs", "3.0+local", direct_url__json=json.dumps(editable))
    install(
        tmp_path / "site", "acme-wheel", "1.0", direct_url__json=json.dumps({"url": source.parent.as_uri()})
    )
    sys.path[:0] = [str(source), str(tmp_path / "site")]  # restored by monkeypatch's syspath
    found = requirements_of(["acme_editable.envs", "single_file"])
    assert found == [("gymnasium>=1.0.0", "1.0.0"), ("acme-editable-envs>=3.0", "3.0+local")]
    outer = {"url": (tmp_path / "projects").as_uri(), "dir_info": {"editable": True}}
    install(tmp_path / "site", "acme-outer", "1.0", direct_url__json=json.dumps(outer))
    assert requirements_of(["acme_editable.envs", "single_file"]) == found
    within = source.parent / ".venv" / "lib" / "site-packages"
    install(within, "acme-within", "1.0", top_level__txt="acme_within\n")
    (within / "acme_within.py").write_text("")
    sys.path.insert(0, str(within))
    assert [name for name, _ in requirements_of(["acme_within"])] == ["gymnasium>=1.0.0", "acme-within>=1.0"]
