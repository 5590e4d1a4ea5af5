"""Whole files in the cache of ``huggingface_hub``: found there, and put there so that it finds them."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

if TYPE_CHECKING:
    from pytupli_registry.hub.remembered import RemoteFile
    from pytupli_registry.hub.snapshots import Snapshot

__all__ = ["find_whole", "keep_whole"]


def find_whole(snapshot: Snapshot, file: RemoteFile) -> Path | None:
    """Return where the cache keeps a file of this size under its hash; None where it does not.

    The cache names files by what the Hub said, and looks at no hash: whoever uses the file checks it.
    """
    pointer = _folder(snapshot) / "snapshots" / snapshot.commit / file.path
    for place in (_folder(snapshot) / "blobs" / file.key, pointer):
        try:
            found = place.resolve(strict=True)
            if found.is_file() and found.stat().st_size == file.size:
                return found
        except OSError:
            continue
    return None


def keep_whole(snapshot: Snapshot, file: RemoteFile, path: Path) -> Path:
    """Move a file whose hash was checked into the cache, so that ``hf_hub_download`` finds it; returns its place.

    Where the cache lies on another disk, the file stays and the cache gets a link to it: nothing is stored twice.

    Raises:
        OSError: the cache cannot be written.
    """
    blob = _folder(snapshot) / "blobs" / file.key
    blob.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.replace(blob)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _link(blob, path.resolve())
    pointer = _folder(snapshot) / "snapshots" / snapshot.commit / file.path
    pointer.parent.mkdir(parents=True, exist_ok=True)
    _link(pointer, Path(os.path.relpath(blob, pointer.parent)))
    _note_revision(snapshot)
    return blob.resolve()


def _folder(snapshot: Snapshot) -> Path:
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=snapshot.repo, repo_type="dataset")


def _link(place: Path, target: Path) -> None:
    partial = place.with_name(f".{secrets.token_hex(6)}")
    partial.symlink_to(target)
    partial.replace(place)


def _note_revision(snapshot: Snapshot) -> None:
    """Write what the cache looks up offline; a commit needs no note."""
    revision = snapshot.revision or "main"
    if revision == snapshot.commit or ".." in revision.split("/"):
        return
    place = _folder(snapshot) / "refs" / revision
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(snapshot.commit, encoding="utf-8")
