"""What a check found, in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Finding", "Findings"]

MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        is_damage: content cannot be read, or is wrong; otherwise gc or the next upload cleans it up.
        kind: ``blob``, ``tree``, ``commit``, …
        subject: which one.
        message: what is wrong with it.
    """

    is_damage: bool
    kind: str
    subject: str
    message: str


@dataclass(slots=True)
class Findings:
    """All that was found: everything is counted, the first thousand of each sort are kept.

    Attributes:
        checked: how many things of each kind were looked at.
        damaged: how many damages.
        noted: how many harmless things.
        kept: the findings.
    """

    checked: Counter[str] = field(default_factory=Counter)
    damaged: int = 0
    noted: int = 0
    kept: list[Finding] = field(default_factory=list)

    def damage(self, kind: str, subject: str, message: str) -> None:
        """Note that something is broken."""
        self.damaged += 1
        self._keep(Finding(True, kind, subject, message), self.damaged)

    def note(self, kind: str, subject: str, message: str) -> None:
        """Note something harmless."""
        self.noted += 1
        self._keep(Finding(False, kind, subject, message), self.noted)

    def _keep(self, finding: Finding, number: int) -> None:
        if number <= MOST_KEPT:
            self.kept.append(finding)
