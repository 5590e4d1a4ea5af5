"""How the rows of one leaf become bytes: raw numbers, texts or JPEG frames."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, Leaf
from pytupli_registry.dataset.spaces import is_image, leaf_spaces
from pytupli_registry.errors import EpisodeError, SpaceError
from pytupli_registry.storage.hdf5.messages import can_encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "EncodedFrames",
    "Form",
    "decode_frames",
    "decode_texts",
    "info_form",
    "required_forms",
    "stored_dtypes",
]


@dataclass(frozen=True, slots=True)
class EncodedFrames:
    """Images of an episode as the JPEG files they were read as, so that copying does not lose more.

    Attributes:
        frames: one file a row.
    """

    frames: list[bytes]

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class Form:
    """What the rows of a leaf are in some episodes.

    Attributes:
        path: the leaf.
        dtype: of the numbers; None for texts.
        row_shape: of one row.
        encoding: ``array``, ``text`` or ``jpeg``.
    """

    path: str
    dtype: np.dtype[Any] | None
    row_shape: tuple[int, ...]
    encoding: Literal["array", "text", "jpeg"] = "array"

    @property
    def extra_row(self) -> Literal[0, 1]:
        """1 where an episode has T+1 rows, else 0."""
        return 1 if self.path.startswith(("observations", "infos")) else 0

    def as_leaf(self) -> Leaf:
        """Return the leaf of a dataset whose episodes are all of this form."""
        if self.encoding == "text":
            return Leaf(self.path, None, (), self.extra_row, "text")
        return Leaf(self.path, self.dtype, self.row_shape, self.extra_row, self.encoding)

    def to_json(self) -> list[Any]:
        """Return the form as JSON keeps it."""
        return [
            self.path,
            None if self.dtype is None else self.dtype.str,
            list(self.row_shape),
            self.encoding,
        ]

    @classmethod
    def from_json(cls, given: list[Any]) -> Form:
        """Read what :meth:`to_json` gave."""
        path, dtype, row_shape, encoding = given
        return cls(path, None if dtype is None else np.dtype(dtype), tuple(row_shape), encoding)

    def encode(self, values: Any) -> memoryview | bytes:  # noqa: ANN401 - what an episode holds
        """Return the bytes of the rows of one episode, without a copy where there are any.

        Raises:
            EpisodeError: the values are not of this form and cannot be made so without changing them.
        """
        if self.encoding == "text":
            return _encode_texts(self.path, values)
        if self.encoding == "jpeg" and isinstance(values, EncodedFrames):
            return _with_lengths(values.frames)
        fitting = self._fit(values)
        return _encode_frames(fitting) if self.encoding == "jpeg" else fitting.reshape(-1).view(np.uint8).data

    def _fit(self, values: Any) -> NDArray[Any]:  # noqa: ANN401
        if (
            type(values) is np.ndarray
            and values.dtype == self.dtype
            and values.shape[1:] == self.row_shape
            and values.dtype.isnative
        ):
            return values if values.flags.c_contiguous else np.ascontiguousarray(values)
        try:
            given = np.asarray(values)
        except ValueError as error:
            raise EpisodeError(
                f"{self.path}: its rows differ in shape; expected {self._wanted()}."
            ) from error
        if given.shape[1:] != self.row_shape:
            raise EpisodeError(f"{self.path}: expected {self._wanted()}, got {given.dtype} {given.shape}.")
        return np.ascontiguousarray(self._cast(given))

    def _cast(self, given: NDArray[Any]) -> NDArray[Any]:
        assert self.dtype is not None  # noqa: S101 - texts have gone another way
        with np.errstate(invalid="ignore", over="ignore"):
            if given.dtype.kind not in "biufc" or (given.dtype.kind == "c" and self.dtype.kind != "c"):
                cast = None
            else:
                cast = given.astype(self.dtype)
        if cast is None or not np.array_equal(cast, given, equal_nan=self.dtype.kind in "fc"):
            raise EpisodeError(
                f"{self.path}: expected {self._wanted()}, got {given.dtype} values that do not fit without a change.",
                hint="Convert the values yourself, or give the space their dtype.",
            )
        return cast

    def _wanted(self) -> str:
        rows = "T+1" if self.extra_row else "T"
        return f"{self.dtype} ({', '.join([rows, *map(str, self.row_shape)])})"


def required_forms(
    observation_space: Mapping[str, Any],
    action_space: Mapping[str, Any],
    *,
    jpeg_encoding: bool = False,
    dtypes: Mapping[str, np.dtype[Any]] | None = None,
) -> dict[str, Form]:
    """Return the forms that every episode must have, in the order in which columns lie in the file.

    Args:
        observation_space: as Minari's JSON.
        action_space: as Minari's JSON.
        jpeg_encoding: whether images are kept as JPEG.
        dtypes: by path, where they are not what the space says (data that others recorded).

    Raises:
        SpaceError: a space is malformed, or of a dtype that cannot be kept.
    """
    spaces = {**leaf_spaces(observation_space, "observations"), **leaf_spaces(action_space, "actions")}
    forms = {}
    for path, space in spaces.items():
        if space.dtype is None:
            forms[path] = Form(path, None, (), "text")
        else:
            encoding: Literal["array", "jpeg"] = "jpeg" if jpeg_encoding and is_image(space) else "array"
            forms[path] = Form(path, _stored(space.dtype), space.shape, encoding)
    forms[REWARDS] = Form(REWARDS, np.dtype(np.float64), ())
    forms[TERMINATIONS] = Form(TERMINATIONS, np.dtype(np.bool_), ())
    forms[TRUNCATIONS] = Form(TRUNCATIONS, np.dtype(np.bool_), ())
    for path, dtype in (dtypes or {}).items():
        forms[path] = Form(path, _stored(np.dtype(dtype)), forms[path].row_shape, forms[path].encoding)
    for form in forms.values():
        if form.dtype is not None and not can_encode(form.dtype):
            raise SpaceError(f"{form.path} has the dtype {form.dtype}, which cannot be kept.")
    return forms


def stored_dtypes(leaves: Mapping[str, Leaf]) -> dict[str, np.dtype[Any]]:
    """Return the dtypes that a copy of a dataset must have to keep its values, for :func:`required_forms`."""
    return {
        path: leaf.dtype
        for path, leaf in leaves.items()
        if leaf.is_array and leaf.dtype is not None and not path.startswith("infos")
    }


def info_form(path: str, values: Any) -> Form:  # noqa: ANN401 - what an environment puts in its infos
    """Return the form of an info leaf, which no space describes.

    Raises:
        EpisodeError: the values are neither numbers nor text.
    """
    try:
        given = np.asarray(values)
    except ValueError:
        given = np.zeros(0, dtype=object)
    if given.dtype.kind in {"U", "O"} and given.ndim == 1 and all(isinstance(value, str) for value in values):
        return Form(path, None, (), "text")
    if not can_encode(given.dtype):
        raise EpisodeError(
            f"{path}: expected numbers or texts, got {given.dtype} {given.shape}.",
            hint="Infos need one shape and one dtype in an episode; leave out what has none.",
        )
    return Form(path, _stored(given.dtype), given.shape[1:])


def _stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")


def _encode_texts(path: str, values: Any) -> bytes:  # noqa: ANN401
    if isinstance(values, str | bytes) or not all(isinstance(text, str) for text in values):
        raise EpisodeError(f"{path}: expected a list of texts, got {values!r:.80}.")
    if any("\0" in text for text in values):
        raise EpisodeError(f"{path}: a text holds NUL, which HDF5 strings cannot.")
    try:
        return _with_lengths([text.encode() for text in values])
    except UnicodeEncodeError as error:
        raise EpisodeError(f"{path}: a text is no valid Unicode.") from error


def _encode_frames(frames: NDArray[Any]) -> bytes:
    """Encode as Minari does: Pillow's JPEG with its defaults."""
    from PIL import Image  # noqa: PLC0415 - only lossy datasets need it

    encoded = []
    for frame in frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, format="JPEG")
        encoded.append(buffer.getvalue())
    return _with_lengths(encoded)


def _with_lengths(rows: list[bytes]) -> bytes:
    return np.array([len(row) for row in rows], dtype="<u4").tobytes() + b"".join(rows)


def decode_frames(data: bytes, rows: int) -> list[bytes]:
    """Split the bytes of variable-length rows again."""
    stops = np.cumsum(np.frombuffer(data, dtype="<u4", count=rows), dtype=np.int64) + 4 * rows
    starts = [4 * rows, *stops.tolist()]
    return [data[start:stop] for start, stop in zip(starts, stops.tolist(), strict=False)]


def decode_texts(data: bytes, rows: int) -> list[str]:
    """Split and decode the texts of one episode."""
    return [row.decode() for row in decode_frames(data, rows)]
