"""What a validation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Findings", "Level", "Problem", "Report"]

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem, at however many places.

    Attributes:
        level: ``error`` where the data is wrong, ``warning`` where it is only suspicious.
        where: the first place, as ``episode_3/actions[17]``.
        message: what is wrong.
        count: at how many places.
    """

    level: Level
    where: str
    message: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What a validation looked at and found.

    Attributes:
        path: the dataset's ``data`` directory.
        problems: errors first.
        episodes_checked: number of episodes read through h5py.
        transitions_checked: number of transitions that were derived from h5py's values and compared.
        adapters_checked: adapters whose result was compared.
        skipped: what was not compared, and why.
    """

    path: str
    problems: tuple[Problem, ...]
    episodes_checked: int
    transitions_checked: int
    adapters_checked: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(problem.level == "error" for problem in self.problems)


@dataclass(slots=True)
class Findings:
    """Problems as they turn up: the same message about the same leaf is one problem with a count."""

    _found: dict[tuple[Level, str, str], tuple[str, int]] = field(default_factory=dict)

    def add(self, level: Level, place: str, leaf: str, message: str, count: int = 1) -> None:
        """Note a problem.

        Args:
            level: how bad it is.
            place: where in the file, shown for the first one.
            leaf: what the problem is about; problems of one leaf and message are counted together.
            message: what is wrong.
            count: at how many places of this episode.
        """
        first, earlier = self._found.get((level, leaf, message), (place, 0))
        self._found[level, leaf, message] = (first, earlier + count)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems, errors first."""
        ordered = sorted(self._found.items(), key=lambda item: item[0][0] != "error")
        return tuple(Problem(level, first, message, n) for (level, _, message), (first, n) in ordered)
