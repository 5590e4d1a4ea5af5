"""The body of a commit: newline-delimited JSON, read line by line in bounded memory."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytupli_registry.server.errors import BadRequest, TooLarge, Unprocessable
from pytupli_registry.server.wire.json_text import without_strings
from pytupli_registry.server.wire.names import COMMIT_ID, check_path

__all__ = ["CommitHeader", "CommitLines", "DeletePath", "Operation", "PutFile", "PutLargeFile"]

LONGEST_TEXT = 65_536
SHORTEST_ID = 5
SHA256_DIGITS = 64
LONGEST_PLAIN_LINE = 256 << 10  # what a line without content may need


@dataclass(frozen=True, slots=True)
class CommitHeader:
    """The first line.

    Attributes:
        summary: the commit's title.
        description: the rest of its message.
        parent: the (abbreviated) commit that the branch must still point at, or None.
    """

    summary: str
    description: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class PutFile:
    """A file whose content is in the line."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PutLargeFile:
    """A file that was uploaded before, by SHA-256; ``size`` is None when the client copies a file."""

    path: str
    sha256: str
    size: int | None


@dataclass(frozen=True, slots=True)
class DeletePath:
    """A file or a whole folder goes."""

    path: str


Operation = PutFile | PutLargeFile | DeletePath


class CommitLines:
    """Turns the bytes of a body, as they arrive, into a header and operations.

    Args:
        max_file_size: bytes of one file inside the body.
        max_operations: operations of one commit.

    Attributes:
        header: the first line, None until it has arrived.
    """

    def __init__(self, max_file_size: int, max_operations: int) -> None:
        self.header: CommitHeader | None = None
        self._max_file_size = max_file_size
        self._max_operations = max_operations
        self._longest_line = max_file_size * 4 // 3 + LONGEST_PLAIN_LINE
        self._pending = bytearray()
        self._searched = 0
        self._operations = 0
        self._blank_lines = 0

    def feed(self, block: bytes) -> Iterator[Operation]:
        """Yield the operations of the lines that ``block`` completes.

        Raises:
            BadRequest: a line that cannot be understood.
            TooLarge: a file or the number of operations is too large.
            Unprocessable: a path that no file can have.
        """
        self._pending += block
        while (end := self._pending.find(b"\n", self._searched)) >= 0:
            line = bytes(self._pending[:end])
            del self._pending[: end + 1]
            self._searched = 0
            yield from self._read(line)
        self._searched = len(self._pending)
        if len(self._pending) > self._longest_line:
            raise self._too_large()

    def finish(self) -> Iterator[Operation]:
        """Yield what the last line says if it did not end in a newline.

        Raises:
            BadRequest: as :meth:`feed`, or there was no header.
        """
        line = bytes(self._pending)
        self._pending.clear()
        yield from self._read(line)
        if self.header is None:
            raise BadRequest(
                "The commit has no header: its first line must be {'key': 'header', 'value': {…}}."
            )

    def _read(self, line: bytes) -> Iterator[Operation]:
        if not line.strip():
            self._blank_lines += 1
            if self._blank_lines > self._max_operations:
                raise BadRequest("The commit consists of blank lines.")
            return
        key, value = _parsed(line)
        if self.header is None:
            if key != "header":
                raise BadRequest("The first line of a commit must be its header.")
            self.header = _header(value)
            return
        self._operations += 1
        if self._operations > self._max_operations:
            raise TooLarge(f"A commit has at most {self._max_operations} operations. Split it.")
        yield self._operation(key, value)

    def _operation(self, key: str, value: dict[str, Any]) -> Operation:
        match key:
            case "file":
                return PutFile(check_path(_text(value, "path")), self._content(value))
            case "lfsFile":
                return _large(value)
            case "deletedFile" | "deletedFolder":
                return DeletePath(check_path(_text(value, "path").rstrip("/")))
            case _:
                raise BadRequest(f"The operation {key[:40]!r} is unknown.")

    def _content(self, value: dict[str, Any]) -> bytes:
        text = value.get("content")
        if not isinstance(text, str):
            raise BadRequest(f"The file {str(value.get('path'))[:200]!r} has no content.")
        try:
            match value.get("encoding", "utf-8"):
                case "base64":
                    content = base64.b64decode(text, validate=True)
                case "utf-8":
                    content = text.encode()
                case other:
                    raise BadRequest(f"The encoding {str(other)[:40]!r} is unknown: use 'base64' or 'utf-8'.")
        except (binascii.Error, ValueError) as error:
            raise BadRequest(
                f"The content of {str(value['path'])[:200]!r} is not valid base64 or text."
            ) from error
        if len(content) > self._max_file_size:
            raise self._too_large()
        return content

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"A file inside a commit has at most {self._max_file_size} bytes. Upload it through LFS or Xet."
        )


def _parsed(line: bytes) -> tuple[str, dict[str, Any]]:
    if len(line) > LONGEST_PLAIN_LINE and len(without_strings(line)) > LONGEST_PLAIN_LINE:
        raise BadRequest("A line of the commit holds more values than any operation has.")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"A line of the commit is no JSON: {line[:80]!r}.") from error
    if not isinstance(said, dict) or not isinstance(said.get("key"), str):
        raise BadRequest("Every line of a commit must be an object with 'key' and 'value'.")
    value = said.get("value")
    if not isinstance(value, dict):
        raise BadRequest(f"The value of {said['key'][:40]!r} must be an object.")
    return said["key"], value


def _text(value: dict[str, Any], name: str, default: str | None = None) -> str:
    text = value.get(name, default)
    if text is None and default is not None:
        return default
    if not isinstance(text, str) or "\0" in text:
        raise BadRequest(f"{name!r} must be a text.")
    return _without_surrogates(text, name)


def _without_surrogates(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"{name!r} is not valid Unicode.") from error
    return text


def _header(value: dict[str, Any]) -> CommitHeader:
    summary, description = _text(value, "summary", ""), _text(value, "description", "")
    if len(summary) + len(description) > LONGEST_TEXT:
        raise BadRequest(f"Title and description have at most {LONGEST_TEXT} characters together.")
    parent = value.get("parentCommit")
    if parent is not None and not _is_commit(parent):
        raise BadRequest("'parentCommit' must be the id of a commit: 5 to 40 hexadecimal digits.")
    return CommitHeader(summary, description, parent)


def _is_commit(parent: object) -> bool:
    if not isinstance(parent, str) or not len(parent) >= SHORTEST_ID:
        return False
    return COMMIT_ID.fullmatch(parent.ljust(40, "0")) is not None


def _large(value: dict[str, Any]) -> PutLargeFile:
    path, sha256, size = check_path(_text(value, "path")), _text(value, "oid"), value.get("size")
    if value.get("algo", "sha256") != "sha256":
        raise BadRequest("Large files are named by their SHA-256.")
    if len(sha256) != SHA256_DIGITS or any(digit not in "0123456789abcdef" for digit in sha256):
        raise Unprocessable(f"{sha256[:80]!r} is not a SHA-256 in hexadecimal.")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise BadRequest(f"The size of {path!r} must be a number of bytes.")
    return PutLargeFile(path, sha256, size)
