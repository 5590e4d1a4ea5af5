"""Cards: their checks, their upload, changes of their metadata."""

import pytest
from hub import client, request
from huggingface_hub import (
    DatasetCard,
    DatasetCardData,
    ModelCard,
    ModelCardData,
    RepoCard,
    SpaceCard,
    metadata_load,
    metadata_update,
)
from huggingface_hub.utils import EntryNotFoundError

# Before 2.0 `validate` and all that use it ask huggingface.co, whatever the endpoint is.
OWN_CHECKS = client(">=2", "cards are checked at huggingface.co, whatever the endpoint is")
GOOD = "---\nlicense: mit\nlanguage:\n- en\n---\n\n# Heat and air\n"
BAD = "---\nlicense: not-a-license\n---\n\n# Heat and air\n"


@OWN_CHECKS
@pytest.mark.parametrize(
    ("card_class", "kind"), [(ModelCard, "model"), (DatasetCard, "dataset"), (SpaceCard, "space")]
)
def test_push_and_load(make_repo, card_class, kind):
    repo = make_repo(kind)
    card = card_class(GOOD)
    card.push_to_hub(repo)
    loaded = card_class.load(repo)
    assert loaded.data.license == "mit"
    assert "# Heat and air" in loaded.text


@OWN_CHECKS
def test_push_as_a_pull_request(api, repo):
    url = DatasetCard(GOOD).push_to_hub(repo, create_pr=True)
    assert "/commit/" in url or "/discussions/1" in url
    assert not api.file_exists(repo, "README.md", repo_type="dataset")
    assert api.file_exists(repo, "README.md", revision="refs/pr/1", repo_type="dataset")


@OWN_CHECKS
def test_validation():
    RepoCard(GOOD).validate(repo_type="dataset")
    RepoCard(GOOD).validate(repo_type="model")
    with pytest.raises(ValueError, match='"license" must be one of'):
        RepoCard(BAD).validate(repo_type="dataset")


@OWN_CHECKS
def test_bad_cards_are_not_pushed(api, repo):
    with pytest.raises(ValueError, match="license"):
        DatasetCard(BAD).push_to_hub(repo)
    assert not api.file_exists(repo, "README.md", repo_type="dataset")


@client(">=0.30", "clients check cards before a commit since 0.25")
def test_bad_cards_are_not_committed(api, repo, commit):
    with pytest.raises(ValueError, match=r"Invalid metadata in README\.md"):
        commit(repo, {"README.md": BAD.encode(), "a.txt": b"a"})
    assert not api.file_exists(repo, "a.txt", repo_type="dataset")


@client(">=0.30", "clients check cards before a commit since 0.25")
def test_cards_without_metadata_are_remarked(api, repo, commit):
    with pytest.warns(UserWarning, match=r"Warnings while validating metadata in README\.md"):
        commit(repo, {"README.md": b"# No metadata\n"})
    assert api.file_exists(repo, "README.md", repo_type="dataset")


@OWN_CHECKS
@pytest.mark.parametrize(
    "card",
    [
        "---\nlicense: [mit, apache-2.0]\n---\n",
        "---\nlicense: other\nlicense_name: own\nlicense_link: LICENSE\n---\n",
        "---\ntags: [a, b]\npretty_name: Äpfel\nsize_categories: [n<1K]\ntask_categories: [reinforcement-learning]\n---\n",
        "---\nconfigs:\n- config_name: default\n  data_files: data/*.parquet\n---\n",
        "---\nextra_gated_prompt: Ask first\nextra_gated_fields:\n  Company: text\n---\n",
        "---\nunknown_field: {a: [1, 2]}\n---\n",
    ],
)
def test_cards_that_are_fine(card):
    RepoCard(card).validate(repo_type="dataset")


@pytest.mark.parametrize(
    "content", ["---\n: [\n---\n", "---\nlicense: {a: b}\n---\n", "---\na: *missing\n---\n"]
)
def test_broken_yaml(content):
    body = {"content": content, "repoType": "dataset"}
    answer = request("POST", "/api/validate-yaml", body=body)
    assert answer.status == 400
    assert b'"message"' in answer.body


def test_plain_text_for_those_who_ask():
    body = {"content": BAD, "repoType": "dataset"}
    answer = request("POST", "/api/validate-yaml", body=body, headers={"Accept": "text/plain"})
    assert answer.status == 400
    assert answer.body.decode().startswith("- Error: ")


def test_entities_that_grow_do_no_harm():
    bomb = "---\na: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    answer = request("POST", "/api/validate-yaml", body={"content": bomb + "---\n", "repoType": "dataset"})
    assert answer.status < 500


@OWN_CHECKS
def test_metadata_update(api, repo, tmp_path):
    DatasetCard(GOOD).push_to_hub(repo)
    metadata_update(repo, {"pretty_name": "Heat", "tags": ["hvac"]}, repo_type="dataset")
    metadata_update(repo, {"license": "apache-2.0"}, repo_type="dataset", overwrite=True)
    with pytest.raises(ValueError, match="overwrite"):
        metadata_update(repo, {"license": "mit"}, repo_type="dataset")
    path = api.hf_hub_download(repo, "README.md", repo_type="dataset", cache_dir=tmp_path)
    found = metadata_load(path)
    assert (found["license"], found["pretty_name"], found["tags"]) == ("apache-2.0", "Heat", ["hvac"])
    assert api.dataset_info(repo).card_data.pretty_name == "Heat"


@OWN_CHECKS
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_metadata_update_of_a_repository_without_card(api, make_repo, kind):
    repo = make_repo(kind)
    metadata_update(repo, {"tags": ["new"]}, repo_type=kind)
    assert "new" in api.repo_info(repo, repo_type=kind).tags


@OWN_CHECKS
def test_metadata_update_as_a_pull_request(api, repo, tmp_path):
    DatasetCard(GOOD).push_to_hub(repo)
    metadata_update(repo, {"pretty_name": "Heat"}, repo_type="dataset", create_pr=True)
    assert api.dataset_info(repo).card_data.pretty_name is None
    path = api.hf_hub_download(
        repo, "README.md", repo_type="dataset", revision="refs/pr/1", cache_dir=tmp_path
    )
    assert metadata_load(path)["pretty_name"] == "Heat"


@pytest.mark.parametrize(("card_class", "kind"), [(ModelCard, "model"), (DatasetCard, "dataset")])
def test_load(make_repo, commit, card_class, kind):
    repo = make_repo(kind)
    commit(repo, {"README.md": GOOD.encode()}, kind=kind)
    card = card_class.load(repo)
    assert card.data.license == "mit"
    assert "# Heat and air" in card.text


def test_load_of_a_missing_card(repo):
    with pytest.raises(EntryNotFoundError):
        DatasetCard.load(repo)


@OWN_CHECKS
def test_data_classes(make_repo):
    data = DatasetCardData(
        license="mit", language="en", pretty_name="Heat", task_categories=["reinforcement-learning"]
    )
    dataset = make_repo()
    DatasetCard(f"---\n{data.to_yaml()}\n---\n# Heat\n").push_to_hub(dataset)
    assert DatasetCard.load(dataset).data.to_dict() == data.to_dict()
    data = ModelCardData(license="mit", library_name="d3rlpy", tags=["offline-rl"])
    model = make_repo("model")
    ModelCard(f"---\n{data.to_yaml()}\n---\n# Policy\n").push_to_hub(model)
    assert ModelCard.load(model).data.library_name == "d3rlpy"
