"""Structured logs, on standard error: JSON lines for machines or coloured lines for people.

Every line carries the request's id and its client's address where there is a request. Lines of libraries (uvicorn,
alembic) go the same way.
A line must never carry a secret, an idempotency key's text, or a body.
"""

import logging
import sys
from typing import Any

import msgspec
import structlog
from structlog.typing import Processor

from service.settings import Settings

# uvicorn's own access log would repeat what `edge` says better.
_QUIET_LOGGERS = ("uvicorn.access",)


def configure_logging(settings: Settings) -> None:
    """Set up the process's logs; call once, before the first line."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if settings.log_format == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer: Processor = structlog.processors.JSONRenderer(serializer=_json)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _configure_libraries(level, shared, renderer)


def _configure_libraries(level: int, shared: list[Processor], renderer: Processor) -> None:
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def _json(line: dict[str, Any], **_options: object) -> str:
    return msgspec.json.encode(line, enc_hook=repr).decode()
