"""The phone from outside: switch it on, tap on it, hear what it says, and kill it, as a battery or a system does."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Final, Literal

import msgspec

from service.demo.mobile.phone import API_KEY, Doing, Said
from service.demo.mobile.timeline import PHONE, Timeline
from service.demo.place import DemoFailed
from service.demo.server import environment

PATIENCE_S: Final = 30.0


class Handset:
    """One phone: process after process on one outbox. `said` is all that they said, `killed` how often one died."""

    def __init__(self, timeline: Timeline, outbox: Path, url: str, event: str, api_key: str) -> None:
        self.said: list[Said] = []
        self.killed = 0
        self._timeline = timeline
        self._command = [sys.executable, "-P", "-m", "service.demo.mobile.phone", str(outbox), url, event]
        self._environment = {**environment(), API_KEY: api_key}
        self._process: Process | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._heard = asyncio.Condition()

    async def switch_on(self) -> None:
        """Returns when it has said that it is on."""
        before = len(self.said)
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, env=self._environment
        )
        self._hearing = asyncio.create_task(self._hear(self._process))
        await self.heard("started", since=before)

    async def tap(self, what: Literal["order", "pay"]) -> None:
        if self._process is None or self._process.stdin is None:
            raise DemoFailed("the phone is off")
        self._process.stdin.write(f"{what}\n".encode())
        await self._process.stdin.drain()

    async def heard(self, did: Doing, about: str = "", since: int = 0) -> Said:
        """The first of this kind that it says, or has said after the first `since`. Raises DemoFailed."""

        def found() -> Said | None:
            return next((one for one in self.said[since:] if one.did == did and about in {"", one.about}), None)

        try:
            async with asyncio.timeout(PATIENCE_S), self._heard:
                await self._heard.wait_for(lambda: found() is not None or self._is_over())
        except TimeoutError:
            pass
        if (said := found()) is None:
            raise DemoFailed(f"the phone never {did} ({about}); it said {self.said[since:]}")
        return said

    async def kill(self) -> None:
        """SIGKILL: it has no time for anything."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self.killed += 1
        await self.close()

    async def close(self) -> None:
        """Whatever happens, no phone is left."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        if self._hearing is not None:
            await self._hearing

    def _is_over(self) -> bool:
        return self._hearing is not None and self._hearing.done()

    async def _hear(self, process: Process) -> None:
        if process.stdout is None:
            return
        async for line in process.stdout:
            try:
                said = msgspec.json.decode(line, type=Said)
            except msgspec.DecodeError:
                break  # it died within a word
            async with self._heard:
                self.said.append(said)
                self._heard.notify_all()
            if words := _in_words(said, process.pid):
                self._timeline.tell(PHONE, words)
        async with self._heard:
            self._heard.notify_all()


def _in_words(said: Said, pid: int) -> str:  # noqa: PLR0911 - a sentence for each
    what = {"hold": "the order", "confirm": "the payment", "me": "hello"}.get(said.about, "")
    match said.did:
        case "started" if said.waiting:
            return f"is switched on (process {pid}), finds a request without an answer in its file, and sends it"
        case "started":
            return f"is switched on (process {pid})"
        case "ordered":
            return f"“Two seats together”, taps the customer. Written to its file before it is sent, key {said.key}"
        case "paid":
            return f"“Pay”, taps the customer. Written to its file before it is sent, key {said.key}"
        case "tried" if said.about == "me":
            return "has no connection" if said.error else ""
        case "tried" if said.error:
            how = "waited in vain" if "Timeout" in said.error else "lost the connection"
            return f"sent {what} and {how}: was it carried out? It cannot know, and keeps the request"
        case "answered":
            told = "It was carried out before; this is the answer stored with it." if said.replayed else ""
            return f"has its answer to {what}: {', '.join(said.seats)} {said.state}, {said.reference}. {told}".strip()
        case "refused":
            return f"is refused: {said.error}"
        case _:
            return ""


def forget(outbox: Path) -> None:
    """A new phone: the file of the one before goes."""
    for name in (outbox.name, f"{outbox.name}-journal", f"{outbox.name}.sending"):
        outbox.with_name(name).unlink(missing_ok=True)
