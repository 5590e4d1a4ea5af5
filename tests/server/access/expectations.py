"""What every route takes, and a request to try it with. A new route needs a line here, or a test fails."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from tests.server.access.world import ACME, WEBHOOK, Sent

BIG = b"\0" * 4096
OID = sha256(BIG).hexdigest()
LFS_OBJECT = {"oid": OID, "size": len(BIG)}
XET = {"epoch": "0", "user_id": "1", "generation": "0", "prefix": "default", "chunk_hash": "0" * 64}


@dataclass(frozen=True)
class Case:
    """One way to ask a route.

    Attributes:
        takes: a key of the rules.
        send: what is sent; gets the repository's or organization's name.
        path: parameters of the path that differ from the usual ones.
        changes: whether those who may change the Hub.
        answers: statuses for those who may; any success unless given.
        ignores_tokens: whether it is answered without looking at tokens.
        refusal: the status for those who may see but not do; None for 401 to nobody and 403 to others.
    """

    takes: str
    send: Callable[[str], Sent] = lambda name: Sent()
    path: tuple[tuple[str, str], ...] = ()
    changes: bool = False
    answers: tuple[int, ...] = ()
    ignores_tokens: bool = False
    refusal: int | None = None


def body(**said: Any) -> Callable[[str], Sent]:
    return lambda name: Sent(body=said)


def changing(takes: str, send: Callable[[str], Sent] = lambda name: Sent(), **more: Any) -> Case:
    return Case(takes, send, changes=True, **more)


def page(takes: str = "nobody", *, answers: tuple[int, ...] = (), refusal: int = 403) -> Case:
    """A page for people: it knows cookies, and tokens mean nothing to it."""
    return Case(takes, answers=answers, ignores_tokens=True, refusal=refusal)


def commit(title: str = "c", **params: str) -> Callable[[str], Sent]:
    content = base64.b64encode(b"x").decode()
    lines = [
        {"key": "header", "value": {"summary": title, "description": ""}},
        {"key": "file", "value": {"path": "c.txt", "content": content, "encoding": "base64"}},
    ]
    return lambda name: Sent(params=params, lines=lines)


def named(**said: Any) -> Callable[[str], Sent]:
    """A body that names the repository."""
    return lambda name: Sent(
        body={
            key: value.replace("NAME", name) if isinstance(value, str) else value
            for key, value in said.items()
        }
    )


def batch(operation: str) -> Callable[[str], Sent]:
    return body(operation=operation, transfers=["basic"], objects=[LFS_OBJECT], hash_algo="sha256")


REPO = "/api/{family}/{namespace}/{name}"
DISCUSSION = f"{REPO}/discussions/{{number}}"
ORGANIZATION = "/api/organizations/{organization}"
PULL = (("number", "2"),)
PREUPLOAD = {"files": [{"path": "x.bin", "size": 3, "sample": "AAAA"}]}
XET_BASE = "/xet/{epoch}/{user_id}-{generation}"
GIT_REFS = lambda name: Sent(params={"service": "git-upload-pack"})  # noqa: E731

EXPECTED: dict[tuple[str, str], tuple[Case, ...]] = {
    # What monitors and every client ask.
    ("GET", "/health"): (Case("open", ignores_tokens=True),),
    ("GET", "/ready"): (Case("open", ignores_tokens=True, answers=(200, 503)),),
    ("GET", "/metrics"): (Case("administrator", refusal=404),),
    ("GET", "/api/agent-harnesses"): (Case("open", ignores_tokens=True),),
    ("HEAD", "/api/telemetry/{topic:path}"): (Case("open", ignores_tokens=True),),
    ("POST", "/api/validate-yaml"): (
        Case("open", body(content="", repoType="dataset"), ignores_tokens=True),
    ),
    # Who one is.
    ("GET", "/api/whoami-v2"): (Case("log in"),),
    ("POST", "/oauth/device"): (
        changing("open", lambda name: Sent(form={"client_id": "x"}), ignores_tokens=True),
    ),
    ("POST", "/oauth/token"): (
        Case(
            "nobody",
            lambda name: Sent(form={"grant_type": "refresh_token"}),
            ignores_tokens=True,
            refusal=400,
        ),
    ),
    # Users.
    ("GET", "/api/users/{user}/overview"): (Case("open"),),
    ("GET", "/api/users/{user}/followers"): (Case("open"),),
    ("GET", "/api/users/{user}/following"): (Case("open"),),
    ("GET", "/api/users/{user}/likes"): (Case("open"),),
    ("GET", "/api/users"): (Case("administrator"),),
    ("POST", "/api/users"): (changing("administrator", body(name="fresh")),),
    ("GET", "/api/users/{user}"): (Case("self or administrator"),),
    ("PATCH", "/api/users/{user}"): (
        changing("self or administrator, to write", body(fullName="O.")),
        changing("administrator", body(isAdmin=True)),
        changing("administrator", body(disabled=True)),
    ),
    # One's own wants the current one.
    ("PUT", "/api/users/{user}/password"): (
        changing("administrator", body(password="x" * 12), path=(("user", "pia"),)),
    ),
    ("GET", "/api/users/{user}/tokens"): (Case("self or administrator"),),
    ("POST", "/api/users/{user}/tokens"): (changing("self", body(name="another")),),
    ("DELETE", "/api/users/{user}/tokens/{token}"): (
        changing("self or administrator, to write", path=(("token", "weak"),)),
    ),
    # Organizations.
    ("GET", "/api/organizations"): (Case("log in"),),
    ("POST", "/api/organizations"): (changing("log in to write", body(name="guild")),),
    ("GET", f"{ORGANIZATION}/overview"): (Case("organization: see"),),
    ("GET", f"{ORGANIZATION}/followers"): (Case("organization: see"),),
    ("GET", f"{ORGANIZATION}/members"): (Case("organization: list"),),
    ("GET", ORGANIZATION): (Case("organization: list"),),
    ("PATCH", ORGANIZATION): (changing("organization: administer", body(fullName="X")),),
    # "namedo" still has a repository.
    ("DELETE", ORGANIZATION): (changing("organization: administer", answers=(204, 409)),),
    ("PUT", f"{ORGANIZATION}/members/{{user}}"): (
        changing("organization: administer", body(role="write"), path=(("user", "sam"),)),
    ),
    ("DELETE", f"{ORGANIZATION}/members/{{user}}"): (
        changing("organization: administer", path=(("user", "mia"),)),
    ),
    ("GET", f"{ORGANIZATION}/settings/repositories"): (Case("organization: belong"),),
    # Webhooks: olga's.
    ("GET", "/api/settings/webhooks"): (Case("log in"),),
    ("POST", "/api/settings/webhooks"): (changing("log in to write", body(**WEBHOOK)),),
    ("GET", "/api/settings/webhooks/{webhook_id}"): (Case("own"),),
    ("POST", "/api/settings/webhooks/{webhook_id}"): (changing("own, to write", body(**WEBHOOK)),),
    ("POST", "/api/settings/webhooks/{webhook_id}/enable"): (changing("own, to write"),),
    ("POST", "/api/settings/webhooks/{webhook_id}/disable"): (changing("own, to write"),),
    ("DELETE", "/api/settings/webhooks/{webhook_id}"): (changing("own, to write"),),
    # Repositories as a whole.
    ("GET", "/api/{family}"): (Case("open"),),
    ("GET", "/api/datasets-tags-by-type"): (Case("open"),),
    ("GET", "/api/models-tags-by-type"): (Case("open"),),
    ("GET", "/api/settings/repositories"): (Case("log in"),),
    ("GET", "/api/registry/datasets"): (Case("open"),),
    ("GET", "/api/registry/datasets/{namespace}/{name}"): (Case("read"),),
    ("POST", "/api/repos/create"): (
        changing("organization: create", named(name="fresh", organization="NAME", type="dataset")),
    ),
    ("DELETE", "/api/repos/delete"): (
        changing("administer", named(name="NAME", organization=ACME, type="dataset")),
    ),
    ("POST", "/api/repos/move"): (
        changing("administer", named(fromRepo=f"{ACME}/NAME", toRepo=f"{ACME}/moved", type="dataset")),
        # To where one may create, too.
        changing("hand over", named(fromRepo=f"{ACME}/NAME", toRepo="pia/moved", type="dataset")),
    ),
    ("POST", f"{REPO}/duplicate"): (changing("copy", body(repository=f"{ACME}/copied")),),
    ("POST", f"{REPO}/super-squash/{{revision}}"): (changing("administer", body(message="one")),),
    ("GET", f"{REPO}/lfs-files"): (Case("write"),),
    ("POST", f"{REPO}/lfs-files/batch"): (
        changing("administer", body(deletions={"sha": [OID], "rewriteHistory": True})),
    ),
    ("POST", f"{REPO}/lfs-files/duplicate"): (Case("nobody", ignores_tokens=True, refusal=501),),
    ("PUT", f"{REPO}/settings"): (
        changing("administer", body(visibility="private")),
        changing("administer", body(gated="auto")),
    ),
    ("GET", REPO): (Case("see"),),
    ("GET", f"{REPO}/revision/{{revision}}"): (Case("see"),),
    ("GET", f"{REPO}/auth-check"): (Case("read"),),
    ("GET", f"{REPO}/auth-check/write"): (Case("write"),),
    # Refs, trees, commits.
    ("GET", f"{REPO}/refs"): (Case("see"),),
    ("POST", f"{REPO}/branch/{{branch}}"): (changing("write", body(), path=(("branch", "fresh"),)),),
    ("DELETE", f"{REPO}/branch/{{branch}}"): (changing("write"),),
    ("POST", f"{REPO}/tag/{{revision}}"): (changing("write", body(tag="v2")),),
    ("DELETE", f"{REPO}/tag/{{tag}}"): (changing("write"),),
    ("GET", f"{REPO}/tree/{{revision}}"): (Case("see"),),
    ("GET", f"{REPO}/tree/{{revision}}/{{path:path}}"): (Case("see", path=(("path", "d"),)),),
    ("POST", f"{REPO}/paths-info/{{revision}}"): (
        Case("see", lambda name: Sent(form={"paths": "a.txt", "expand": "false"})),
    ),
    ("POST", f"{REPO}/preupload/{{revision}}"): (
        Case("write", body(**PREUPLOAD)),
        Case("propose", lambda name: Sent(params={"create_pr": "1"}, body=PREUPLOAD)),
    ),
    ("POST", f"{REPO}/commit/{{revision}}"): (
        changing("write", commit()),
        changing("propose", commit(create_pr="1")),
    ),
    ("GET", f"{REPO}/commits/{{revision}}"): (Case("see"),),
    # Discussions.
    ("GET", f"{REPO}/discussions"): (Case("see"),),
    ("POST", f"{REPO}/discussions"): (
        changing("discuss", body(title="a title", description="d", pullRequest=False)),
        changing("propose", body(title="a title", description="d", pullRequest=True)),
    ),
    ("GET", DISCUSSION): (Case("see"), Case("see", lambda name: Sent(params={"diff": "1"}), path=PULL)),
    ("POST", f"{DISCUSSION}/comment"): (changing("discuss", body(comment="hm")),),
    ("POST", f"{DISCUSSION}/title"): (changing("author or writer", body(title="another")),),
    ("POST", f"{DISCUSSION}/status"): (changing("author or writer", body(status="closed")),),
    ("POST", f"{DISCUSSION}/merge"): (changing("write", body(), path=PULL),),
    ("POST", f"{DISCUSSION}/comment/{{comment_id}}/edit"): (changing("author", body(content="no")),),
    ("POST", f"{DISCUSSION}/comment/{{comment_id}}/hide"): (changing("author or writer"),),
    # Likes.
    ("POST", f"{REPO}/like"): (changing("discuss"),),
    ("DELETE", f"{REPO}/like"): (changing("discuss"),),
    ("GET", f"{REPO}/likers"): (Case("see"),),
    # A name without an owner is nobody's.
    ("POST", "/api/{family}/{name}/like"): (Case("nobody", ignores_tokens=True, refusal=404),),
    ("DELETE", "/api/{family}/{name}/like"): (Case("nobody", ignores_tokens=True, refusal=404),),
    # Access requests.
    ("GET", f"{REPO}/user-access-request/{{status}}"): (
        Case("administer", path=(("status", "accepted"),), answers=(200, 400)),  # 400: it is not gated
    ),
    ("POST", f"{REPO}/user-access-request/handle"): (
        changing("administer", body(user="pia", status="accepted"), answers=(200, 400)),
    ),
    ("POST", f"{REPO}/user-access-request/grant"): (
        changing("administer", body(user="sam"), answers=(200, 400)),
    ),
    ("POST", f"{REPO}/ask-access"): (changing("ask"),),
    # Files.
    ("GET", "/{family}/{namespace}/{name}/resolve/{revision}/{path:path}"): (
        Case("read"),
        Case("read", path=(("path", "d/big.bin"),)),
    ),
    ("HEAD", "/{family}/{namespace}/{name}/resolve/{revision}/{path:path}"): (Case("read"),),
    ("GET", "/{namespace}/{name}/resolve/{revision}/{path:path}"): (Case("read"),),
    ("HEAD", "/{namespace}/{name}/resolve/{revision}/{path:path}"): (Case("read"),),
    # git, which asks again with a name when it hears 401.
    ("GET", "/{family}/{namespace}/{name}/info/refs"): (Case("read", GIT_REFS),),
    ("GET", "/{namespace}/{name}/info/refs"): (Case("read", GIT_REFS),),
    ("POST", "/{family}/{namespace}/{name}/git-upload-pack"): (Case("read", answers=(200, 400)),),
    ("POST", "/{namespace}/{name}/git-upload-pack"): (Case("read", answers=(200, 400)),),
    ("POST", "/{family}/{namespace}/{name}/git-receive-pack"): (page(),),
    ("POST", "/{namespace}/{name}/git-receive-pack"): (page(),),
    # Uploads.
    ("GET", f"{REPO}/xet-write-token/{{revision}}"): (
        Case("write"),
        Case("propose", lambda name: Sent(params={"create_pr": "1"})),
    ),
    ("POST", "/{family}/{namespace}/{name}.git/info/lfs/objects/batch"): (
        Case("propose", batch("upload")),
        Case("read", batch("download")),
    ),
    ("POST", "/{namespace}/{name}.git/info/lfs/objects/batch"): (
        Case("propose", batch("upload")),
        Case("read", batch("download")),
    ),
    ("POST", "/{family}/{namespace}/{name}.git/info/lfs/objects/verify"): (
        Case("propose", body(**LFS_OBJECT)),
    ),
    ("POST", "/{namespace}/{name}.git/info/lfs/objects/verify"): (Case("propose", body(**LFS_OBJECT)),),
    # These want a signature or a token of their own; the Hub's tokens are worth nothing.
    **{
        (method, path): (
            Case("nobody", lambda name: Sent(params={"signature": "x"}), ignores_tokens=True, refusal=403),
        )
        for method, path in (
            ("GET", "/lfs/objects/{oid}"),
            ("HEAD", "/lfs/objects/{oid}"),
            ("PUT", "/lfs/objects/{oid}"),
            ("PUT", "/lfs/uploads/{upload_id}/{number}"),
        )
    },
    ("POST", "/lfs/uploads/{upload_id}"): (
        Case(
            "nobody",
            lambda name: Sent(params={"signature": "x"}, body={"oid": OID, "parts": []}),
            ignores_tokens=True,
            refusal=403,
        ),
    ),
    **{
        (method, XET_BASE + path): (Case("nobody", ignores_tokens=True, refusal=401),)
        for method, path in (
            ("GET", "/v1/chunks/{prefix}/{chunk_hash}"),
            ("POST", "/v1/xorb-grants/{prefix}/{xorb_hash}"),
            ("POST", "/v1/xorbs/{prefix}/{xorb_hash}"),
            ("POST", "/v1/shards"),
            ("POST", "/v2/shards"),
        )
    },
    # Pages; tests/server/web has what they do for those who have logged in.
    ("GET", "/"): (page("open"),),
    ("GET", "/login"): (page("open"),),
    ("GET", "/static/{name}"): (page(refusal=404),),
    ("GET", "/join"): (page(refusal=404),),
    ("GET", "/oauth/consent"): (page(refusal=303),),
    ("GET", "/settings/tokens"): (page(refusal=303),),
    ("GET", "/settings/password"): (page(refusal=303),),
    **{
        ("POST", path): (page(refusal=403),)
        for path in (
            "/login",
            "/logout",
            "/join",
            "/oauth/consent",
            "/settings/tokens",
            "/settings/tokens/revoke",
            "/settings/password",
            "/{namespace}/{name}/ask-access",
            "/datasets/{namespace}/{name}/ask-access",
            "/spaces/{namespace}/{name}/ask-access",
        )
    },
    ("GET", "/{namespace}/{name}/ask-access"): (page("page of a repository"),),
    ("GET", "/datasets/{namespace}/{name}/ask-access"): (page("page of a repository"),),
    ("GET", "/spaces/{namespace}/{name}/ask-access"): (page(refusal=404),),
}
