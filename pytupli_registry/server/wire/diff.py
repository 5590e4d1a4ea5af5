"""Differences of texts in git's form (``git diff``; git-scm.com/docs/diff-format), in bounded time.

The shortest edit is looked for with the greedy algorithm of E. W. Myers, "An O(ND) Difference Algorithm and Its
Variations" (1986), but no further than a number of edits: beyond it, the old lines go and the new lines come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["FileText", "file_diff"]

CONTEXT = 3
MOST_EDITS = 200
MOST_LINES = 3000
NO_NEWLINE = "\\ No newline at end of file\n"

Line = tuple[str, str]
"""``" "``, ``"-"`` or ``"+"``, and the line with its newline."""


@dataclass(frozen=True, slots=True)
class FileText:
    """One side of a comparison.

    Attributes:
        mode: as in a tree, ``100644``.
        oid: git's id.
        text: the content, None if it is binary or too large to compare.
    """

    mode: str
    oid: str
    text: str | None


def file_diff(path: str, old: FileText | None, new: FileText | None) -> str:
    """Return how a file differs, in git's form; None stands for a file that does not exist."""
    before, after = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    lines = [f"diff --git {before} {after}\n", *_extended(old, new)]
    from_, to = before if old else "/dev/null", after if new else "/dev/null"
    if (old and old.text is None) or (new and new.text is None):
        return "".join([*lines, f"Binary files {from_} and {to} differ\n"])
    hunks = list(_hunks(_lines(old), _lines(new)))
    if hunks:
        lines += [f"--- {_ended(from_)}\n", f"+++ {_ended(to)}\n", *hunks]
    return "".join(lines)


def _extended(old: FileText | None, new: FileText | None) -> Iterator[str]:
    missing = "0" * 40
    if old is None and new is not None:
        yield f"new file mode {new.mode}\n"
    elif new is None and old is not None:
        yield f"deleted file mode {old.mode}\n"
    mode = f" {new.mode}" if old and new and old.mode == new.mode else ""
    yield f"index {old.oid if old else missing}..{new.oid if new else missing}{mode}\n"


def _quoted(name: str) -> str:
    if '"' in name or "\\" in name:
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return name


def _ended(name: str) -> str:
    return f"{name}\t" if " " in name else name  # so that the end of a name with blanks is known


def _lines(file: FileText | None) -> list[str]:
    text = file.text if file and file.text else ""
    parts = text.split("\n")
    last = parts.pop()
    return [f"{part}\n" for part in parts] + ([last] if last else [])


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    script = list(_script(old, new))
    changed = [at for at, (sign, _) in enumerate(script) if sign != " "]
    if not changed:
        return
    old_at, new_at, done = 1, 1, 0
    for first, end in _groups(changed, len(script)):
        skipped = first - done
        old_at, new_at = old_at + skipped, new_at + skipped
        part = script[first:end]
        removed = sum(sign != "+" for sign, _ in part)
        added = sum(sign != "-" for sign, _ in part)
        yield f"@@ -{_range(old_at, removed)} +{_range(new_at, added)} @@\n"
        yield from (
            f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n{NO_NEWLINE}" for sign, line in part
        )
        old_at, new_at, done = old_at + removed, new_at + added, end


def _groups(changed: Sequence[int], length: int) -> Iterator[tuple[int, int]]:
    """Yield which parts of the script are shown: changes with their context, joined where it touches."""
    first = last = changed[0]
    for at in changed[1:]:
        if at - last > 2 * CONTEXT + 1:
            yield max(first - CONTEXT, 0), min(last + CONTEXT + 1, length)
            first = at
        last = at
    yield max(first - CONTEXT, 0), min(last + CONTEXT + 1, length)


def _range(at: int, count: int) -> str:
    if count == 1:
        return str(at)
    return f"{at if count else at - 1},{count}"


def _script(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """Yield the lines of both sides, saying which went and which came."""
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    tail = 0
    while tail < min(len(old), len(new)) - same and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    old_end, new_end = len(old) - tail, len(new) - tail
    yield from ((" ", line) for line in old[:same])
    yield from _middle(old[same:old_end], new[same:new_end])
    yield from ((" ", line) for line in old[old_end:])


def _middle(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    old_at = new_at = 0
    for old_same, new_same in [*_matches(old, new), (len(old), len(new))]:
        yield from (("-", line) for line in old[old_at:old_same])
        yield from (("+", line) for line in new[new_at:new_same])
        if old_same < len(old):
            yield " ", old[old_same]
        old_at, new_at = old_same + 1, new_same + 1


def _matches(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return the lines that stay, as pairs of their places; none if that takes too many edits to find out."""
    if len(old) + len(new) > MOST_LINES:
        return []
    furthest = {
        1: 0
    }  # on each diagonal (place in old minus place in new), how far in old that many edits lead
    trace: list[dict[int, int]] = []
    for edits in range(min(MOST_EDITS, len(old) + len(new)) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-edits, edits + 1, 2):
            before = _before(furthest, diagonal, edits)
            at = furthest[before] + (1 if before < diagonal else 0)
            while at < len(old) and at - diagonal < len(new) and old[at] == new[at - diagonal]:
                at += 1
            furthest[diagonal] = at
            if diagonal == len(old) - len(new) and at >= len(old):
                return _traced(trace, len(old), len(new))
    return []


def _before(furthest: dict[int, int], diagonal: int, edits: int) -> int:
    """Return the diagonal that the last edit began on: the one above removed a line, the one below added one."""
    if diagonal == -edits:
        return diagonal + 1
    if diagonal == edits:
        return diagonal - 1
    return diagonal + 1 if furthest[diagonal - 1] < furthest[diagonal + 1] else diagonal - 1


def _traced(trace: list[dict[int, int]], old_at: int, new_at: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for edits in range(len(trace) - 1, -1, -1):
        diagonal = _before(trace[edits], old_at - new_at, edits)
        old_begin = trace[edits][diagonal]
        new_begin = old_begin - diagonal
        while old_at > old_begin and new_at > new_begin:
            old_at, new_at = old_at - 1, new_at - 1
            pairs.append((old_at, new_at))
        old_at, new_at = old_begin, new_begin
    return pairs[::-1]
