"""Structured log lines on standard error: JSON for machines, or columns for people."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.types import Processor

from pytupli_registry.server.settings import Settings

__all__ = ["configure_logs"]

_COMMON: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
)


class _Lines:
    """A stream whose failures are nobody's: a disk that is full of logs must not stop requests."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: closed, at the very end
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send our own lines and those of libraries (uvicorn, SQLAlchemy) to ``stream``, in one format.

    This is state of the process: only the command that starts a server calls it.

    Args:
        settings: format and level.
        stream: standard error unless given.
    """
    lines = _Lines(stream or sys.stderr)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    rendering = _rendering(settings.log_format)
    structlog.configure(
        processors=[*_COMMON, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", lines)),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_COMMON, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    others = logging.StreamHandler(lines)
    others.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [others]
    root.setLevel(max(level, logging.WARNING))  # what libraries tell of their daily work is no news


def _rendering(log_format: str) -> tuple[Processor, ...]:
    if log_format == "console":
        # Not the default formatter of tracebacks: it shows local variables, tokens among them.
        plain = structlog.dev.plain_traceback
        return (structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain),)
    return (structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json))


_ENCODER = json.JSONEncoder(default=str)


def _json(event: object, **_: object) -> str:
    return _ENCODER.encode(event)  # json.dumps would make an encoder for every line
