"""Listings of datasets, models and spaces: filters, order, pages and privacy."""

import pytest
from hub import ENDPOINT, ORGANIZATION, OWNER, RELEASE, client, new_name, refused, request
from huggingface_hub.utils import BadRequestError
from packaging.version import Version

KINDS = ("model", "dataset", "space")
# Clients before 0.25 pass the words of the API on.
CREATED, TRENDING = (
    ("created_at", "trending_score") if Version("0.25") <= RELEASE else ("createdAt", "trendingScore")
)


def listed(api, kind, **query):
    query.setdefault("author", OWNER.name)
    return [info.id for info in getattr(api, f"list_{kind}s")(**query)]


@pytest.fixture
def family(make_repo, api):
    """Five datasets with one word in their names, in the order of their making."""
    word = new_name("f")

    def make(kind="dataset", count=5, **settings):
        extra = {"space_sdk": "static"} if kind == "space" else {}
        return [
            api.create_repo(f"{OWNER.name}/{word}-{number}", repo_type=kind, **extra, **settings).repo_id
            for number in range(count)
        ]

    return word, make


@pytest.mark.parametrize("kind", KINDS)
def test_author_and_search(api, family, kind):
    word, make = family
    made = make(kind, 3)
    assert sorted(listed(api, kind, search=word)) == made
    assert sorted(listed(api, kind, search=word.upper())) == made
    assert listed(api, kind, search=f"{word}-1") == [made[1]]
    assert listed(api, kind, search=word, author=ORGANIZATION) == []
    assert listed(api, kind, search=new_name("nothing")) == []
    assert listed(api, kind, author=new_name("nobody")) == []


def test_more_than_a_page(api, family):
    word, make = family
    made = make(count=8)
    assert sorted(listed(api, "dataset", search=word)) == made
    assert len(listed(api, "dataset", search=word, limit=5)) == 5
    assert len(listed(api, "dataset", search=word, limit=1)) == 1


def test_pages_by_hand(family):
    word, make = family
    made = make(count=5)
    path, found = f"/api/datasets?author={OWNER.name}&search={word}&limit=2", []
    for _ in range(5):
        answer = request("GET", path, OWNER.token)
        found += [name for name in made if f'"{name}"' in answer.body.decode()]
        if "link" not in answer.headers:
            break
        link, relation = answer.headers["link"].split(";")
        assert relation.strip() == 'rel="next"'
        path = link.strip("<> ")
        assert path.startswith(ENDPOINT + "/api/datasets?")
        assert f"search={word}" in path
    assert sorted(found) == made


def test_wildcards_of_databases_mean_nothing(api, family):
    word, make = family
    make(count=2)
    assert listed(api, "dataset", search=f"{word}%") == []
    assert listed(api, "dataset", search=f"{word}_0") == []


@pytest.mark.parametrize("kind", KINDS)
def test_private_ones_are_for_those_who_may_read(api, family, stranger, anonymous, kind):
    word, make = family
    made = make(kind, 2, private=True)
    assert sorted(listed(api, kind, search=word)) == made
    assert listed(stranger, kind, search=word) == []
    assert listed(anonymous, kind, search=word) == []


def test_private_ones_of_an_organization(api, make_repo, reader, stranger):
    private = make_repo("dataset", ORGANIZATION, private=True)
    assert private in listed(reader, "dataset", author=ORGANIZATION)
    assert private not in listed(stranger, "dataset", author=ORGANIZATION)


def test_order(api, family, commit):
    word, make = family
    made = make(count=4)
    commit(made[1], {"a.txt": b"a"})
    assert listed(api, "dataset", search=word, sort=CREATED) == made[::-1]
    assert listed(api, "dataset", search=word, sort="last_modified")[0] == made[1]
    for key in ("downloads", "likes", TRENDING):
        assert sorted(listed(api, "dataset", search=word, sort=key)) == made


@client("<0.31", "`direction` is deprecated later on")
def test_order_of_the_old_clients(api, family):
    word, make = family
    made = make(count=3)
    assert listed(api, "dataset", search=word, sort="createdAt", direction=-1) == made[::-1]


