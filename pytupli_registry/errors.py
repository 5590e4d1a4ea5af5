"""Every error the client raises on purpose.

::

    PytupliError
    ├── InvalidReference        a reference or dataset id that cannot be parsed
    ├── DatasetNotFound         no dataset under that reference
    ├── DatasetExists           writing would overwrite a dataset
    ├── BenchmarkNotFound       no benchmark under that name or directory
    ├── BenchmarkExists         saving would overwrite another benchmark
    ├── FormatError             a file does not hold what it should
    │   ├── UnsafeFile          a file asks for something we refuse to do
    │   ├── StaleIndex          an index that does not describe its data file
    │   └── UnsupportedFormat   a file of a format version that this release does not know
    ├── SpaceError              a Gymnasium space that cannot be described or does not fit
    ├── EpisodeError            an episode that breaks the T / T+1 rule or its spaces
    ├── WriteError              a dataset could not be written
    ├── ArtifactError           a value that cannot be kept as an artifact, or an artifact that is not what it says
    ├── EnvironmentRefused      an environment that may not be built here
    │   ├── ConsentRequired     code would run that nobody has allowed on this machine
    │   └── RequirementsMissing what the environment needs is not installed
    ├── FilterError
    │   ├── FilterSyntaxError   the text is no filter expression
    │   ├── UnknownField        the filter names a field the dataset does not have
    │   └── FilterTypeError     the filter compares or combines what cannot be
    ├── ViewNotFound            no view of that name or hash beside the dataset
    ├── ViewExists              saving would replace a view of other data
    ├── SelectionChanged        a view does not keep what it kept when it was saved
    ├── AdapterError            no such adapter, or it cannot take this dataset
    ├── PublicationRefused      what would be published is not fit for it; every problem is told
    └── HubError                a Hub has refused a request
        ├── CommitConflict      the branch has moved on since it was read
        ├── RepositoryNotFound  no repository of that name, or none that one may read
        ├── RevisionNotFound    no such branch, tag or commit in the repository
        ├── FileNotInRepository no such file at that commit
        ├── ChecksumError       what came is not what the repository names, again and again
        └── HubUnreachable      no Hub answers, or what answers is none
            └── NotCached       offline, and what is needed is not on this machine

A message says what failed, on which thing, and what to do next; ``hint`` holds the last part so that the
command line can show it on its own line.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "AdapterError",
    "ArtifactError",
    "BenchmarkExists",
    "BenchmarkNotFound",
    "ChecksumError",
    "CommitConflict",
    "ConsentRequired",
    "DatasetExists",
    "DatasetNotFound",
    "EnvironmentRefused",
    "EpisodeError",
    "FileNotInRepository",
    "FilterError",
    "FilterSyntaxError",
    "FilterTypeError",
    "FormatError",
    "HubError",
    "HubUnreachable",
    "InvalidReference",
    "NotCached",
    "PublicationRefused",
    "PytupliError",
    "RepositoryNotFound",
    "RequirementsMissing",
    "RevisionNotFound",
    "SelectionChanged",
    "SpaceError",
    "StaleIndex",
    "UnknownField",
    "UnsafeFile",
    "UnsupportedFormat",
    "ViewExists",
    "ViewNotFound",
    "WriteError",
    "did_you_mean",
]


_SHOWN = 80  # characters of a filter shown on either side of an error


class PytupliError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        message: what failed, and on which thing, in one sentence.
        hint: what to do next, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers send their errors back pickled; Exception's own way would call __init__ with the message alone.
        return _restored, (type(self), self.args, self.__dict__)


class InvalidReference(PytupliError):  # noqa: N818 - the name says what is wrong, as Python's own LookupError does
    """A reference, dataset id or benchmark's name that cannot be parsed.

    Attributes:
        text: the reference as given.
    """

    def __init__(
        self, text: str, problem: str, *, kind: str = "dataset reference", hint: str | None = None
    ) -> None:
        super().__init__(f"{text!r:.160} is not a {kind}: {problem:.160}.", hint=hint)
        self.text = text


class DatasetNotFound(PytupliError):  # noqa: N818
    """No dataset under that reference.

    Attributes:
        reference: what was asked for.
    """

    def __init__(
        self, reference: str, where: str, *, known: Iterable[str] = (), hint: str | None = None
    ) -> None:
        hint = hint or did_you_mean(reference, known) or "`pytupli list` shows what is there."
        super().__init__(f"There is no dataset {reference!r} in {where}.", hint=hint)
        self.reference = reference


class DatasetExists(PytupliError):  # noqa: N818
    """Writing would overwrite a dataset that exists.

    Attributes:
        reference: the dataset that is in the way.
    """

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"A dataset {reference!r} exists already.",
            hint="Datasets are never overwritten: use the next version number, append to it, or delete it first.",
        )
        self.reference = reference


class BenchmarkNotFound(PytupliError):  # noqa: N818
    """No benchmark under that name or directory.

    Attributes:
        reference: what was asked for.
    """

    def __init__(
        self, reference: str, where: str, *, known: Iterable[str] = (), hint: str | None = None
    ) -> None:
        hint = hint or did_you_mean(reference, known) or "`pytupli benchmark list` shows what is there."
        super().__init__(f"There is no benchmark {reference!r:.160} in {where}.", hint=hint)
        self.reference = reference


class BenchmarkExists(PytupliError):  # noqa: N818
    """Saving would overwrite a benchmark of another identity.

    Attributes:
        reference: the benchmark that is in the way.
    """

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"Another benchmark is at {reference} already.",
            hint="Replace it (replace=True, `--replace`), or save this one under another name or elsewhere.",
        )
        self.reference = reference


class FormatError(PytupliError):
    """A file does not hold what it should.

    Attributes:
        path: the file.
        where: the place in it (an HDF5 path, a JSON key), or None.
    """

    def __init__(
        self, path: Path | str, problem: str, *, where: str | None = None, hint: str | None = None
    ) -> None:
        place = f"{path}, at {where}" if where else str(path)
        super().__init__(f"{place}: {problem}.", hint=hint)
        self.path = path
        self.where = where
        self.problem = problem


class UnsafeFile(FormatError):  # noqa: N818
    """A file asks for something that is refused whatever its content (links out of the file, plugins, objects)."""


class StaleIndex(FormatError):  # noqa: N818
    """An ``episodes.parquet`` that does not describe the ``main_data.hdf5`` beside it."""


class UnsupportedFormat(FormatError):  # noqa: N818
    """A file of a format version that this release does not know."""


class SpaceError(PytupliError):
    """A Gymnasium space that cannot be described, parsed or satisfied."""


class EpisodeError(PytupliError):
    """An episode that breaks the T / T+1 rule, its flags, or its spaces."""


class WriteError(PytupliError):
    """A dataset could not be written; what existed before is untouched."""


class ArtifactError(PytupliError):
    """A value that cannot be kept as an artifact, or an artifact that is not what its benchmark says."""


class EnvironmentRefused(PytupliError):  # noqa: N818
    """An environment named by data that may not be built on this machine."""


class ConsentRequired(EnvironmentRefused):
    """Code would run that nobody has allowed on this machine.

    Attributes:
        hashes: SHA-256 of each piece of shipped code (or policy) that consent would have to name, in hexadecimal.
        runs: what would run, one line each.
    """

    def __init__(
        self, message: str, *, hashes: Iterable[str] = (), runs: Iterable[str] = (), hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.hashes = tuple(hashes)
        self.runs = tuple(runs)


class RequirementsMissing(EnvironmentRefused):
    """What the environment needs is not installed here, or not in a version that fits.

    Attributes:
        missing: the requirements, as pip takes them.
    """

    def __init__(self, message: str, *, missing: Iterable[str] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.missing = tuple(missing)


class FilterError(PytupliError):
    """Base of the errors of filter expressions.

    Attributes:
        text: the filter as given, or None if it was not given as text.
        position: 0-based character in ``text`` the error is about, or None.
    """

    def __init__(
        self, message: str, *, text: str | None = None, position: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.text = text
        self.position = position

    def __str__(self) -> str:
        said = super().__str__()
        if self.text is None or self.position is None:
            return said
        first = max(self.position - _SHOWN, 0)
        shown = "".join(
            letter if letter.isprintable() else " " for letter in self.text[first : self.position + _SHOWN]
        )
        return f"{said}\n  {shown}\n  {' ' * (self.position - first)}^"


class FilterSyntaxError(FilterError):
    """The text is not a filter expression."""


class UnknownField(FilterError):  # noqa: N818
    """The filter names a field that the dataset does not have.

    Attributes:
        name: the field as written.
    """

    def __init__(
        self, name: str, known: Iterable[str], *, text: str | None = None, position: int | None = None
    ) -> None:
        names = sorted(known)
        hint = did_you_mean(name, names) or (f"Fields here: {', '.join(names)}." if names else None)
        super().__init__(f"There is no field {name!r} to filter by.", text=text, position=position, hint=hint)
        self.name = name


class FilterTypeError(FilterError):
    """The filter compares or combines values that do not go together."""


class ViewNotFound(PytupliError):  # noqa: N818
    """No view of that name or hash beside the dataset.

    Attributes:
        name: what was asked for.
    """

    def __init__(self, name: str, where: str, *, known: Iterable[str] = ()) -> None:
        names = sorted(known)
        listed = f"Views there: {', '.join(names)}." if names else "`pytupli view save` makes one."
        super().__init__(
            f"There is no view {name!r:.120} of {where}.", hint=did_you_mean(name, names) or listed
        )
        self.name = name


class ViewExists(PytupliError):  # noqa: N818
    """Saving would replace a view that keeps something else.

    Attributes:
        name: the view that is in the way.
    """

    def __init__(self, name: str, sha256: str) -> None:
        super().__init__(
            f"There is a view {name!r:.120} already, of other data ({sha256:.12}).",
            hint="Somebody may have cited it: use another name, or replace it (replace=True, `--replace`).",
        )
        self.name = name


class SelectionChanged(PytupliError):  # noqa: N818
    """A view does not keep what it kept when it was saved.

    Attributes:
        name: the view.
        differences: what differs, one phrase each.
    """

    def __init__(self, name: str, differences: Iterable[str], *, source: str | None = None) -> None:
        told = tuple(differences)
        super().__init__(
            f"The view {name!r:.120} does not keep what it kept when it was saved: {'; '.join(told[:8])}.",
            hint=f"It was saved of {source:.300}: load that, or save the view anew." if source else None,
        )
        self.name = name
        self.differences = told


class AdapterError(PytupliError):
    """No adapter of that name, or one that cannot take this dataset."""


class PublicationRefused(PytupliError):  # noqa: N818
    """What would be published is not fit for it; nothing was sent.

    Attributes:
        problems: everything that speaks against it, one sentence each.
    """

    def __init__(self, what: str, problems: Iterable[str], *, hint: str | None = None) -> None:
        told = tuple(problems)
        listed = f" {told[0]}" if len(told) == 1 else "".join(f"\n- {problem}" for problem in told)
        super().__init__(f"{what} is not published:{listed}", hint=hint)
        self.problems = told


class HubError(PytupliError):
    """A Hub has refused a request.

    Attributes:
        status: the HTTP status of its answer, None without one.
    """

    def __init__(self, message: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class RepositoryNotFound(HubError):  # noqa: N818
    """No repository of that name, or none that one may read: a Hub does not tell which.

    Attributes:
        repo: its name, ``acme/hvac``.
    """

    def __init__(self, repo: str, endpoint: str) -> None:
        super().__init__(
            f"There is no dataset repository {repo!r:.160} at {endpoint}, or none that you may read.",
            status=404,
            hint="Is it private? Log in as somebody who may read it: pytupli login, hf auth login or HF_TOKEN.",
        )
        self.repo = repo


class RevisionNotFound(HubError):  # noqa: N818
    """No such branch, tag or commit in the repository.

    Attributes:
        repo: its name.
        revision: what was asked for.
    """

    def __init__(self, repo: str, revision: str) -> None:
        hint = "A revision is a branch, a tag, or a commit of at least 5 hexadecimal digits"
        if "/" not in revision:  # perhaps the first part of a name with slashes
            hint += "; after '@', a '/' in its name is written %2F, as in '@feature%2Fx'"
        super().__init__(
            f"There is no revision {revision!r:.160} of {repo}.",
            status=404,
            hint=f"{hint}. `pytupli revisions {repo}` lists them.",
        )
        self.repo = repo
        self.revision = revision


class FileNotInRepository(HubError):  # noqa: N818
    """No such file at that commit.

    Attributes:
        path: in the repository.
    """

    def __init__(self, repo: str, commit: str, path: str) -> None:
        super().__init__(f"There is no file {path!r:.160} in {repo} at {commit:.12}.", status=404)
        self.path = path


class ChecksumError(HubError):
    """What came over the network, or lies in the cache, is not what the repository names; it was thrown away."""


class CommitConflict(HubError):  # noqa: N818
    """The branch has moved on since it was read, so that the commit was not made."""


class HubUnreachable(HubError):  # noqa: N818
    """No Hub answers, or what answers is none of ours."""


class NotCached(HubUnreachable):
    """Offline mode is on, and what is needed is not on this machine.

    Attributes:
        missing: what that is.
    """

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"Offline, and {missing} is not in the cache of this machine.",
            hint="Load it once while online, or unset HF_HUB_OFFLINE and PYTUPLI_OFFLINE.",
        )
        self.missing = missing


def _restored(kind: type[PytupliError], args: tuple[Any, ...], fields: dict[str, Any]) -> PytupliError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return ``"Did you mean 'x'?"`` for the known name closest to ``name``, or None if none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else None
