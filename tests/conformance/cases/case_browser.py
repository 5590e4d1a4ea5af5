"""What needs a person at a browser: the login of the client's command line, tokens, asking for access."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser import Browser
from hub import ENDPOINT, OWNER, PASSWORD, STRANGER, client, new_name
from huggingface_hub import whoami

pytestmark = client(">=2", "clients log in through a browser since 1.20")


@pytest.fixture
def browser():
    made = Browser()
    made.log_in(ENDPOINT, OWNER.name, PASSWORD)
    return made


@pytest.fixture
def login(tmp_path):
    """Begins `hf auth login` and returns the process and what it asks its user to do."""
    environment = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    environment |= {"HF_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1", "COLUMNS": "300", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [Path(sys.executable).parent / "hf", "auth", "login", "--format", "agent"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    asked = ""
    for line in process.stdout:
        asked += line
        if found := re.search(r"open (\S+) in a browser and enter the code (\S+)\.", asked):
            break
    yield process, found[1], found[2]
    process.kill()
    process.stdout.close()
    process.wait()


def test_login(login, browser, tmp_path):
    process, address, code = login
    assert address.startswith(f"{ENDPOINT}/oauth/consent")
    browser.open(address)
    assert code in browser.text
    browser.submit("/oauth/consent", decision="allow")
    assert process.wait(60) == 0
    assert f"logged in as {OWNER.name}" in process.stdout.read()
    token = (tmp_path / "token").read_text()
    found = whoami(token=token)
    assert (found["name"], found["auth"]["accessToken"]["role"]) == (OWNER.name, "write")


def test_refused_login(login, browser):
    process, address, _ = login
    browser.open(address)
    browser.submit("/oauth/consent", decision="refuse")
    assert process.wait(60) != 0
    assert "denied" in process.stdout.read()


def test_token(browser):
    name = new_name("token")
    browser.open(f"{ENDPOINT}/settings/tokens")
    browser.submit("/settings/tokens", name=name, role="read", days="7")
    (token,) = re.findall(r"\bhf_\w{20,}", browser.text)
    found = whoami(token=token)["auth"]["accessToken"]
    assert (found["displayName"], found["role"]) == (name, "read")


def test_asking_for_access(make_repo, api):
    repo = make_repo()
    api.update_repo_settings(repo, gated="manual", repo_type="dataset")
    browser = Browser()
    browser.log_in(ENDPOINT, STRANGER.name, PASSWORD)
    browser.open(f"{ENDPOINT}/datasets/{repo}/ask-access")
    browser.submit("/ask-access")
    (found,) = api.list_pending_access_requests(repo, repo_type="dataset")
    assert found.username == STRANGER.name
