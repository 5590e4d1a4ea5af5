"""What git is shown of a repository's refs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from pytupli_registry.server.services.refs import list_refs
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH
from pytupli_registry.server.wire.pktline import Mark, packet
from pytupli_registry.server.wire.upload_pack import CAPABILITIES, V2_CAPABILITIES, RefsRequest

__all__ = ["HEAD", "ShownRef", "advertisement", "listing", "shown_refs"]

HEAD = "HEAD"
NOTHING = "0" * 40
SERVICE = packet("# service=git-upload-pack\n") + Mark.FLUSH.value


@dataclass(frozen=True, slots=True)
class ShownRef:
    """A ref and the commit it points at; ``target`` is the ref that ``HEAD`` stands for."""

    name: str
    oid: str
    target: str | None = None


def shown_refs(session: Session, repository_id: int) -> list[ShownRef]:
    """Return ``HEAD``, branches, tags and pull requests, in git's order."""
    main = f"refs/heads/{DEFAULT_BRANCH}"
    refs = [ShownRef(ref.name, ref.commit_oid) for ref in list_refs(session, repository_id)]
    refs.sort(key=lambda ref: ref.name.encode())
    return [*(ShownRef(HEAD, ref.oid, main) for ref in refs if ref.name == main), *refs]


def advertisement(refs: Iterable[ShownRef], version: int) -> Iterator[bytes]:
    """Yield the answer to ``info/refs``: the refs, or in version 2 only what can be asked."""
    yield SERVICE
    if version == 2:
        yield from (packet(f"{capability}\n") for capability in V2_CAPABILITIES)
    else:
        yield from _first_version(list(refs), version)
    yield Mark.FLUSH.value


def _first_version(refs: list[ShownRef], version: int) -> Iterator[bytes]:
    if version == 1:
        yield packet("version 1\n")
    symbolic = "".join(f" symref={ref.name}:{ref.target}" for ref in refs if ref.target)
    capabilities = f"\0{CAPABILITIES}{symbolic}"
    for ref in refs or [ShownRef("capabilities^{}", NOTHING)]:
        yield packet(f"{ref.oid} {ref.name}{capabilities}\n")
        capabilities = ""


def listing(refs: Iterable[ShownRef], request: RefsRequest) -> Iterator[bytes]:
    """Yield the answer to ``ls-refs``."""
    for ref in refs:
        if not request.prefixes or ref.name.startswith(request.prefixes):
            symbolic = f" symref-target:{ref.target}" if request.symrefs and ref.target else ""
            yield packet(f"{ref.oid} {ref.name}{symbolic}\n")
    yield Mark.FLUSH.value
