"""Fixtures of the cases, and the selection of those that the client at work offers."""

import pytest
from hub import OWNER, RELEASE, XET, api_of, new_name
from huggingface_hub import CommitOperationAdd
from packaging.specifiers import SpecifierSet


def pytest_collection_modifyitems(config, items):
    chosen, left = [], []
    for case in items:
        reasons = [
            reason
            for releases, reason in (mark.args for mark in case.iter_markers("client"))
            if RELEASE not in SpecifierSet(releases)
        ]
        if case.get_closest_marker("xet") and not XET:
            reasons.append("this client uploads through Git LFS")
        if case.get_closest_marker("classic") and XET:
            reasons.append("this client uploads through Xet")
        (left if reasons else chosen).append(case)
        case.user_properties.extend(("not offered", reason) for reason in reasons)
    config.not_offered = [(case.nodeid, [reason for _, reason in case.user_properties]) for case in left]
    if left:
        config.hook.pytest_deselected(items=left)
    items[:] = chosen


def pytest_terminal_summary(terminalreporter, config):
    for name, reasons in getattr(config, "not_offered", []):
        terminalreporter.write_line(f"NOT OFFERED by {RELEASE}: {name}: {'; '.join(reasons)}")


@pytest.fixture(scope="session")
def api():
    """The client of the owner."""
    return api_of("owner")


@pytest.fixture(scope="session")
def anonymous():
    return api_of("anonymous")


@pytest.fixture(scope="session")
def stranger():
    return api_of("stranger")


@pytest.fixture(scope="session")
def reader():
    return api_of("reader")


@pytest.fixture
def make_repo(api):
    """Makes repositories with a name of their own: `make_repo(kind, organization, private=…)` returns the id."""

    def make(kind="dataset", organization=OWNER.name, **settings):
        if kind == "space":
            settings.setdefault("space_sdk", "static")
        url = api.create_repo(f"{organization}/{new_name(kind)}", repo_type=kind, **settings)
        return url.repo_id

    return make


@pytest.fixture
def repo(make_repo):
    """The id of a new, empty, public dataset of the owner."""
    return make_repo()


@pytest.fixture
def commit(api):
    """Commits files to a dataset: `commit(repo, {path: bytes}, title)`."""

    def run(repo_id, files, title="add files", kind="dataset", **settings):
        operations = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=content) for path, content in files.items()
        ]
        return api.create_commit(repo_id, operations, commit_message=title, repo_type=kind, **settings)

    return run


@pytest.fixture
def files_of(api):
    """The sorted paths of a dataset at a revision."""

    def listing(repo_id, kind="dataset", **settings):
        return sorted(api.list_repo_files(repo_id, repo_type=kind, **settings))

    return listing
