"""The port of `holdfast serve`: free, or answered by a Holdfast that is ready."""

import errno
import socket

import httpx

from service.database.revisions import UPGRADE_COMMAND
from service.doctor.findings import Finding, ok, warning, wrong
from service.doctor.patient import Patient
from service.settings import PREFIX, Settings

TIMEOUT_SECONDS = 4.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not listened on


async def port(patient: Patient) -> Finding:
    settings = patient.settings
    place = f"{settings.host}:{settings.port}"
    number = _bind(settings)
    if number is None:
        return ok(f"{place} is free: no `holdfast serve` runs here")
    if number == errno.EADDRINUSE:
        return await _answers(settings, place)
    if number in {errno.EACCES, errno.EPERM}:
        return wrong(f"this user may not listen on {place}", f"{PREFIX}PORT=8000, or another above 1023")
    if number in {errno.EADDRNOTAVAIL, socket.EAI_NONAME}:
        return wrong(f"this host has no address {settings.host}", f"{PREFIX}HOST=127.0.0.1, or 0.0.0.0 for all")
    return wrong(f"{place}: {errno.errorcode.get(number, number)}", f"{PREFIX}HOST=… and {PREFIX}PORT=…")


def _bind(settings: Settings) -> int | None:
    """The error of listening there; None: it can be done. Nobody is listened to."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except OSError as error:
            return error.errno
    return None


async def _answers(settings: Settings, place: str) -> Finding:
    host = EVERYWHERE.get(settings.host, settings.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    another = f"{PREFIX}PORT=… another one, or end what listens there (ss -ltnp)"
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        try:
            alive = await client.get("/healthz")
            ready = await client.get("/readyz")
        except httpx.HTTPError as error:
            return wrong(f"something listens on {place} and does not answer: {type(error).__name__}", another)
    if not is_alive(alive):
        return wrong(f"something that is no Holdfast listens on {place}", another)
    if ready.is_success:
        return ok(f"a Holdfast answers on {place}, and is ready")
    return warning(f"a Holdfast answers on {place}, and is not ready: its log says why", UPGRADE_COMMAND)


def is_alive(answer: httpx.Response) -> bool:
    """Whether it is the answer of a Holdfast's /healthz."""
    try:
        return answer.is_success and answer.json() == {"status": "alive"}
    except ValueError:
        return False
