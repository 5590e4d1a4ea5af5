"""Seeded rollouts of an environment, and the file that keeps them: what verification compares with.

The file is a ZIP archive of ``.npy`` members, as NumPy's ``.npz`` is, and ``rollouts.json``. Its bytes follow from the
episodes: no time stamps, members in a fixed order, headers written here and not by some version of NumPy.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from itertools import chain
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pytupli_registry.benchmarks.spaces import expanded
from pytupli_registry.dataset.buffers import row_buffer
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS
from pytupli_registry.dataset.spaces import LeafSpace, from_gymnasium, leaf_spaces
from pytupli_registry.errors import ArtifactError, FormatError, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import gymnasium
    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Tree

__all__ = ["read_rollouts", "record_rollouts", "write_rollouts"]

_HEADER = "rollouts.json"
_MAX_EPISODES = 10_000
_MAX_MEMBERS = 8200  # the leaves of both spaces, and what every rollout has
_MAX_HEADER = 4 << 20
_MAX_DIRECTORY = 1 << 20
_MAX_BYTES = 1 << 29  # of all members together, unpacked
_MAX_TEXTS = 1 << 24  # bytes of a member of texts
_COMPRESSED_FROM = 1 << 20
_FLAGS = (TERMINATIONS, TRUNCATIONS)
_END, _END_SIZE = b"PK\x05\x06", 22
_LOCATOR_64, _LOCATOR_64_SIZE = b"PK\x06\x07", 20
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,  # a version or a method of packing that Python does not know
    RuntimeError,  # a password is wanted
    ValueError,  # names that are no UTF-8, offsets below zero
)

_Texts = TypeAdapter(list[str], config=ConfigDict(strict=True))


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _RolloutEntry(_Entry):
    length: Annotated[int, Field(ge=1, le=_MAX_BYTES)]
    seed: Annotated[int, Field(ge=0, lt=2**128)] | None


class _Header(_Entry):
    format: Literal["pytupli-rollouts"] = "pytupli-rollouts"
    format_version: int = 1
    leaves: Annotated[list[str], Field(max_length=_MAX_MEMBERS)]
    rollouts: Annotated[list[_RolloutEntry], Field(max_length=_MAX_EPISODES)]

    def rows(self, leaf: str) -> list[int]:
        """How many rows of a leaf each rollout has."""
        return [entry.length + _extra_row(leaf) for entry in self.rollouts]


def _extra_row(leaf: str) -> int:
    return int(leaf.split("/", 1)[0] == "observations")  # what the reset returned


def record_rollouts(
    make_env: Callable[[], gymnasium.Env[Any, Any]], *, seeds: Sequence[int] = (0, 1, 2), max_steps: int = 200
) -> tuple[Episode, ...]:
    """Record one rollout a seed, with actions drawn from the action space.

    Each rollout has an environment of its own, so that nothing a wrapper remembers of an earlier one gets into it.
    Both the reset and the action space get the seed. Values are kept in the dtype of their space, flags as the
    environment gave them: a rollout that is cut after ``max_steps`` has none.

    Args:
        make_env: builds the environment; called once a seed, and what it returns is closed.
        seeds: one a rollout, not negative.
        max_steps: after how many steps a rollout is cut.

    Raises:
        SpaceError: a space of the environment cannot be kept.
        EpisodeError: the environment returns what is not of its space.
    """
    found = []
    for number, seed in enumerate(seeds):
        with make_env() as env:
            try:
                found.append(_rollout(env, number, int(seed), max_steps))
            except Exception as error:
                error.add_note(f"It came of a rollout with random actions, reset with the seed {seed}.")
                raise
    return tuple(found)


def _rollout(env: gymnasium.Env[Any, Any], number: int, seed: int, max_steps: int) -> Episode:
    observations = row_buffer(from_gymnasium(env.observation_space), "observations")
    actions = row_buffer(from_gymnasium(env.action_space), "actions")
    rewards: list[float] = []
    flags: list[tuple[bool, bool]] = []
    env.action_space.seed(seed)
    observations.put(0, env.reset(seed=seed)[0])
    while len(rewards) < max_steps and not (flags and any(flags[-1])):
        action = env.action_space.sample()
        actions.put(len(rewards), action)  # before the step: environments may write into it
        observation, reward, terminated, truncated, _ = env.step(action)
        rewards.append(float(reward))
        flags.append((bool(terminated), bool(truncated)))
        observations.put(len(rewards), observation)
    ends = np.array(flags, dtype=np.bool_).reshape(-1, 2)
    return Episode(
        observations=observations.take(len(rewards) + 1),
        actions=actions.take(len(rewards)),
        rewards=np.array(rewards, dtype=np.float64),
        terminations=ends[:, 0].copy(),
        truncations=ends[:, 1].copy(),
        episode_id=number,
        seed=seed,
    )


def write_rollouts(episodes: Sequence[Episode], file: IO[bytes]) -> None:
    """Write rollouts; infos are left out.

    Up to a MiB nothing is compressed, so that the same rollouts are the same bytes everywhere. What is larger is, and
    its bytes depend on the zlib that Python was built with.

    Args:
        episodes: of one environment, so that all have the same leaves.
        file: where to; has to be seekable.

    Raises:
        ArtifactError: there is nothing to write, too much, or episodes of different leaves.
        EpisodeError: an episode breaks the T / T+1 rule.
    """
    columns = _columns(episodes)
    header = _Header(
        leaves=list(columns),
        rollouts=[_RolloutEntry(length=len(episode), seed=episode.seed) for episode in episodes],
    )
    contents = [header.model_dump_json(indent=1).encode(), *map(_packed, columns.values())]
    total = sum(map(len, contents))
    if total > _MAX_BYTES:
        raise ArtifactError(
            f"The rollouts take {total:,} bytes; {_MAX_BYTES:,} is the limit.",
            hint="Record fewer rollouts, or shorter ones.",
        )
    with zipfile.ZipFile(file, "w", allowZip64=False) as archive:
        for name, content in zip(_members(columns), contents, strict=True):
            _write_member(archive, name, content, compressed=total > _COMPRESSED_FROM)


def _columns(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Return each leaf of all rollouts, one after another: an array, or a list of str."""
    if not 0 < len(episodes) <= _MAX_EPISODES:
        raise ArtifactError(
            f"A file of rollouts holds 1 to {_MAX_EPISODES:,} of them, not {len(episodes):,}."
        )
    for episode in episodes:
        episode.check()
    rollouts = [_kept_leaves(episode) for episode in episodes]
    columns: dict[str, Any] = {}
    for path in sorted(rollouts[0]):
        parts = [leaves[path] for leaves in rollouts if path in leaves]
        if len(parts) < len(rollouts) or len({_kind(part) for part in parts}) > 1:
            raise ArtifactError(f"The rollouts differ in what {path} is: they are of different environments.")
        columns[path] = list(chain(*parts)) if isinstance(parts[0], list) else np.concatenate(parts)
    if any(leaves.keys() != columns.keys() for leaves in rollouts):
        raise ArtifactError("The rollouts have different leaves: they are of different environments.")
    return columns


