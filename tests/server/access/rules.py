"""Who may what, once more and from the beginning: written down as people say it, not taken from the server."""

from tests.server.access.world import CALLERS, DEAD

EVERYBODY = frozenset(CALLERS)
NOBODY: frozenset[str] = frozenset()
USERS = EVERYBODY - {"nobody"}
WRITERS = USERS - {"weak"}  # of anything at all: their tokens may write

_INSIDE = frozenset({"rita", "carl", "cora", "wim", "olga", "root"})
_WRITE = frozenset({"cora", "wim", "olga", "root"})  # cora has created all of the repositories
_ADMINISTER = frozenset({"cora", "olga", "root"})
_CREATE = _WRITE | {"carl"}

# Of a repository: what it takes, by which repository.
REPOSITORY: dict[str, dict[str, frozenset[str]]] = {
    "see": {"public": EVERYBODY, "gatedr": EVERYBODY, "secret": _INSIDE | {"weak"}},
    "read": {"public": EVERYBODY, "gatedr": _WRITE | {"gil", "weak"}, "secret": _INSIDE | {"weak"}},
    "discuss": {"public": WRITERS, "gatedr": WRITERS, "secret": _INSIDE},
    "propose": {"public": WRITERS, "gatedr": WRITERS, "secret": _INSIDE},
    "write": {"public": _WRITE, "gatedr": _WRITE, "secret": _WRITE},
    "administer": {"public": _ADMINISTER, "gatedr": _ADMINISTER, "secret": _ADMINISTER},
    # Of a discussion that olga began.
    "author": {name: frozenset({"olga"}) for name in ("public", "gatedr", "secret")},
    "author or writer": dict.fromkeys(("public", "gatedr", "secret"), _WRITE),
    # To the namespace of somebody else: who administers it may not create there.
    "hand over": dict.fromkeys(("public", "gatedr", "secret"), frozenset({"root"})),
    # To an organization's namespace: who may read it, and create there.
    "copy": {"public": _CREATE, "gatedr": _WRITE, "secret": _CREATE},
    # Only what is gated is asked for, and by those who may not read it anyway.
    "ask": {"public": NOBODY, "secret": NOBODY, "gatedr": WRITERS - _WRITE},
}

# Of an organization: hidden (private members, nothing public), named (something public), open (public members).
_MEMBERS = frozenset({"rita", "carl", "cora", "wim", "olga", "root", "weak"})
_ADMINS = frozenset({"olga", "root"})
ORGANIZATION: dict[str, dict[str, frozenset[str]]] = {
    "organization: see": {"hidden": _MEMBERS, "namedo": EVERYBODY, "openeo": EVERYBODY},
    "organization: list": {"hidden": _MEMBERS, "namedo": _MEMBERS, "openeo": EVERYBODY},
    "organization: create": dict.fromkeys(("hidden", "namedo", "openeo"), _CREATE),
    "organization: belong": dict.fromkeys(("hidden", "namedo", "openeo"), _MEMBERS),
    "organization: administer": dict.fromkeys(("hidden", "namedo", "openeo"), _ADMINS),
}

# Of everything else. Users are known to everybody; the one asked about is olga.
OTHERS: dict[str, frozenset[str]] = {
    "open": EVERYBODY,
    "log in": USERS,
    "log in to write": WRITERS,
    "self": frozenset({"olga"}),
    "self or administrator": frozenset({"olga", "weak", "root"}),
    "self or administrator, to write": frozenset({"olga", "root"}),
    "administrator": frozenset({"root"}),
    "nobody": NOBODY,
}

__all__ = ["CALLERS", "DEAD", "EVERYBODY", "ORGANIZATION", "OTHERS", "REPOSITORY", "USERS", "WRITERS"]
