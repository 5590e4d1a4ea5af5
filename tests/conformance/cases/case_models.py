"""Repositories of policies: their tensors' headers, and classes that store themselves."""

import json
import struct
from pathlib import Path

import pytest
from hub import OWNER, api_of, client, new_name
from huggingface_hub import ModelHubMixin
from huggingface_hub.utils import HfHubHTTPError, NotASafetensorsRepoError, RepositoryNotFoundError


def tensors(**shapes):
    """A file of safetensors: the length of its header, the header, and the numbers."""
    header, end = {"__metadata__": {"format": "np"}}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[1]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


# More than the clients fetch at first, and a header that does not fit in what they fetch.
LONG = {f"layer{number}.{'weight' * 30}": [2, 3] for number in range(600)}


@pytest.mark.parametrize("shapes", [{"weight": [200, 300]}, LONG], ids=["short", "long"])
def test_headers_are_read_without_the_tensors(api, make_repo, commit, shapes):
    repo = make_repo("model")
    commit(repo, {"model.safetensors": tensors(**shapes)}, kind="model")
    found = api.get_safetensors_metadata(repo)
    assert not found.sharded
    assert found.files_metadata["model.safetensors"].tensors.keys() == shapes.keys()
    assert found.parameter_count == {"F32": sum(rows * columns for rows, columns in shapes.values())}


def test_tensors_in_several_files(api, make_repo, commit):
    repo = make_repo("model")
    names = {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}
    index = json.dumps({"metadata": {"total_size": 48}, "weight_map": names}).encode()
    files = {path: tensors(**{name: [2, 3]}) for name, path in names.items()}
    commit(repo, {"model.safetensors.index.json": index, **files}, kind="model")
    found = api.get_safetensors_metadata(repo)
    assert (found.sharded, found.weight_map, found.parameter_count) == (True, names, {"F32": 12})


def test_models_without_tensors(api, make_repo):
    repo = make_repo("model")
    with pytest.raises(NotASafetensorsRepoError):
        api.get_safetensors_metadata(repo)
    with pytest.raises((RepositoryNotFoundError, NotASafetensorsRepoError)):
        api.get_safetensors_metadata(f"{OWNER.name}/{new_name()}")


class Policy(ModelHubMixin):
    """A policy of one number."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def _save_pretrained(self, save_directory):
        (save_directory / "gain.bin").write_bytes(struct.pack("<d", self.gain))

    @classmethod
    def _from_pretrained(cls, *, model_id, revision, token, **settings):
        path = api_of("owner").hf_hub_download(model_id, "gain.bin", revision=revision, token=token)
        (gain,) = struct.unpack("<d", Path(path).read_bytes())
        return cls(gain=gain)


@client(">=2", "its card is a template of Jinja, which is in the project's own environment only")
def test_a_class_that_stores_itself(api):
    repo = f"{OWNER.name}/{new_name()}"
    Policy(gain=2.5).push_to_hub(repo)
    assert Policy.from_pretrained(repo).gain == 2.5
    assert {"README.md", "gain.bin"} <= set(api.list_repo_files(repo))
    assert "model_hub_mixin" in api.model_info(repo).tags
    api.create_branch(repo, branch="next")
    Policy(gain=3.5).push_to_hub(repo, branch="next", private=None)
    assert Policy.from_pretrained(repo, revision="next").gain == 3.5
    assert Policy.from_pretrained(repo).gain == 2.5
    with pytest.raises(HfHubHTTPError):
        Policy.from_pretrained(f"{OWNER.name}/{new_name()}")


@pytest.mark.filterwarnings("ignore::UserWarning")
@client("<0.26", "commits on a pull request in several steps were tried in these releases only")
def test_an_upload_in_several_steps(api, make_repo, tmp_path):
    repo = make_repo("model")
    for number in range(5):
        (tmp_path / f"{number}.bin").write_bytes(b"\x00" + bytes([number]))
    api.upload_folder(folder_path=tmp_path, repo_id=repo, multi_commits=True)
    assert len(api.list_repo_files(repo)) == 6
    assert api.get_discussion_details(repo, 1).status == "merged"
