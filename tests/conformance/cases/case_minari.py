"""Minari, unchanged: upload, list, show, download, namespaces, combined datasets."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hub import MINARI_ORGANIZATION, OWNER, STRANGER, client, new_name

pytestmark = client(">=2", "Minari is in the project's own environment")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "datasets"


@pytest.fixture
def python(place, tmp_path):
    """Runs Python code in a process of its own with Minari's remote and this place; returns its last line as JSON."""

    def run(code, token=OWNER.token, home="home", folder=place, fails=False):
        folder.mkdir(exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if name != "HF_TOKEN"},
            "HF_HOME": str(tmp_path / home),
            "MINARI_REMOTE": f"hf://{MINARI_ORGANIZATION}",
            "MINARI_DATASETS_PATH": str(folder),
            **({"HF_TOKEN": token} if token else {}),
        }
        head = "import json, minari, numpy as np, gymnasium as gym\nfrom minari import namespace\n"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", head + MAKE + code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return (
            done.stderr
            if fails
            else json.loads(done.stdout.splitlines()[-1])
            if done.stdout.strip()
            else None
        )

    return run


MAKE = """
def make(dataset_id, seed=0, episodes=3, **settings):
    rng = np.random.default_rng(seed)
    buffers = [
        minari.data_collector.EpisodeBuffer(
            id=number,
            observations=rng.normal(size=(11, 4)).astype(np.float32),
            actions=rng.integers(0, 2, size=10),
            rewards=rng.normal(size=10).tolist(),
            terminations=[False] * 9 + [True],
            truncations=[False] * 10,
            infos={},
        )
        for number in range(episodes)
    ]
    return minari.create_dataset_from_buffers(
        dataset_id, buffers, env="CartPole-v1", algorithm_name="random", author="A", author_email="a@example.org",
        code_permalink="https://example.org", **settings
    )
"""


def upload(python, dataset_id, **settings):
    python(
        f"make({dataset_id!r}, **{settings!r})\nminari.upload_dataset({dataset_id!r}, {OWNER.token!r})\nprint(1)"
    )


def listed(python, **settings):
    return python("print(json.dumps(sorted(minari.list_remote_datasets())))", **settings)


@pytest.fixture
def word():
    return new_name("ns").replace("-", "")


def test_there_and_back(python, word, place, tmp_path):
    dataset_id = f"{word}/random-v0"
    upload(python, dataset_id)
    assert dataset_id in listed(python)
    shutil.rmtree(place)
    found = python(
        f"minari.download_dataset({dataset_id!r})\nd = minari.load_dataset({dataset_id!r})\n"
        "print(json.dumps([d.total_episodes, int(d.total_steps), float(sum(e.rewards.sum() for e in d))]))",
        home="another",
    )
    assert found[:2] == [3, 30]
    with (place / word / "random-v0" / "data" / "metadata.json").open() as stream:
        assert json.load(stream)["dataset_id"] == dataset_id
    again = python(
        f"minari.delete_dataset({dataset_id!r})\n"
        f"minari.download_dataset({dataset_id!r}, force_download=True)\nd = minari.load_dataset({dataset_id!r})\n"
        "print(json.dumps(float(sum(e.rewards.sum() for e in d))))"
    )
    assert again == found[2]


def test_many_datasets_versions_and_namespaces(python, word):
    other = word + "other"
    for dataset_id in (f"{word}/a-v0", f"{word}/a-v1", f"{word}/b-v0", f"{other}/c-v0"):
        upload(python, dataset_id, episodes=1)
    found = listed(python)
    assert {f"{word}/a-v0", f"{word}/a-v1", f"{word}/b-v0", f"{other}/c-v0"} <= set(found)
    latest = python(
        f"print(json.dumps(sorted(minari.list_remote_datasets(prefix={word + '/'!r}, latest_version=True))))"
    )
    assert latest == [f"{word}/a-v1", f"{word}/b-v0"]


