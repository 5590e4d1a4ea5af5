"""Files with few but long tests begin first, so that no worker waits for the other one at the end."""

LONG = (
    "test_readme.py",
    "test_clients.py",
    "test_story.py",
    "test_packaging.py",
    "test_matrix.py",
    "test_kills.py",
)


def pytest_collection_modifyitems(items):
    """Sort long files to the front; `make test` tells pytest-xdist to keep the order."""
    items.sort(key=lambda item: item.path.name not in LONG)
