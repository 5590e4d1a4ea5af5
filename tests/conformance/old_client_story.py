"""What a person does with this package, beside whichever release of huggingface_hub the interpreter has.

``python old_client_story.py [--and SITE-PACKAGES] CHAPTER…`` prints a line of JSON. All but that client and what it
needs may come from further site-packages.
"""

import json
import sys

if sys.argv[1] == "--and":
    sys.path.append(
        sys.argv[2]
    )  # behind the interpreter's own, so that its client is the one that is imported
    del sys.argv[1:3]

import huggingface_hub
import numpy as np
from click.testing import CliRunner

import pytupli_registry
from pytupli_registry import cli
from pytupli_registry.config import ClientConfig
from tests.support.walks import walk, write_walks

DATASET = "acme/hvac/summer-v0"
JULY = "metadata.month == 'July'"
EPISODES = [walk(number, 20_000, month="July" if number == 5 else "May") for number in range(10)]
LATER = [walk(number, 20, month="August") for number in (10, 11)]


def pytupli(*arguments, typed="", code=0):
    """Run a command, and return what it prints as JSON."""
    done = CliRunner().invoke(cli.main, [*arguments, "--json"], prog_name="pytupli", input=typed)
    assert done.exit_code == code, (arguments, done.output, done.exception)
    return json.loads(done.stdout)


def same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name in ("observations", "actions", "rewards", "terminations", "truncations"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert (one.seed, one.metadata["month"]) == (other.seed, other.metadata["month"])


def login(endpoint, token):
    assert pytupli("login", endpoint, "--token-stdin", typed=token)["name"] == "alice"
    assert pytupli("whoami")["name"] == "alice"
    pytupli("org", "create", "acme")


def publish():
    root = ClientConfig.from_environment().datasets_path.parent
    write_walks(root, "hvac/summer-v0", EPISODES)
    write_walks(root, "hvac/later-v0", LATER)
    made = pytupli("publish", "hvac/summer-v0", "--to", "acme", "--private")
    assert made["files"]
    assert not pytupli("publish", "hvac/summer-v0", "--to", "acme")["files"]


def load():
    kept = pytupli_registry.load(DATASET, episodes=JULY)
    same(kept, [one for one in EPISODES if one.metadata["month"] == "July"])


def add():
    before = pytupli_registry.load(DATASET).origin.commit
    pytupli("append", DATASET, "hvac/later-v0")
    pytupli("tag", "acme/hvac", "v2")
    found = pytupli("diff", f"acme/hvac@{before}/summer-v0", "acme/hvac@v2/summer-v0", code=1)
    assert (len(found["added"]), found["unchanged"]) == (len(LATER), len(EPISODES))
    pytupli("branch", "acme/hvac", "feature/x")


def find():
    assert [one["reference"] for one in pytupli("search", "hvac", "--org", "acme")["datasets"]] == [DATASET]
    pytupli("view", "save", DATASET, "august", "--episodes", "metadata.month == 'August'")
    same(pytupli_registry.load(f"{DATASET}#august"), LATER)


def pull():
    pytupli("pull", "acme/hvac@feature%2Fx/summer-v0", "--save", "mine/copy-v0")
    same(pytupli_registry.load("mine/copy-v0"), [*EPISODES, *LATER])
    pytupli("cache", "verify")


if __name__ == "__main__":
    given = iter(sys.argv[1:])
    for chapter in given:
        if chapter == "login":
            login(next(given), next(given))
        else:
            {"publish": publish, "load": load, "add": add, "find": find, "pull": pull}[chapter]()
    print(json.dumps({"huggingface_hub": huggingface_hub.__version__, "from": pytupli_registry.__file__}))
