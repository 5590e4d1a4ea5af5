"""A repository as it was at one commit: resolved once, so that everything read from it belongs together."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import (
    ChecksumError,
    FileNotInRepository,
    HubError,
    HubUnreachable,
    NotCached,
    RepositoryNotFound,
    RevisionNotFound,
)
from pytupli_registry.hub.answers import COMMIT, Following, file_of, holds, next_page
from pytupli_registry.hub.credentials import resolve
from pytupli_registry.hub.http import (
    FAILURES,
    OfflineModeIsEnabled,
    is_refused_connection,
    origin_of,
)
from pytupli_registry.hub.pacing import RETRIED, Pace
from pytupli_registry.hub.ranges import ATTEMPTS, RemoteBytes
from pytupli_registry.hub.remembered import Remembered, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytupli_registry.hub.http import Answer

__all__ = ["Hub", "RemoteFile", "Snapshot"]

DEFAULT_REVISION = "main"
_MAX_ANSWER = 1 << 28
_MAX_READ = 1 << 26
_PATHS_A_REQUEST = 500
_ANSWERS = 3  # attempts to get an answer that can be understood
_CONNECTIONS = 4  # attempts where nobody listens at all: who mistyped a name must not wait long


class Hub:
    """A Hub, and who asks: ours, huggingface.co, or any other that speaks the protocol.

    Args:
        endpoint: its URL; None takes the one that is meant, see :mod:`pytupli_registry.hub.credentials`.
        token: None takes the one that was given for this endpoint; False sends none.
    """

    def __init__(self, endpoint: str | None = None, token: str | bool | None = None) -> None:
        self.access = resolve(endpoint, token)
        self.endpoint = self.access.endpoint
        self.pace = Pace()

    @property
    def headers(self) -> dict[str, str]:
        """What every request to this Hub, and to no other place, carries."""
        token = self.access.token
        return {"Authorization": f"Bearer {token}"} if token else {}

    @property
    def is_offline(self) -> bool:
        """Whether no network may be asked: PYTUPLI_OFFLINE or HF_HUB_OFFLINE is set."""
        return ClientConfig.from_environment().is_offline or bool(constants.HF_HUB_OFFLINE)

    @property
    def remembered(self) -> Remembered:
        """What is known of it on this machine."""
        return Remembered(ClientConfig.from_environment().cache_path, self.endpoint)

    def api(self) -> HfApi:
        """Return the stock client for the same Hub and the same person."""
        return HfApi(endpoint=self.endpoint, token=self.access.token or False)

    def snapshot(self, repo: str, revision: str | None = None) -> Snapshot:
        """Resolve a revision to its commit.

        Offline, to the commit that it was the last time. A commit that something is here of is not asked for again: it
        cannot change, and what is missing of it is asked for when it is needed.

        Args:
            repo: a dataset repository, ``acme/hvac``.
            revision: branch, tag or commit; None is ``main``.

        Raises:
            RepositoryNotFound: there is no such repository, or none one may read.
            RevisionNotFound: it has no such revision.
            NotCached: offline, and this revision was never resolved on this machine.
            HubUnreachable: the Hub does not answer.
        """
        asked = revision or DEFAULT_REVISION
        if self.is_offline:
            commit = asked if COMMIT.fullmatch(asked) else self.remembered.commit(repo, asked)
            if commit is None:
                raise NotCached(f"revision {asked!r} of {repo} ({self.endpoint})")
            return Snapshot(self, repo, revision, commit)
        if COMMIT.fullmatch(asked) and any(self.remembered.files(repo, asked).values()):
            return Snapshot(self, repo, revision, asked)
        answered = self.ask(
            "GET", f"/api/datasets/{repo}/revision/{quote(asked, safe='')}?expand=sha", repo, asked
        )
        commit = answered.get("sha") if isinstance(answered, dict) else None
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise HubError(f"{self.endpoint} names no commit for {asked!r} of {repo}.")
        return Snapshot(self, repo, revision, commit)

    def ask(self, method: str, path: str, repo: str, revision: str = "", form: Any = None) -> Any:  # noqa: ANN401 - any JSON
        """Ask for JSON about a repository, again where the Hub is busy; None for an empty answer.

        Raises:
            HubError: as :meth:`snapshot`.
        """
        return self.ask_page(self.endpoint + path, method, repo, revision, form)[0]

    def ask_page(
        self,
        url: str,
        method: str,
        repo: str,
        revision: str = "",
        form: Any = None,  # noqa: ANN401
    ) -> tuple[Any, str | None]:
        """Ask for JSON, and where the listing goes on (None at its end).

        Raises:
            HubError: as :meth:`snapshot`.
        """
        if self.is_offline:
            raise NotCached(f"what {self.endpoint} knows about {repo}")
        problem = ""
        for attempt in range(ATTEMPTS):
            self.pace.wait()
            headers: Mapping[str, str] | None = None
            is_there = True
            try:
                with self._following(method, url, form) as answer:
                    if answer.status not in RETRIED:
                        return self._read(answer, repo, revision), next_page(answer)
                    problem, headers = f"it answers {answer.status}", dict(answer.headers)
            except OfflineModeIsEnabled as error:
                raise NotCached(f"what {self.endpoint} knows about {repo}") from error
            except FAILURES as error:
                problem = f"{type(error).__name__}: {error!s:.200}"
                is_there = not is_refused_connection(error)
            if attempt + 1 == (ATTEMPTS if is_there else _CONNECTIONS):
                break
            self.pace.back_off(attempt, headers)
        raise HubUnreachable(
            f"The Hub at {self.endpoint} does not answer: {problem}.",
            hint="Is it running, and is it the one you mean?",
        )

    def _following(self, method: str, url: str, form: Any) -> Following:  # noqa: ANN401
        return Following(self, method, url, form)

    def _read(self, answer: Answer, repo: str, revision: str) -> Any:  # noqa: ANN401
        if answer.status >= 300:
            raise self._refusal(answer, repo, revision)
        content = answer.read(_MAX_ANSWER)
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            raise HubUnreachable(f"What answers at {self.endpoint} is no Hub.") from error

    def _refusal(self, answer: Answer, repo: str, revision: str) -> HubError:
        code = answer.headers.get("x-error-code", "")
        said = answer.headers.get("x-error-message") or f"it answers {answer.status}"
        if code == "RevisionNotFound":
            return RevisionNotFound(repo, revision)
        if code == "EntryNotFound":
            return HubError(f"{repo} has nothing there: {said:.300}", status=answer.status)
        if code == "GatedRepo":
            return HubError(f"{repo} is gated: {said:.300}", status=answer.status)
        if code == "RepoNotFound" or answer.status in {401, 404}:
            return RepositoryNotFound(repo, self.endpoint)
        return HubError(f"The Hub at {self.endpoint} refuses: {said:.300}", status=answer.status)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A repository at a commit.

    Attributes:
        hub: has it.
        repo: its name.
        revision: what was asked for; None for the default.
        commit: what that is, in full; everything is read at it.
    """

    hub: Hub
    repo: str
    revision: str | None
    commit: str
    _known: dict[str, RemoteFile | None] = field(default_factory=dict, repr=False)

    @cached_property
    def files(self) -> Mapping[str, RemoteFile]:
        """Every file by path; asked for one by one, so that a repository of many files costs no more than one of few."""
        return _Files(self)

    def look(self, paths: Iterable[str]) -> dict[str, RemoteFile]:
        """Return those of some files that are there, asking for them together.

        Raises:
            NotCached: offline, and nothing is known of one of them.
            HubError: the Hub refuses, or cannot be reached.
        """
        wanted = list(dict.fromkeys(paths))
        unknown = [path for path in wanted if path not in self._known]
        if unknown:
            remembered = self.hub.remembered.files(self.repo, self.commit)
            self._known.update(remembered)
            unknown = [path for path in unknown if path not in self._known]
            if any(remembered.values()):  # of another name for the same commit, perhaps
                self._keep_revision()
        if unknown and self.hub.is_offline:
            raise NotCached(f"what {self.repo} holds at {self.commit:.12} ({unknown[0]})")
        for first in range(0, len(unknown), _PATHS_A_REQUEST):
            self._ask(unknown[first : first + _PATHS_A_REQUEST])
        return {path: file for path in wanted if (file := self._known[path]) is not None}

    def below(self, folder: str = "") -> dict[str, RemoteFile]:
        """Return every file below a folder by path; nothing where there is no such folder.

        Raises:
            HubError: the Hub refuses, or cannot be reached.
        """
        place = f"/{quote(folder, safe='')}" if folder else ""
        start = f"{self.hub.endpoint}/api/datasets/{self.repo}/tree/{self.commit}{place}?recursive=true"
        found: dict[str, RemoteFile] = {}
        url: str | None = start
        while url is not None:
            try:
                entries, url = self.hub.ask_page(url, "GET", self.repo, self.commit)
            except HubError as error:
                if folder and error.status == 404 and type(error) is not RepositoryNotFound:
                    return {}
                raise
            if url is not None and origin_of(url) != origin_of(self.hub.endpoint):
                raise HubError(f"{self.hub.endpoint} continues its listing on another host, {url!r:.200}.")
            found.update({file.path: file for file in map(file_of, entries or []) if file is not None})
        self._keep(dict(found))
        return found

    def file(self, path: str) -> RemoteFile:
        """Return the facts of one file.

        Raises:
            FileNotInRepository: there is none.
            HubError: the Hub refuses, or cannot be reached.
        """
        found = self.look([path]).get(path)
        if found is None:
            raise FileNotInRepository(self.repo, self.commit, path)
        return found

    def read(self, path: str, limit: int = _MAX_READ) -> bytes:
        """Return the content of a small file; checked against its hash, and kept for the next time.

        Args:
            path: of the file.
            limit: it may have at most so many bytes.

        Raises:
            FileNotInRepository: there is no such file.
            NotCached: offline, and it is not on this machine.
            ChecksumError: what comes has another hash.
            HubError: it is too large, or the Hub refuses or cannot be reached.
        """
        file = self.file(path)
        if file.size > limit:
            raise HubError(f"{path} of {self.repo} has {file.size} bytes; at most {limit} are read at once.")
        known = self.hub.remembered.content(file)
        if known is not None:
            return known
        content = self._content(file)
        if content is None:  # what the Hub has said about the file may have been damaged on the way
            file = self.asked_again(file)
            content = self._content(file)
        if content is None:
            raise self._damaged(file)
        self.hub.remembered.keep_content(file, content)
        return content

    def asked_again(self, file: RemoteFile) -> RemoteFile:
        """Return the facts of a file as the Hub tells them now: they do not fit to what came.

        Raises:
            ChecksumError: they are the same, so that it is the file that is wrong.
            HubError: the Hub refuses, or cannot be reached.
        """
        self._known.clear()
        self.hub.remembered.forget(self.repo, self.commit)
        again = self.file(file.path)
        if again == file:
            raise self._damaged(file)
        return again

    def local(self, path: str, limit: int = _MAX_READ) -> Path | None:
        """Return where :meth:`read` keeps a small file, after reading it; None where the cache cannot be written."""
        content, file = self.read(path, limit), self.file(path)
        place = self.hub.remembered.blob(file)
        return place if place.is_file() else self.hub.remembered.keep_content(file, content)

    def bytes_of(self, path: str) -> RemoteBytes:
        """Return a file of any size, to be read by ranges."""
        return RemoteBytes(self.hub, self.repo, self.commit, self.file(path))

    def download(self, path: str) -> Path:
        """Bring a whole file into the cache of ``huggingface_hub`` and return it: a regular file, checked.

        Raises:
            FileNotInRepository: there is no such file.
            NotCached: offline, and it is not on this machine.
            ChecksumError: what came has another hash.
            HubError: the Hub refuses, or cannot be reached.
        """
        file = self.file(path)
        for last in (False, True):
            place = self._downloaded(file, again=last)
            if holds(place, file):
                return place
        file = self.asked_again(file)
        if holds(place, file):
            return place
        raise self._damaged(file)

    def _damaged(self, file: RemoteFile) -> ChecksumError:
        return ChecksumError(
            f"{file.path} of {self.repo} at {self.commit:.12} comes with another hash than {self.hub.endpoint} names."
        )

    def _downloaded(self, file: RemoteFile, *, again: bool) -> Path:
        try:
            place = self.hub.api().hf_hub_download(
                self.repo,
                file.path,
                repo_type="dataset",
                revision=self.commit,
                force_download=again and not self.hub.is_offline,
                local_files_only=self.hub.is_offline,
            )
        except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
            if self.hub.is_offline:
                raise NotCached(f"{file.path} of {self.repo}") from error
            raise HubUnreachable(f"{file.path} of {self.repo} does not come: {error!s:.300}") from error
        except GatedRepoError as error:
            raise HubError(f"{self.repo} is gated: {error!s:.300}", status=403) from error
        except RepositoryNotFoundError as error:
            raise RepositoryNotFound(self.repo, self.hub.endpoint) from error
        except FAILURES as error:
            raise HubError(f"{file.path} of {self.repo} cannot be downloaded: {error!s:.300}") from error
        return Path(place).resolve()

    def _content(self, file: RemoteFile) -> bytes | None:
        """Return what comes, None where it does not have its hash."""
        if self.hub.is_offline:
            raise NotCached(f"{file.path} of {self.repo}")
        for _ in range(2):
            content = bytearray(file.size)

            def take(place: int, piece: bytes | memoryview, content: bytearray = content) -> None:
                content[place : place + len(piece)] = piece

            began = time.monotonic()
            RemoteBytes(self.hub, self.repo, self.commit, file).read_whole(take)
            waiting = self.hub.pace.speed.latency
            self.hub.pace.saw_transfer(file.size, max(time.monotonic() - began - waiting, 1e-3))
            if file.matches(bytes(content)):
                return bytes(content)
        return None

    def _ask(self, paths: list[str]) -> None:
        files = self._told(paths)
        missing = [path for path in paths if path not in files]
        if (
            missing
        ):  # that is remembered for good: one answer alone, of which a bit may be wrong, does not suffice
            files |= self._told(missing)
        self._keep({path: files.get(path) for path in paths})

    def _told(self, paths: list[str]) -> dict[str, RemoteFile]:
        """Return what the Hub says about some paths; an answer to another question is not believed."""
        path = f"/api/datasets/{self.repo}/paths-info/{self.commit}"
        problem = ""
        for _ in range(_ANSWERS):
            said = self.hub.ask("POST", path, self.repo, self.commit, {"paths": paths, "expand": "false"})
            try:
                found = [file_of(entry) for entry in said or []]
            except HubError as error:
                problem = str(error)
                continue
            files = {file.path: file for file in found if file is not None}
            if files.keys() <= set(paths):
                return files
            problem = "it speaks of other paths"
        raise HubError(f"{self.hub.endpoint} does not tell what {self.repo} holds: {problem}")

    def _keep(self, files: dict[str, RemoteFile | None]) -> None:
        self._known.update(files)
        self.hub.remembered.keep_files(self.repo, self.commit, files)
        self._keep_revision()

    def _keep_revision(self) -> None:
        """Remember what the revision is; only when a file is known at the commit, which then was not misheard."""
        self.hub.remembered.keep_commit(self.repo, self.revision or DEFAULT_REVISION, self.commit)


class _Files(Mapping[str, RemoteFile]):
    """The files of a snapshot; iterating over them lists all."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @cached_property
    def _all(self) -> dict[str, RemoteFile]:
        return self._snapshot.below()

    def __getitem__(self, path: str) -> RemoteFile:
        return self._snapshot.look([path])[path]

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and path in self._snapshot.look([path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)
