"""What would run to build an environment, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import ConsentRequired, EnvironmentRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BuildPlan", "Ground", "PlannedRun", "Refusal", "shown_call", "shown_line", "shown_value"]

_MAX_SHOWN = 300
_MAX_BITS = 64


class Ground(Enum):
    """Why something may run."""

    REGISTERED = "registered"
    OWN_WRAPPER = "gymnasium's own wrapper"
    ALLOWED = "allowed module prefix"
    CONSENTED = "consented code"


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One thing that building runs.

    Attributes:
        entry_point: what would be imported and called.
        ground: why it may be.
        detail: the hash of the code, or the prefix that allows the module, or empty.
        shown: the call, or the import, for people.
        is_call: whether the entry point is called; shipped code is only imported.
    """

    entry_point: str
    ground: Ground
    detail: str
    shown: str
    is_call: bool = True

    @property
    def permitted_by(self) -> str:
        """The ground in words."""
        if self.ground is Ground.CONSENTED:
            return f"{self.ground.value} {self.detail[:12]}"
        if self.ground is Ground.ALLOWED:
            return f"{self.ground.value} {self.detail!r}"
        return str(self.ground.value)

    def __str__(self) -> str:
        return f"{self.shown}  [{self.permitted_by}]"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that keeps the environment from being built.

    Attributes:
        sentence: what is refused, and why.
        hint: what to do next.
        hashes: SHA-256 that consent would have to name.
        may_be_allowed: whether consent or the list of allowed modules would settle it.
        shown: what would run if it were allowed, for people.
    """

    sentence: str
    hint: str
    hashes: tuple[str, ...] = ()
    may_be_allowed: bool = False
    shown: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".rstrip()


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What building would run, decided without importing or building anything that the data names.

    Attributes:
        environment_id: of the environment.
        runs: everything that may run, in order: shipped code, the environment, the wrappers from the inside out.
        refusals: everything that may not, and why.
    """

    environment_id: str
    runs: tuple[PlannedRun, ...]
    refusals: tuple[Refusal, ...]

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes that consent would have to name, each once."""
        return tuple(dict.fromkeys(digest for refusal in self.refusals for digest in refusal.hashes))

    def check(self) -> None:
        """Return only if nothing is refused.

        Raises:
            ConsentRequired: the user may allow everything that is refused.
            EnvironmentRefused: nobody may, or it makes no sense.
        """
        final = [refusal for refusal in self.refusals if not refusal.may_be_allowed]
        if final:
            raise EnvironmentRefused(final[0].sentence, hint=final[0].hint or None)
        if self.refusals:
            raise ConsentRequired(
                " ".join(dict.fromkeys(refusal.sentence for refusal in self.refusals)),
                hashes=self.hashes,
                runs=(*(str(run) for run in self.runs), *self._unpermitted()),
                hint=" ".join(dict.fromkeys(refusal.hint for refusal in self.refusals)) or None,
            )

    def _unpermitted(self) -> tuple[str, ...]:
        shown = dict.fromkeys(line for refusal in self.refusals for line in refusal.shown)
        return tuple(f"{call}  [not permitted yet]" for call in shown)

    def __str__(self) -> str:
        lines = [*(str(run) for run in self.runs), *self._unpermitted()]
        return "\n".join([f"Building {self.environment_id!a:.200} runs:", *(f"  {line}" for line in lines)])


def shown_call(entry_point: str, kwargs: Mapping[str, Any]) -> str:
    """Write a call as a line for people: names and values from data, shortened."""
    arguments = ", ".join(f"{name!s:.64}={shown_value(value)}" for name, value in kwargs.items())
    return shown_line(f"{entry_point}({arguments})")


def shown_line(line: str) -> str:
    """Shorten a line for people and take out what a terminal would obey."""
    line = line if len(line) <= _MAX_SHOWN else line[: _MAX_SHOWN - 1] + "…"
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def shown_value(value: object) -> str:
    """Write a value from data for people: short, and in plain letters."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return "<int>"  # Python does not write the longest ones
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, str):
        return f"{str(value)!a:.60}"
    return f"<{type(value).__name__}>"