def test_filters_by_tags(api, family, commit):
    word, make = family
    english, german, plain = make(count=3)
    commit(english, {"README.md": b"---\nlanguage: en\nlicense: mit\ntags: [hvac]\n---\n"})
    commit(
        german, {"README.md": b"---\nlanguage: [de, en]\ntask_categories: [reinforcement-learning]\n---\n"}
    )
    assert sorted(listed(api, "dataset", search=word, filter="language:en")) == [english, german]
    assert listed(api, "dataset", search=word, filter=["language:en", "language:de"]) == [german]
    assert listed(api, "dataset", search=word, filter="hvac") == [english]
    assert listed(api, "dataset", search=word, filter="license:mit") == [english]
    assert listed(api, "dataset", search=word, language="de") == [german]
    assert listed(api, "dataset", search=word, task_categories="reinforcement-learning") == [german]
    assert listed(api, "dataset", search=word, filter="language:fr") == []
    commit(english, {"README.md": b"---\nlanguage: fr\n---\n"})
    assert listed(api, "dataset", search=word, filter="language:fr") == [english]
    assert plain in listed(api, "dataset", search=word)


def test_models_by_what_their_card_says(api, family, commit):
    word, make = family
    first, second = make("model", 2)
    card = b"---\nlibrary_name: d3rlpy\npipeline_tag: reinforcement-learning\nlicense: mit\n---\n"
    commit(first, {"README.md": card}, kind="model")
    assert listed(api, "model", search=word, filter="reinforcement-learning") == [first]
    assert listed(api, "model", search=word, filter="d3rlpy") == [first]
    assert sorted(listed(api, "model", search=word)) == [first, second]


def test_name_and_search_narrow_together(api, family):
    word, make = family
    made = make(count=2)
    assert listed(api, "dataset", dataset_name=word, search=f"{word[-4:]}-1") == [made[1]]


def test_full(api, family, commit):
    word, make = family
    (made,) = make(count=1)
    commit(made, {"README.md": b"---\nlicense: mit\n---\n", "a.txt": b"a"})
    (info,) = api.list_datasets(author=OWNER.name, search=word, full=True)
    assert info.card_data.license == "mit"
    assert {sibling.rfilename for sibling in info.siblings} >= {"a.txt", "README.md"}
    (info,) = api.list_datasets(author=OWNER.name, search=word)
    assert (info.author, info.private, info.likes) == (OWNER.name, False, 0)
    assert info.last_modified is not None
    assert info.created_at is not None
    assert isinstance(info.tags, list)


@pytest.mark.parametrize("kind", KINDS)
def test_expand(api, family, kind):
    word, make = family
    (made,) = make(kind, 1)
    (info,) = getattr(api, f"list_{kind}s")(author=OWNER.name, search=word, expand=["author", "sha"])
    assert (info.id, info.author) == (made, OWNER.name)
    assert info.sha == api.repo_info(made, repo_type=kind).sha
    assert info.likes is None
    with refused(BadRequestError, 400, "expand"):
        list(getattr(api, f"list_{kind}s")(author=OWNER.name, search=word, expand=["foo"]))


@client(">=0.36", "`gated` is newer here")
def test_gated_ones(api, family):
    word, make = family
    first, second = make(count=2)
    api.update_repo_settings(first, gated="auto", repo_type="dataset")
    assert listed(api, "dataset", search=word, gated=True) == [first]
    assert listed(api, "dataset", search=word, gated=False) == [second]


def test_iterating_without_limits_ends(api):
    assert sum(1 for _ in api.list_datasets()) >= 1
    assert all(info.id for info in api.list_models())


def test_renamed_and_deleted_ones_leave(api, family):
    word, make = family
    first, second = make(count=2)
    api.move_repo(from_id=first, to_id=f"{OWNER.name}/{new_name()}", repo_type="dataset")
    api.delete_repo(second, repo_type="dataset")
    assert listed(api, "dataset", search=word) == []


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "sort=nonsense", "limit=99999999999999999999"])
def test_impossible_queries(query):
    assert request("GET", f"/api/datasets?{query}", OWNER.token).status in (200, 400)


def test_tags_by_type(api):
    assert isinstance(api.get_dataset_tags(), dict)
    assert isinstance(api.get_model_tags(), dict)
