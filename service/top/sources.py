"""Asks every source for its metrics at once. One that is gone, or says something else, is a line on the screen."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import httpx
import msgspec

from service.top.readings import Look, Samples, samples_of

TIMEOUT_SECONDS: Final = 4.0


class Seen(msgspec.Struct, frozen=True):
    """A look, and by source why it said nothing."""

    look: Look
    gone: dict[str, str]


class Sources:
    """URLs of Prometheus text."""

    def __init__(self, urls: Sequence[str], http: httpx.AsyncClient) -> None:
        self.urls = tuple(dict.fromkeys(urls))
        self._http = http

    async def look(self) -> Seen:
        answers = await asyncio.gather(*(self._ask(url) for url in self.urls))
        said = {url: answer for url, answer in zip(self.urls, answers, strict=True) if not isinstance(answer, str)}
        gone = {url: answer for url, answer in zip(self.urls, answers, strict=True) if isinstance(answer, str)}
        return Seen(Look(time.monotonic(), said), gone)

    async def _ask(self, url: str) -> Samples | str:
        try:
            answer = await self._http.get(url, timeout=TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return f"does not answer ({str(error) or type(error).__name__})"
        if not answer.is_success:
            return f"answers {answer.status_code}"
        try:
            samples = samples_of(answer.text)
        except (ValueError, KeyError, IndexError):
            samples = {}
        return samples or "has no metrics of Holdfast"
