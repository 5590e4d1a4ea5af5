"""Git-LFS: the pointer that stands in a tree for a large file, and the messages of the batch API.

https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md and …/docs/api/batch.md; ``multipart`` is the Hub's own
transfer (the part URLs are the numeric keys of the action's ``header``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "LFS_JSON",
    "MAX_POINTER_SIZE",
    "Action",
    "Actions",
    "Batch",
    "BatchAnswer",
    "Completion",
    "LfsObject",
    "ObjectActions",
    "ObjectError",
    "Part",
    "Pointer",
]

LFS_JSON = "application/vnd.git-lfs+json"
MAX_POINTER_SIZE = 1023
MAX_BATCH = 1000
MAX_PARTS = 100_000
POINTER = re.compile(
    rb"version (?:https://git-lfs\.github\.com/spec/v1|https://hawser\.github\.com/spec/v1)\n"
    rb"(?:ext-[0-9]-[^\n ]+ [^\n]+\n)*"
    rb"oid sha256:(?P<sha256>[0-9a-f]{64})\n"
    rb"size (?P<size>0|[1-9][0-9]{0,18})\n"
)

Oid = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Size = Annotated[int, Field(strict=True, ge=0, lt=1 << 63)]


@dataclass(frozen=True, slots=True)
class Pointer:
    """What stands in a git tree for a file that is kept outside of it.

    Attributes:
        sha256: of the file's bytes, 64 hexadecimal digits.
        size: of the file in bytes.
    """

    sha256: str
    size: int

    def encoded(self) -> bytes:
        """Return the pointer's own bytes; the same for every client, so its git id is too."""
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n"
        ).encode("ascii")

    @classmethod
    def parse(cls, content: bytes) -> Pointer | None:
        """Return the pointer that these bytes are, or None when they are an ordinary small file."""
        found = POINTER.fullmatch(content) if len(content) <= MAX_POINTER_SIZE else None
        if not found:
            return None
        return cls(found["sha256"].decode("ascii"), int(found["size"]))


class LfsObject(BaseModel):
    """A file, by hash and size; the body of ``verify`` too."""

    oid: Oid
    size: Size


class RefName(BaseModel):
    """The branch that a batch is meant for."""

    name: str = Field(max_length=1024)


class Batch(BaseModel):
    """A request for the URLs to send or fetch files."""

    operation: Literal["upload", "download"]
    objects: Annotated[list[LfsObject], Field(max_length=MAX_BATCH)]
    transfers: Annotated[list[str], Field(max_length=16)] = ["basic"]
    hash_algo: Literal["sha256"] = "sha256"
    ref: RefName | None = None


class Action(BaseModel):
    """A URL and the headers to send with it (for ``multipart``: part size and part URLs)."""

    href: str
    header: dict[str, str] | None = None
    expires_in: int | None = None


Actions = dict[Literal["upload", "verify", "download"], Action]


class ObjectError(BaseModel):
    """Why nothing can be done about one object of a batch."""

    code: int
    message: str


class ObjectActions(BaseModel):
    """What to do about one object; without actions it is there already."""

    oid: str
    size: int
    authenticated: bool | None = None
    actions: Actions | None = None
    error: ObjectError | None = None


class BatchAnswer(BaseModel):
    """The answer to a batch. To be written without its empty members: clients trip over ``null``."""

    transfer: Literal["basic", "multipart"] = "basic"
    objects: list[ObjectActions]
    hash_algo: Literal["sha256"] = "sha256"


class Part(BaseModel):
    """A part that was sent, with the tag that the answer to it carried."""

    model_config = ConfigDict(populate_by_name=True)

    number: Annotated[int, Field(alias="partNumber", strict=True, ge=1, le=MAX_PARTS)]
    etag: str = Field(max_length=256)


class Completion(BaseModel):
    """The end of a multipart upload."""

    oid: Oid
    parts: Annotated[list[Part], Field(max_length=MAX_PARTS)]
