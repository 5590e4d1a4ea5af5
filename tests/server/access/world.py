"""A small Hub with one of every kind of person and repository; it is put back after everything that changes it."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import CommitOperationAdd, HfApi
from sqlalchemy import update

from pytupli_registry.server.database.schema import Organization, Token
from pytupli_registry.server.services.tokens import revoke_token
from pytupli_registry.server.services.users import UserChanges, change_user
from tests.server.support.live import LiveHub

# Who asks. All but the first are users; `weak` is olga with a token that may only read.
CALLERS = ("nobody", "sam", "gil", "rita", "carl", "cora", "wim", "olga", "root", "weak")
MEMBERS = {
    "mia": "read",
    "rita": "read",
    "carl": "contributor",
    "cora": "contributor",
    "wim": "write",
    "olga": "admin",
}
DEAD = ("expired", "revoked", "disabled", "unknown")
# Names are of one length, so that answers can be compared byte by byte.
REPOSITORIES = ("public", "secret", "gatedr")
MISSING = "absent"
ORGANIZATIONS = ("hidden", "namedo", "openeo")
ACME = "acme"


@dataclass(frozen=True)
class Sent:
    """What goes with a request besides its path."""

    params: dict[str, str] = field(default_factory=dict)
    body: Any = None
    lines: list[dict[str, Any]] | None = None
    form: dict[str, str] | None = None


@dataclass(frozen=True)
class Answer:
    """What came back, without what differs from request to request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str

    @property
    def code(self) -> str | None:
        return dict(self.headers).get("x-error-code")

    @property
    def message(self) -> str | None:
        return dict(self.headers).get("x-error-message")

    def renamed(self, old: str, new: str) -> "Answer":
        """The same answer about something of another name."""
        headers = tuple((name, value.replace(old, new)) for name, value in self.headers)
        return Answer(self.status, headers, self.text.replace(old, new))


class World:
    """See the module's docstring."""

    def __init__(self, directory: Path) -> None:
        self.hub = LiveHub(
            directory / "hub", login_attempts=10_000, webhook_hosts=("127.0.0.1",), metrics_addresses=()
        ).start()
        self.client = httpx2.Client(base_url=self.hub.endpoint, timeout=30)
        self.hub.person("root", is_admin=True)
        self.hub.organization(ACME, **MEMBERS)
        for name in ORGANIZATIONS:
            self.hub.organization(name, **MEMBERS)
        for name in ("sam", "gil", "pia", "ned"):
            self.hub.person(name)
        self.tokens = {name: self.hub.person(name).token for name in CALLERS[1:-1]}
        self.tokens["weak"] = self.hub.token("olga", role="read", label="weak")
        self._bury()
        self._fill()
        self._snapshot = sqlite3.connect(":memory:", check_same_thread=False)
        with self._live() as live:
            live.backup(self._snapshot)

    def close(self) -> None:
        self.client.close()
        self.hub.stop()
        self._snapshot.close()

    @contextlib.contextmanager
    def _live(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(
            sqlite3.connect(self.hub.settings.directory / "hub.sqlite3", timeout=20)
        ) as live:
            yield live

    def restore(self) -> None:
        """Put everything back."""
        with self._live() as live:
            self._snapshot.backup(live)

    def _bury(self) -> None:
        """Make tokens that do not work any more; all were olga's or the administrator's, so all would have worked."""
        ends = datetime.now(UTC) + timedelta(hours=1)
        self.tokens["expired"] = self.hub.token("root", label="expired", expires_at=ends)
        self.tokens["revoked"] = self.hub.token("root", label="revoked")
        self.tokens["disabled"] = self.hub.person("ned").token
        self.tokens["unknown"] = "hf_" + "x" * 43
        with self.hub.hub.database.write() as session:
            session.execute(
                update(Token).where(Token.name == "expired").values(expires_at=ends - timedelta(hours=2))
            )
            revoke_token(session, self.hub.person("root").user_id, "revoked")
            change_user(session, "ned", UserChanges(disabled=True, is_admin=True))

    def _fill(self) -> None:
        for kind in ("dataset", "model"):
            for name in REPOSITORIES:
                self._repository(kind, name)
        self.hub.api("olga").create_repo("namedo/shown", repo_type="dataset", private=False)
        with self.hub.hub.database.write() as session:
            opened = update(Organization).where(Organization.account_id == self._organization_id("openeo"))
            session.execute(opened.values(members_public=True))
        self.webhook = self._ask("olga", "POST", "/api/settings/webhooks", WEBHOOK)["webhook"]["id"]

    def _organization_id(self, name: str) -> int:
        from pytupli_registry.server.services.accounts import find_organization

        with self.hub.hub.database.read() as session:
            return find_organization(session, name).id

    def _repository(self, kind: str, name: str) -> None:
        cora, olga = self.hub.api("cora"), self.hub.api("olga")
        repo_id = f"{ACME}/{name}"
        cora.create_repo(repo_id, repo_type=kind, private=name == "secret")
        add = [CommitOperationAdd("a.txt", b"hello"), CommitOperationAdd("d/big.bin", b"\0" * 4096)]
        cora.create_commit(repo_id, add, commit_message="files", repo_type=kind)
        olga.create_branch(repo_id, branch="side", repo_type=kind)
        olga.create_tag(repo_id, tag="v1", repo_type=kind)
        discussion = olga.create_discussion(repo_id, "a question", repo_type=kind)
        assert discussion.num == 1
        self._propose(olga, kind, repo_id)
        if name == "gatedr":
            olga.update_repo_settings(repo_id, repo_type=kind, gated="manual")
            olga.grant_access(repo_id, "gil", repo_type=kind)
            self._ask("pia", "POST", f"/api/{kind}s/{repo_id}/ask-access", {})

    def _propose(self, olga: HfApi, kind: str, repo_id: str) -> None:
        change = [CommitOperationAdd("b.txt", b"more")]
        olga.create_commit(repo_id, change, commit_message="more", repo_type=kind, create_pr=True)
        if olga.get_discussion_details(repo_id, 2, repo_type=kind).status == "draft":
            olga.change_discussion_status(repo_id, 2, "open", repo_type=kind)

    def _ask(self, who: str, method: str, path: str, body: Any) -> Any:
        token = self.hub.person(who).token
        answer = self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code < 300, answer.text
        return answer.json()

    def comment_of(self, kind: str, name: str) -> str:
        """The id of the first comment of the first discussion."""
        found = self.hub.api("olga").get_discussion_details(f"{ACME}/{name}", 1, repo_type=kind)
        return found.events[0].id

    def ask(self, who: str, method: str, path: str, sent: Sent = Sent()) -> Answer:
        """Send a request as somebody."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who != "nobody" else {}
        content = None
        if sent.lines is not None:
            content = b"\n".join(json.dumps(line).encode() for line in sent.lines)
            headers["Content-Type"] = "application/x-ndjson"
        answer = self.client.request(
            method,
            path,
            params=sent.params,
            json=sent.body,
            data=sent.form,
            content=content,
            headers=headers,
            follow_redirects=False,
        )
        varying = ("date", "x-request-id", "server", "set-cookie")
        kept = tuple(sorted((n, v) for n, v in answer.headers.items() if n not in varying))
        return Answer(answer.status_code, kept, answer.content.decode("latin-1"))


WEBHOOK = {
    "url": "http://127.0.0.1:9/hook",
    "watched": [{"type": "org", "name": "nobody-here"}],
    "domains": ["repo"],
}