def test_nested_namespaces(python, word, place):
    namespace = f"{word}/deep/er"
    python(
        f"namespace.create_namespace({namespace!r}, description='Deep', author='A')\n"
        f"namespace.upload_namespace({namespace!r}, {OWNER.token!r})\nprint(1)"
    )
    upload(python, f"{namespace}/d-v0", episodes=1)
    assert namespace in python("print(json.dumps(sorted(namespace.list_remote_namespaces())))")
    assert f"{namespace}/d-v0" in listed(python)
    shutil.rmtree(place)
    python(f"minari.download_dataset({namespace + '/d-v0'!r})\nprint(1)")
    found = json.loads((place / namespace / "namespace_metadata.json").read_text())
    assert found["description"] == "Deep"


def test_combined_datasets(python, word, place):
    first, second, both = (f"{word}/{name}-v0" for name in ("first", "second", "both"))
    for dataset_id in (first, second):
        upload(python, dataset_id, episodes=2)
    python(
        f"minari.combine_datasets([minari.load_dataset(name) for name in {(first, second)!r}], {both!r})\n"
        f"minari.upload_dataset({both!r}, {OWNER.token!r})\nprint(1)"
    )
    shutil.rmtree(place)
    found = python(
        f"minari.download_dataset({both!r})\nd = minari.load_dataset({both!r})\n"
        "print(json.dumps([d.total_episodes, int(d.total_steps)]))"
    )
    assert found == [4, 40]


def test_who_sees_it(python, word, api, stranger):
    dataset_id = f"{word}/random-v0"
    upload(python, dataset_id, episodes=1)
    repo = f"{MINARI_ORGANIZATION}/{word}"
    api.update_repo_settings(repo, private=False, repo_type="dataset")
    for token in (OWNER.token, STRANGER.token, None):
        assert dataset_id in listed(python, token=token)
    api.update_repo_settings(repo, private=True, repo_type="dataset")
    assert dataset_id in listed(python)
    for token in (STRANGER.token, None):
        assert dataset_id not in listed(python, token=token)
    assert not stranger.repo_exists(repo, repo_type="dataset")


def test_strangers_cannot_upload(python, word):
    said = python(
        f"make({word + '/x-v0'!r})\nminari.upload_dataset({word + '/x-v0'!r}, {STRANGER.token!r})",
        token=STRANGER.token,
        fails=True,
    )
    assert "403" in said


def test_arrow_format(python, word, place):
    dataset_id = f"{word}/arrow-v0"
    upload(python, dataset_id, data_format="arrow")
    shutil.rmtree(place)
    found = python(
        f"minari.download_dataset({dataset_id!r})\nd = minari.load_dataset({dataset_id!r})\n"
        "print(json.dumps([d.total_episodes, int(d.total_steps)]))"
    )
    assert found == [3, 30]


def test_what_would_break_the_listing_is_refused(python, word):
    """An un-namespaced dataset makes `minari list remote` fail for the whole organization."""
    said = python(
        f"make({word + '-v0'!r})\nminari.upload_dataset({word + '-v0'!r}, {OWNER.token!r})", fails=True
    )
    assert "namespace" in said
    listed(python)


def test_command_line(python, word, place, tmp_path):
    dataset_id = f"{word}/random-v0"
    python(f"make({dataset_id!r}, episodes=1)\nprint(1)")
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "home"),
        "MINARI_REMOTE": f"hf://{MINARI_ORGANIZATION}",
        "MINARI_DATASETS_PATH": str(place),
        "COLUMNS": "250",
        "NO_COLOR": "1",
    }

    def minari(*words):
        done = subprocess.run(
            [Path(sys.executable).parent / "minari", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            input="y\n",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # What Minari calls a path is the token itself, unless the remote is Google's.
    minari("upload", dataset_id, "--key-path", OWNER.token)
    assert dataset_id in minari("list", "remote")
    minari("delete", dataset_id)
    assert "CartPole-v1" in minari("show", dataset_id)
    minari("download", dataset_id)
    assert dataset_id in minari("list", "local")
