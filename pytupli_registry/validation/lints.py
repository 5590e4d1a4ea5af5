"""What is suspicious about the values of episodes, whoever reads them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS
from pytupli_registry.dataset.spaces import LeafSpace, is_image, leaf_spaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytupli_registry.dataset.metadata import DatasetMetadata
    from pytupli_registry.validation.report import Findings, Level

__all__ = ["Lints", "bounds_of"]

_FLAGS = (TERMINATIONS, TRUNCATIONS)
_EXTRA_ROW = {"observations": 1, "infos": 1}


@dataclass(slots=True)
class Lints:
    """Looks at one episode after another, and at the end at what they have in common.

    Attributes:
        metadata: the dataset's.
        findings: where problems are noted.
    """

    metadata: DatasetMetadata
    findings: Findings
    _spaces: dict[str, LeafSpace] = field(init=False)
    _bounds: dict[str, tuple[NDArray[Any], NDArray[Any]] | None] = field(default_factory=dict)
    _actions: dict[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)
    _digests: dict[bytes, str] = field(default_factory=dict)
    _steps: int = 0

    def __post_init__(self) -> None:
        self._spaces = {
            **leaf_spaces(self.metadata.observation_space, "observations"),
            **leaf_spaces(self.metadata.action_space, "actions"),
        }
        self._bounds = {path: bounds_of(space) for path, space in self._spaces.items()}

    def episode(self, name: str, leaves: Mapping[str, Any]) -> bool:
        """Look at one episode and say whether it is whole, so that transitions can be derived from it."""
        if not self._whole(name, leaves):
            return False
        self._steps += len(leaves[REWARDS])
        self._flags(name, leaves)
        for path, values in leaves.items():
            if isinstance(values, np.ndarray) and values.dtype.kind in "fc" and not path.startswith("infos/"):
                self._finite(name, path, values)
            if path in self._spaces:
                self._in_space(name, self._spaces[path], values)
            if (
                path.split("/", 1)[0] == "actions"
                and isinstance(values, np.ndarray)
                and values.dtype.kind in "biuf"
            ):
                self._extend_actions(path, values)
        self._duplicate(name, leaves)
        return True

    def finish(self) -> None:
        """Look at what only shows over all episodes."""
        for path, (low, high) in self._actions.items():
            if self._steps > 1 and low.size and bool(np.all(low == high)):
                self.findings.add("warning", path, path, "the action is the same at every step")
            elif self._steps > 1:
                for component in np.flatnonzero((low == high).ravel()):
                    self.findings.add(
                        "warning", f"{path}[{component}]", path, "a component of the action never changes"
                    )
        if self.metadata.jpeg_encoding:
            for path, space in self._spaces.items():
                if is_image(space):
                    self.findings.add("warning", path, path, "the images are lossy: they were stored as JPEG")

    def _whole(self, name: str, leaves: Mapping[str, Any]) -> bool:
        missing = [path for path in (*self._spaces, REWARDS, *_FLAGS) if path not in leaves]
        for path in missing:
            self.findings.add("error", f"{name}/{path}", path, "the leaf is missing")
        if missing:
            return False
        length = np.size(leaves[REWARDS])
        if length == 0:
            self.findings.add("error", name, "", "the episode has no steps")
            return False
        whole = True
        for path, values in leaves.items():
            expected = length + _EXTRA_ROW.get(path.split("/", 1)[0], 0)
            rows = len(values) if np.ndim(values) or isinstance(values, list) else None
            if rows != expected:
                level: Level = "warning" if path.startswith("infos/") else "error"
                rule = "T+1" if expected > length else "T"
                self.findings.add(
                    level, f"{name}/{path}", path, f"the leaf does not have {rule} rows for T steps"
                )
                whole = whole and level == "warning"
        return whole

    def _flags(self, name: str, leaves: Mapping[str, Any]) -> None:
        terminations, truncations = (np.asarray(leaves[path]).astype(np.bool_) for path in _FLAGS)
        for path, flags in zip(_FLAGS, (terminations, truncations), strict=True):
            early = np.flatnonzero(flags[:-1])
            if len(early):
                self.findings.add(
                    "error",
                    f"{name}/{path}[{early[0]}]",
                    path,
                    "the flag is set before the last step",
                    len(early),
                )
        last = len(terminations) - 1
        if terminations[-1] and truncations[-1]:
            self.findings.add(
                "warning",
                f"{name}/{TRUNCATIONS}[{last}]",
                "flags",
                "the last step is both terminated and truncated; d3rlpy takes it for terminated",
            )
        if not terminations[-1] and not truncations[-1]:
            self.findings.add(
                "warning",
                f"{name}/{TERMINATIONS}[{last}]",
                "flags",
                "the last step is neither terminated nor truncated",
            )

    def _finite(self, name: str, path: str, values: NDArray[Any]) -> None:
        if np.isfinite(values).all():
            return
        for kind, mask in (("NaN", np.isnan(values)), ("infinite", np.isinf(values))):
            if mask.any():
                row = int(np.argwhere(mask)[0][0])
                self.findings.add(
                    "error", f"{name}/{path}[{row}]", path, f"values are {kind}", int(np.count_nonzero(mask))
                )

    def _in_space(self, name: str, space: LeafSpace, values: Any) -> None:  # noqa: ANN401 - array or texts
        if isinstance(values, list):
            self._text_in_space(name, space, values)
            return
        if self.metadata.jpeg_encoding and is_image(space):
            return
        if values.shape[1:] != space.shape:
            self.findings.add(
                "error",
                f"{name}/{space.path}",
                space.path,
                f"values have the shape {values.shape[1:]}, not {space.shape}",
            )
            return
        if values.dtype != space.dtype:
            self.findings.add(
                "warning",
                f"{name}/{space.path}",
                space.path,
                f"values are {values.dtype}, but the space says {space.dtype}",
            )
        bounds = self._bounds[space.path]
        outside = None if bounds is None else (values < bounds[0]) | (values > bounds[1])
        if outside is not None and outside.any():
            level: Level = "warning" if space.kind == "Box" else "error"
            row = int(np.argwhere(outside)[0][0])
            self.findings.add(
                level,
                f"{name}/{space.path}[{row}]",
                space.path,
                "values lie outside the space",
                int(outside.sum()),
            )

    def _text_in_space(self, name: str, space: LeafSpace, values: list[str]) -> None:
        if space.kind != "Text":
            self.findings.add(
                "error", f"{name}/{space.path}", space.path, f"values are text, not {space.kind}"
            )
            return
        characters = set(space.description["charset"])
        shortest, longest = int(space.description.get("min_length", 1)), int(space.description["max_length"])
        wrong = [
            row
            for row, text in enumerate(values)
            if not shortest <= len(text) <= longest or set(text) - characters
        ]
        if wrong:
            self.findings.add(
                "warning",
                f"{name}/{space.path}[{wrong[0]}]",
                space.path,
                "values lie outside the space",
                len(wrong),
            )

    def _extend_actions(self, path: str, values: NDArray[Any]) -> None:
        low, high = values.min(axis=0), values.max(axis=0)
        if path in self._actions and self._actions[path][0].shape == low.shape:
            low, high = np.minimum(low, self._actions[path][0]), np.maximum(high, self._actions[path][1])
        self._actions[path] = (low, high)

    def _duplicate(self, name: str, leaves: Mapping[str, Any]) -> None:
        digest = hashlib.sha256()
        for path in sorted(leaves):
            if path.startswith("infos/"):
                continue
            values = leaves[path]
            kept = values if isinstance(values, np.ndarray) and values.dtype.kind != "O" else None
            digest.update(path.encode())
            digest.update(
                repr(list(values)).encode()
                if kept is None
                else np.ascontiguousarray(kept).reshape(-1).view(np.uint8).data
            )
        first = self._digests.setdefault(digest.digest(), name)
        if first != name:
            self.findings.add("warning", name, "duplicates", f"the episode is the same as {first}")


def bounds_of(space: LeafSpace) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the smallest and the largest value of a leaf, or None where there are none (Text)."""
    description = space.description
    if space.kind == "Box":
        return np.asarray(description["low"], dtype=space.dtype), np.asarray(
            description["high"], dtype=space.dtype
        )
    if space.kind == "Discrete":
        start = int(description.get("start", 0))
        return np.asarray(start), np.asarray(start + int(description["n"]) - 1)
    if space.kind == "MultiDiscrete":
        sizes = np.asarray(description["nvec"])
        starts = (
            np.asarray(description["start"]) if description.get("start") is not None else np.zeros_like(sizes)
        )
        return starts, starts + sizes - 1
    if space.kind == "MultiBinary":
        return np.asarray(0), np.asarray(1)
    return None
