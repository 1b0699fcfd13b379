"""The Python client as tests call with it: of an account, without certificates to load and without much patience."""

import ssl
from typing import Any

import httpx

from service.client import AsyncHoldfast, Holdfast, Policy
from tests.accounts import Account

# Pauses so short that a retry costs no time, and a deadline that a machine under load keeps.
POLICY = Policy(deadline_s=30, attempt_s=10, pause_s=0.01, pause_max_s=0.05)
# No retry at all, for what must be seen after one attempt.
ONCE = Policy(deadline_s=30, attempt_s=10, attempts_max=1)
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def client(account: Account, **options: Any) -> Holdfast:
    """A client of the account at its address; `url`, `api_key` and what Holdfast takes may be given."""
    url, key = options.pop("url", account.url), options.pop("api_key", account.key)
    transport = httpx.HTTPTransport(verify=_NO_CERTIFICATES)
    return Holdfast(url, key, **{"policy": POLICY, "transport": transport, **options})


def async_client(account: Account, **options: Any) -> AsyncHoldfast:
    """The same with asyncio."""
    url, key = options.pop("url", account.url), options.pop("api_key", account.key)
    transport = httpx.AsyncHTTPTransport(verify=_NO_CERTIFICATES)
    return AsyncHoldfast(url, key, **{"policy": POLICY, "transport": transport, **options})
