"""The guard: Minari's own steps pass, what would end its listing does not, and concurrent writers lose nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.wire.names import RepoType

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE = "namespace_metadata.json"


def metadata(dataset_id: str, /, **changes: object) -> bytes:
    said = {
        "dataset_id": dataset_id,
        "total_episodes": 2,
        "total_steps": 10,
        "dataset_size": 0.1,
        "minari_version": "0.5.4",
    } | changes
    return json.dumps({key: value for key, value in said.items() if value is not ...}).encode()


def dataset(name: str, /, repository: str = "walker", **changes: object) -> dict[str, bytes]:
    return {
        f"{name}/data/metadata.json": metadata(f"{repository}/{name}", **changes),
        f"{name}/data/main_data.hdf5": f"HDF5 of {name}".encode(),
    }


def listing(*datasets: str, **further: object) -> bytes:
    return json.dumps({"datasets": list(datasets), **further}).encode()


@pytest.fixture
def namespace(workshop) -> Iterator[object]:
    workshop.create("walker")
    workshop.commit("walker", {NAMESPACE: b"{}"})
    return workshop


class TestMinarisOwnSteps:
    def test_namespace_file_then_dataset_then_namespace_file(self, workshop, walker):
        workshop.create("walker")
        workshop.commit("walker", {NAMESPACE: walker[NAMESPACE]})
        workshop.commit("walker", {k: v for k, v in walker.items() if k != NAMESPACE})
        workshop.commit("walker", {NAMESPACE: listing("walker/random-v0")})
        assert workshop.namespace("walker") == {"datasets": ["walker/random-v0"]}

    def test_writing_the_list_in_another_order_changes_nothing(self, namespace):
        namespace.commit("walker", {**dataset("a-v0"), **dataset("b-v0")})
        head = namespace.commit("walker", {NAMESPACE: listing("walker/a-v0", "walker/b-v0")})
        assert namespace.commit("walker", {NAMESPACE: listing("walker/b-v0", "walker/a-v0")}) == head

    def test_a_namespace_below_is_listed_before_its_file_comes(self, namespace):
        namespace.commit("walker", {NAMESPACE: b'{"namespaces": ["walker/left"]}'})
        namespace.commit("walker", {f"left/{NAMESPACE}": b"{}"})
        namespace.commit("walker", dataset("left/a-v0"))
        assert namespace.namespace("walker") == {
            "namespaces": ["walker/left"],
            "datasets": ["walker/left/a-v0"],
        }

    def test_episodes_in_folders_may_come_in_several_commits(self, namespace, arrow):
        files = {f"arrow-v0/{path}": content for path, content in arrow.items()}
        first = {path: content for path, content in files.items() if "/data/2/" not in path}
        namespace.commit("walker", first)
        assert namespace.namespace("walker") == {}  # Minari would not resume an upload of what is listed
        namespace.commit("walker", {path: files[path] for path in files.keys() - first.keys()})
        assert namespace.namespace("walker") == {"datasets": ["walker/arrow-v0"]}


class TestNothingIsLost:
    def test_a_writer_who_did_not_know_of_another(self, namespace):
        namespace.commit("walker", dataset("a-v0"))
        namespace.commit("walker", dataset("b-v0"))
        namespace.commit("walker", {NAMESPACE: listing("walker/a-v0")})
        namespace.commit("walker", {NAMESPACE: listing("walker/b-v0", description="new")})
        assert namespace.namespace("walker") == {
            "datasets": ["walker/a-v0", "walker/b-v0"],
            "description": "new",
        }

    def test_a_namespace_below_that_another_writer_listed(self, namespace):
        namespace.commit("walker", {NAMESPACE: b'{"namespaces": ["walker/left"]}'})
        namespace.commit("walker", {NAMESPACE: b'{"namespaces": ["walker/right"]}'})
        namespace.commit("walker", {f"left/{NAMESPACE}": b"{}"})
        namespace.commit("walker", {f"right/{NAMESPACE}": b"{}"})
        assert namespace.namespace("walker")["namespaces"] == ["walker/left", "walker/right"]

    def test_what_is_deleted_goes(self, namespace):
        namespace.commit("walker", {**dataset("a-v0"), **dataset("b-v0"), f"left/{NAMESPACE}": b"{}"})
        namespace.commit("walker", {"a-v0": None, f"left/{NAMESPACE}": None})
        assert namespace.namespace("walker") == {"datasets": ["walker/b-v0"], "namespaces": []}

    def test_what_does_not_exist_is_not_listed(self, namespace):
        names = ["walker/none-v0", "other/a-v0", "walker", "walker/../a-v0", "", "walker//a-v0", "/", "a-v0"]
        namespace.commit("walker", {NAMESPACE: listing(*names, "walker/a-v0"), **dataset("a-v0")})
        assert namespace.namespace("walker") == {"datasets": ["walker/a-v0"]}

    def test_a_file_that_is_right_keeps_its_bytes(self, namespace):
        text = b'{"datasets":\t["walker/a-v0"],  "description": "\xc3\xa4"}\n'
        namespace.commit("walker", {NAMESPACE: text, **dataset("a-v0")})
        assert namespace.read("walker", NAMESPACE) == text

    def test_on_every_branch_of_its_own(self, namespace):
        from pytupli_registry.server.services.refs import create_branch
        from pytupli_registry.server.services.repositories import lookup
        from pytupli_registry.server.wire.names import RepoId

        with namespace.hub.database.write() as session:
            repository = lookup(session, RepoId(RepoType.DATASET, "acme", "walker"))
            create_branch(session, repository.id, "draft", None)
        namespace.commit("walker", dataset("a-v0"), branch="draft")
        assert json.loads(namespace.read("walker", NAMESPACE, "draft")) == {"datasets": ["walker/a-v0"]}
        assert namespace.namespace("walker") == {}


class TestRefusals:
    def test_a_dataset_without_a_namespace(self, workshop, walker):
        workshop.create("random-v0")
        files = {path.removeprefix("random-v0/"): walker[path] for path in walker if path != NAMESPACE}
        with pytest.raises(BadRequest, match=r"(?s)everyone in acme.*such as \"random/random-v0\""):
            workshop.commit("random-v0", files)

    def test_the_namespace_file_beside_a_dataset_at_the_root_stays(self, workshop, walker):
        workshop.create("walker")
        workshop.commit("walker", {NAMESPACE: b"{}", "data/metadata.json": metadata("walker-v0")})
        with pytest.raises(BadRequest, match="no namespace"):
            workshop.commit("walker", {NAMESPACE: None})

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"dataset_id": ...}, '"dataset_id" is missing. Set it to "walker/a-v0"'),
            ({"dataset_id": "walker/b-v0"}, 'Set "dataset_id" to "walker/a-v0"'),
            ({"total_steps": ...}, '"total_steps" must be a number'),
            ({"dataset_size": "1 MB"}, '"dataset_size" must be a number'),
            ({"author": ["[/x]"]}, '"author" must be'),
            ({"minari_version": ["0.5.4"]}, '"minari_version" must be a text'),
        ],
    )
    def test_metadata_that_would_end_the_listing(self, namespace, changes, told):
        with pytest.raises(BadRequest) as raised:
            namespace.commit("walker", dataset("a-v0", **changes))
        assert "a-v0/data/metadata.json: " in raised.value.message
        assert told in raised.value.message
        assert namespace.read("walker", "a-v0/data/metadata.json") is None

    def test_all_problems_are_told_at_once(self, namespace):
        with pytest.raises(BadRequest) as raised:
            namespace.commit(
                "walker",
                {**dataset("a-v0", total_steps=...), **dataset("b-v0", dataset_id="x"), NAMESPACE: b"[]"},
            )
        assert raised.value.message.count("\n- ") == 3

    def test_a_dataset_that_was_there_before_its_namespace(self, workshop):
        workshop.create("walker")
        workshop.commit("walker", dataset("a-v0", total_steps=...))
        workshop.commit("walker", {NAMESPACE: b"{}"})
        with pytest.raises(BadRequest, match="total_steps"):
            workshop.commit("walker", {NAMESPACE: listing("walker/a-v0")})

    def test_the_settings_can_allow_it(self, namespace):
        namespace.configure(minari_guard=False)
        namespace.commit("walker", {**dataset("a-v0", total_steps=...), NAMESPACE: b"[]"})
        assert namespace.read("walker", NAMESPACE) == b"[]"

    def test_a_card_that_the_hub_refuses(self, workshop):
        workshop.create("plain")
        with pytest.raises(BadRequest, match=r'Invalid metadata in README.md.\n- "license" must be one of'):
            workshop.commit("plain", {"README.md": b"---\nlicense: mine\n---\n"})


class TestOthersAreLeftAlone:
    @pytest.mark.parametrize(
        "files",
        [
            {"data/metadata.json": b"{}", "data/train.csv": b"a,b"},
            {"data/metadata.json": b"not JSON"},
            {"x/data/metadata.json": b"[]", "x/data/main_data.hdf5": b"1"},
            dataset("a-v0", repository="other"),
            {f"below/{NAMESPACE}": b"no JSON"},
            {"data": b"a file", "metadata.json": b"{}"},
        ],
    )
    def test_repositories_that_minari_does_not_list(self, workshop, files):
        workshop.create("plain")
        workshop.commit("plain", files)
        for path, content in files.items():
            assert workshop.read("plain", path) == content

    def test_models(self, workshop):
        workshop.create("policy", RepoType.MODEL)
        workshop.commit("policy", {NAMESPACE: b"[]"}, type_=RepoType.MODEL)

    def test_other_json_in_a_namespace(self, namespace):
        namespace.commit("walker", {"artifacts/data/metadata.json": b'{"units": "kW"}'})
        assert namespace.namespace("walker") == {}

    def test_a_repository_that_was_broken_before_can_be_mended(self, workshop):
        workshop.create("walker")
        workshop.configure(minari_guard=False)
        workshop.commit("walker", {NAMESPACE: b"[]", **dataset("a-v0", total_steps=...)})
        workshop.configure(minari_guard=True)
        workshop.commit("walker", {"notes.txt": b"1"})
        workshop.commit("walker", {"b-v0/data/notes.txt": b"1", NAMESPACE: b"{}"})
        workshop.commit("walker", dataset("a-v0"))
        assert workshop.namespace("walker") == {"datasets": ["walker/a-v0"]}

    def test_a_renamed_repository_keeps_its_datasets(self, namespace):
        from pytupli_registry.server.services.repositories import move
        from pytupli_registry.server.wire.names import RepoId

        namespace.commit("walker", dataset("a-v0"))
        with namespace.hub.database.write() as session:
            source = RepoId(RepoType.DATASET, "acme", "walker")
            move(session, namespace.hub, namespace.caller, source, RepoId(RepoType.DATASET, "acme", "runner"))
        namespace.commit("runner", dataset("b-v0", repository="runner"))
        namespace.commit("runner", dataset("a-v0", repository="walker", total_steps=11))
        assert namespace.namespace("runner") == {"datasets": ["runner/b-v0", "walker/a-v0"]}


def test_a_root_file_of_others_is_refused_only_beside_namespaces(workshop, walker):
    workshop.create("plain")
    workshop.commit("plain", {"data/metadata.json": b"{}"})
    workshop.create("walker")
    workshop.commit("walker", walker)
    workshop.create("second")
    with pytest.raises(BadRequest, match=r"add a namespace_metadata.json that contains {} beside it"):
        workshop.commit("second", {"data/metadata.json": b"{}"})
    workshop.commit("second", {"data/metadata.json": b"{}", NAMESPACE: b"{}"})
