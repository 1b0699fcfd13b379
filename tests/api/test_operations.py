"""What operators and their machines look at: the process lives, it is ready, and what it has done so far."""

from contextlib import closing

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.accounts import Account, http_client, new_account
from tests.api.contract import refused
from tests.api.reading import held
from tests.conftest import NewStore
from tests.make import hold, put_stock, wait_until
from tests.running import RunningService, start_service

ONE = [{"sku": "NW-001", "quantity": 1}]
FAMILIES = {
    "requests": ("request",),
    "latencies": ("latency", "latencies", "request_duration", "request_seconds"),
    "batch sizes": ("batch",),
    "conflicts": ("conflict",),
    "retries": ("retry", "retries"),
    "replays": ("replay",),
    "hot rows": ("hot",),
    "sweeps": ("sweep", "swept"),
    "queue depth": ("queue",),
}


def got(service: RunningService, path: str) -> httpx.Response:
    """The answer to somebody without a key."""
    with http_client(service.url) as nobody:
        return nobody.get(path, follow_redirects=True)


def samples(service: RunningService) -> dict[str, float]:
    """The sum of the samples of each name."""
    response = got(service, "/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith(("text/plain", "application/openmetrics-text"))
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def counted(service: RunningService, word: str, ending: str = "_total") -> float:
    """The sum of all counters whose name has the word."""
    return sum(value for name, value in samples(service).items() if word in name and name.endswith(ending))


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_page_for_machines_and_readers_needs_no_key(service: RunningService, path: str) -> None:
    response = got(service, path)
    assert response.status_code == 200, response.text
    assert response.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_page_for_machines_is_only_read(service: RunningService, path: str) -> None:
    with http_client(service.url) as nobody:
        refused(nobody.post(path), "method-not-allowed")


@pytest.mark.parametrize(("what", "words"), FAMILIES.items(), ids=FAMILIES)
def test_metrics_have_a_family(account: Account, service: RunningService, what: str, words: tuple[str, ...]) -> None:
    put_stock(account)
    held(account, ONE)
    response = got(service, "/metrics")
    names = [family.name for family in text_string_to_metric_families(response.text)]
    assert any(word in name for name in names for word in words), f"nothing of {what} among {names}"


def test_every_family_says_what_it_is(service: RunningService) -> None:
    response = got(service, "/metrics")
    silent = [family.name for family in text_string_to_metric_families(response.text) if not family.documentation]
    assert silent == []


def test_requests_are_counted(account: Account, service: RunningService) -> None:
    before = counted(service, "requests")
    for _ in range(100):
        assert account.http.get("/v1/me").status_code == 200
    # Soon, for each look is a request too, and many looks would make up for what was not counted.
    wait_until(lambda: counted(service, "requests") >= before + 100, timeout=1)


def test_replays_are_counted(account: Account, service: RunningService) -> None:
    put_stock(account)
    before = counted(service, "replay")
    for replayed in ("false", "true", "true", "true"):
        assert hold(account, ONE, key="k-1").headers["Idempotent-Replayed"] == replayed
    wait_until(lambda: counted(service, "replay") >= before + 3)


def test_batches_are_counted(account: Account, service: RunningService) -> None:
    put_stock(account)
    before = counted(service, "batch", "_count")
    held(account, ONE)
    wait_until(lambda: counted(service, "batch", "_count") > before)


def test_metrics_add_up_over_several_processes(new_store: NewStore) -> None:
    """Whichever process answers, on a new connection each time, it tells of what all of them have done."""
    url = new_store("mysql")
    with start_service(url, workers=2) as service, closing(new_account(service.url, url)) as account:
        before = counted(service, "requests")
        for _ in range(60):
            with account.client(account.key) as client:
                assert client.get("/v1/me").status_code == 200
        wait_until(lambda: counted(service, "requests") >= before + 60, timeout=1)
        sums = [counted(service, "requests") for _ in range(12)]
        assert min(sums) >= before + 60, f"a process tells only of itself: {sums}"
        assert sums == sorted(sums), f"a counter went back: {sums}"


def test_metrics_tell_no_secret(account: Account, service: RunningService) -> None:
    put_stock(account)
    assert hold(account, ONE, key="a-key-of-the-client", customer="c-77").status_code == 201
    text = got(service, "/metrics").text
    for secret in (account.key, account.key.split("_", 2)[2], "a-key-of-the-client", "c-77"):
        assert secret not in text
