"""Spans of time as an operator types and reads them: `90s`, `15m`, `2h`, `3d`, `1h30m`."""

import re
from typing import Final

from service.cli.failures import CommandFailed, ExitCode

_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPAN: Final = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?")
_SHOWN: Final = 2
"""Units that say enough: nobody needs the seconds of three days."""


def parse_duration(text: str, option: str) -> int:
    """Seconds, above 0. Raises CommandFailed that names the option."""
    found = _SPAN.fullmatch(text.strip().lower())
    seconds = 0
    if found is not None:
        seconds = sum(int(number or 0) * _SECONDS[unit] for number, unit in zip(found.groups(), _SECONDS, strict=True))
    if not seconds:
        raise CommandFailed(
            f"{option} {text!r} is no span of time: say it as in 90s, 15m, 2h or 1h30m.", ExitCode.USAGE
        )
    return seconds


def show_duration(seconds: int) -> str:
    """As in `1h 30m`; the sign is the caller's to show."""
    parts: list[str] = []
    rest = abs(seconds)
    for unit, each in _SECONDS.items():
        number, rest = divmod(rest, each)
        if number or parts:
            parts.append(f"{number}{unit}")
    return " ".join([part for part in parts[:_SHOWN] if not part.startswith("0")] or ["0s"])
