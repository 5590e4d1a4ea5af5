"""Structured log lines on standard error: JSON for machines, or columns for people."""

from __future__ import annotations

import json
import logging
import sys
from typing import TextIO

import structlog
from structlog.types import Processor

from pytupli_registry.server.settings import Settings

__all__ = ["configure_logs"]

_COMMON: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
)


def configure_logs(settings: Settings, stream: TextIO = sys.stderr) -> None:
    """Send our own lines and those of libraries (uvicorn, SQLAlchemy) to ``stream``, in one format.

    This is state of the process: only the command that starts a server calls it.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    rendering = _rendering(settings.log_format)
    structlog.configure(
        processors=[*_COMMON, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_COMMON, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    lines = logging.StreamHandler(stream)
    lines.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [lines]
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