def _kept_leaves(episode: Episode) -> dict[str, Any]:
    found = {path: leaf for path, leaf in episode.leaves().items() if path.split("/", 1)[0] != "infos"}
    found[REWARDS] = np.asarray(found[REWARDS], dtype=np.float64)
    for path in _FLAGS:
        found[path] = np.asarray(found[path], dtype=np.bool_)
    return found


def _kind(leaf: Any) -> object:  # noqa: ANN401 - an array or a list of str
    return "text" if isinstance(leaf, list) else (leaf.dtype, leaf.shape[1:])


def _packed(column: Any) -> bytes:  # noqa: ANN401
    if isinstance(column, list):
        return json.dumps(column).encode()
    little = np.ascontiguousarray(column, dtype=_little_endian(column.dtype))
    return _npy_header(little.dtype, little.shape) + little.tobytes()


def _little_endian(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind not in "biufc":
        raise ArtifactError(f"Rollouts hold numbers and texts, not the dtype {dtype}.")
    return dtype.newbyteorder("<")


def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the header of version 1.0 (NEP 1), aligned to 64 bytes, of one form only."""
    described = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {tuple(map(int, shape))!r}, }}"
    padding = -(10 + len(described) + 1) % 64
    text = f"{described}{' ' * padding}\n".encode("latin1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def _members(columns: Mapping[str, Any]) -> list[str]:
    """Name the members: by number, since keys of a Dict space are anything."""
    kinds = ("json" if isinstance(column, list) else "npy" for column in columns.values())
    return [_HEADER, *(f"leaf-{number:04}.{kind}" for number, kind in enumerate(kinds))]


def _write_member(archive: zipfile.ZipFile, name: str, content: bytes, *, compressed: bool) -> None:
    member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    member.create_system = 3  # as on Unix, wherever it is written
    member.external_attr = 0o644 << 16
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    archive.writestr(member, content, compress_type=method, compresslevel=6)


def read_rollouts(
    path: Path, observation_space: Mapping[str, Any], action_space: Mapping[str, Any]
) -> tuple[Episode, ...]:
    """Read rollouts from a file that need not be trusted.

    The spaces and the lengths that the file names tell what each member has to be, byte by byte of its header; that
    is compared with what the archive says before anything of that size is unpacked.

    Args:
        path: the file.
        observation_space: of the environment, in Minari's JSON or as ``benchmark.json`` has it.
        action_space: likewise.

    Raises:
        SpaceError: a space is malformed.
        UnsupportedFormat: it is of a later format version.
        FormatError: it is no file of rollouts, is damaged, or its leaves are not those of the spaces.
    """
    spaces = {"observations": expanded(observation_space), "actions": expanded(action_space)}
    leaves = {leaf: space for root in spaces for leaf, space in leaf_spaces(spaces[root], root).items()}
    try:
        with path.open("rb") as file:
            _check_directory(file, path)
            with zipfile.ZipFile(file) as archive:
                header, columns = _read_archive(archive, path, leaves)
    except _BROKEN as error:
        raise FormatError(path, f"it is no file of rollouts, or damaged: {error!s:.200}") from error
    return tuple(_episodes(header, columns, spaces))


def _check_directory(file: IO[bytes], path: Path) -> None:
    """Refuse what would make ``zipfile`` build millions of entries, before it reads them."""
    size = file.seek(0, 2)
    tail_size = min(size, _END_SIZE + _LOCATOR_64_SIZE)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    end = tail[-_END_SIZE:]
    if len(end) < _END_SIZE or end[:4] != _END or end[20:] != b"\x00\x00":
        raise FormatError(path, "it does not end as an archive of rollouts does")
    members, directory = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if members > _MAX_MEMBERS or directory > _MAX_DIRECTORY or tail[:4] == _LOCATOR_64:
        raise FormatError(path, "its table of contents is too long")


def _read_archive(
    archive: zipfile.ZipFile, path: Path, leaves: Mapping[str, LeafSpace]
) -> tuple[_Header, dict[str, Any]]:
    infos = archive.infolist()
    if sum(info.file_size for info in infos) > _MAX_BYTES:
        raise FormatError(path, f"its members hold more than {_MAX_BYTES:,} bytes")
    header = _read_header(archive, path)
    wanted = _wanted(leaves)
    if sorted(header.leaves) != sorted(wanted):
        missing, extra = (
            sorted(wanted.keys() - set(header.leaves)),
            sorted(set(header.leaves) - wanted.keys()),
        )
        said = f"leaves are missing: {missing!s:.120}" if missing else f"it has other leaves: {extra!s:.120}"
        raise FormatError(path, f"it does not fit the spaces; {said}")
    names = _members({leaf: [] if wanted[leaf] is None else None for leaf in header.leaves})
    if [info.filename for info in infos] != names:
        raise FormatError(path, "its members are not those that its header names")
    columns = {
        leaf: _read_leaf(archive, info, (path, leaf), wanted[leaf], header)
        for leaf, info in zip(header.leaves, infos[1:], strict=True)
    }
    for leaf in _FLAGS:
        _check_flags(columns[leaf], header, (path, leaf))
    return header, columns


def _wanted(leaves: Mapping[str, LeafSpace]) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]] | None]:
    """Return dtype and row shape of each leaf; None for texts."""
    found: dict[str, tuple[np.dtype[Any], tuple[int, ...]] | None] = {
        leaf: None if space.dtype is None else (space.dtype.newbyteorder("<"), space.shape)
        for leaf, space in leaves.items()
    }
    return found | {REWARDS: (np.dtype("<f8"), ()), **dict.fromkeys(_FLAGS, (np.dtype("|b1"), ()))}


def _read_header(archive: zipfile.ZipFile, path: Path) -> _Header:
    try:
        member = archive.getinfo(_HEADER)
    except KeyError as error:
        raise FormatError(path, f"it has no {_HEADER}") from error
    try:
        header = _Header.model_validate_json(_read_member(archive, member, (path, _HEADER), _MAX_HEADER))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise FormatError(path, f"{first['msg']:.120} ({first['loc']!s:.80})", where=_HEADER) from error
    if header.format_version != 1:
        raise UnsupportedFormat(
            path,
            f"its rollouts are of the format version {header.format_version}; this release reads version 1",
            hint="Install a later release of pytupli-registry.",
        )
    return header


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: tuple[Path, str], limit: int
) -> bytes:
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or member.flag_bits & 1:
        raise FormatError(place[0], "it is packed in a way that rollouts are not", where=place[1])
    if member.file_size > limit:
        raise FormatError(place[0], f"it holds {member.file_size:,} bytes, more than it may", where=place[1])
    with archive.open(member) as file:
        content = file.read(member.file_size)
    if len(content) != member.file_size:
        raise FormatError(place[0], "it is shorter than it says", where=place[1])
    return content


def _read_leaf(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    place: tuple[Path, str],
    kind: tuple[np.dtype[Any], tuple[int, ...]] | None,
    header: _Header,
) -> Any:  # noqa: ANN401 - an array, or a list of str
    rows = sum(header.rows(place[1]))
    if kind is None:
        return _read_texts(_read_member(archive, member, place, _MAX_TEXTS), rows, place)
    dtype, row_shape = kind
    shape = (rows, *row_shape)
    start = _npy_header(dtype, shape)
    size = len(start) + math.prod(shape) * dtype.itemsize
    if member.file_size != size:
        raise FormatError(
            place[0],
            f"it has {member.file_size:,} bytes; {rows:,} rows of its space ({dtype} {row_shape}) take {size:,}",
            where=place[1],
        )
    content = _read_member(archive, member, place, size)
    if not content.startswith(start):
        raise FormatError(place[0], f"it is not of the dtype {dtype} and shape {shape}", where=place[1])
    if dtype.kind == "b" and content[len(start) :].strip(b"\x00\x01"):
        raise FormatError(place[0], "it holds truth values that are neither 0 nor 1", where=place[1])
    found: NDArray[Any] = np.frombuffer(content, dtype=dtype, offset=len(start)).reshape(shape)
    return found.astype(dtype.newbyteorder("="), copy=False)


def _read_texts(content: bytes, rows: int, place: tuple[Path, str]) -> list[str]:
    try:
        texts = _Texts.validate_json(content)
    except ValidationError as error:
        raise FormatError(place[0], "it is no list of texts", where=place[1]) from error
    if len(texts) != rows:
        raise FormatError(
            place[0], f"it has {len(texts):,} texts where there are {rows:,} rows", where=place[1]
        )
    return texts


def _check_flags(flags: NDArray[np.bool_], header: _Header, place: tuple[Path, str]) -> None:
    """Refuse a rollout that goes on after its end."""
    ends = np.cumsum(header.rows(place[1])) - 1
    if np.setdiff1d(np.flatnonzero(flags), ends).size:
        raise FormatError(place[0], "a rollout goes on after its end", where=place[1])


def _episodes(
    header: _Header, columns: Mapping[str, Any], spaces: Mapping[str, Mapping[str, Any]]
) -> Iterator[Episode]:
    start = 0
    for number, entry in enumerate(header.rollouts):
        stop = start + entry.length
        part = {}
        for leaf, column in columns.items():
            seen = _extra_row(leaf)
            part[leaf] = column[start + seen * number : stop + seen * (number + 1)]
        start = stop
        yield Episode(
            observations=_tree(spaces["observations"], part, "observations"),
            actions=_tree(spaces["actions"], part, "actions"),
            rewards=part[REWARDS],
            terminations=part[TERMINATIONS],
            truncations=part[TRUNCATIONS],
            episode_id=number,
            seed=entry.seed,
        )


def _tree(space: Mapping[str, Any], leaves: Mapping[str, Any], path: str) -> Tree:
    """Nest leaves as their space does: a Dict stays one whatever its keys are, and has no leaves where it has no keys."""
    if space["type"] == "Dict":
        return {key: _tree(part, leaves, f"{path}/{key}") for key, part in space["subspaces"].items()}
    if space["type"] == "Tuple":
        return tuple(
            _tree(part, leaves, f"{path}/_index_{number}") for number, part in enumerate(space["subspaces"])
        )
    return leaves[path]
