"""Where a dataset of a Hub came from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """A dataset at one commit of a repository: what provenance and citations name.

    Attributes:
        endpoint: URL of the Hub.
        repo: the repository, ``acme/hvac``.
        path_in_repo: where the dataset lies in it, ``summer-v0``.
        revision: what was asked for; None for the default.
        commit: what that was, in full.
        data_sha256: hash of its ``main_data.hdf5``.
    """

    endpoint: str
    repo: str
    path_in_repo: str
    revision: str | None
    commit: str
    data_sha256: str

    def __str__(self) -> str:
        return f"{self.endpoint}/datasets/{self.repo} at {self.commit} ({self.path_in_repo})"

    @property
    def reference(self) -> str:
        """The reference that names these very bytes, ``hf://acme/hvac@<commit>/summer-v0``."""
        return f"hf://{self.repo}@{self.commit}/{self.path_in_repo}"
