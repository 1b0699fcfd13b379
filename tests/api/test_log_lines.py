"""What operators read of a request: a refusal leaves one line, whoever refused it, and no line gives anything away."""

import json
import secrets
from typing import Any

import httpx
import pytest

from tests.accounts import Account, http_client
from tests.api.contract import refused
from tests.api.reading import held
from tests.api.test_problems import PROVOKED
from tests.make import act, hold, put_event, put_stock, wait_until
from tests.races.databases import sqlite_database
from tests.running import RunningService, start_service

ONE = [{"sku": "NW-001", "quantity": 1}]
MANY = [{"sku": "NW-001", "quantity": 1_000}]


def lines(service: RunningService, request_id: str) -> list[dict[str, Any]]:
    """The log's lines about one request."""
    return [json.loads(line) for line in service.log().splitlines() if f'"request_id":"{request_id}"' in line]


def refusals(service: RunningService, response: httpx.Response) -> list[dict[str, Any]]:
    """The lines that say that this request was refused; at least one, as soon as it is written."""

    def found() -> list[dict[str, Any]]:
        return [line for line in lines(service, response.headers["X-Request-Id"]) if line["event"] == "refused"]

    return wait_until(found, what=f"a line about {response.text}")


@pytest.mark.parametrize("slug", PROVOKED)
def test_refusal_leaves_one_line_with_its_problem(account: Account, service: RunningService, slug: str) -> None:
    response = PROVOKED[slug](account)
    assert [(line["level"], line["problem"]) for line in refusals(service, response)] == [("info", slug)]


def test_decided_refusal_is_told_like_one_of_the_pipeline(account: Account, service: RunningService) -> None:
    put_stock(account)
    reference = held(account, ONE)["reference"]
    path = {"reference": reference.replace("-", "")}
    by_decision = act(account, reference, "confirm", if_match='"7"')
    by_pipeline = act(account, reference, "confirm", {"late": "perhaps"})
    unread = act(account, reference, "confirm", {"late": "perhaps"}, key='"')
    (decided,) = refusals(service, by_decision)
    (checked,) = refusals(service, by_pipeline)
    assert set(decided) == set(checked) | {"path"}
    for line in (decided, *refusals(service, unread)):
        assert line["account"] == account.name
        assert line["route"] == "/v1/reservations/{reference}/confirm"
    assert decided["path"] == path


def test_replayed_refusal_leaves_a_line_of_its_own_request(account: Account, service: RunningService) -> None:
    put_stock(account)
    first, again = hold(account, MANY, key="k-1"), hold(account, MANY, key="k-1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["X-Request-Id"] != again.headers["X-Request-Id"]
    for response in (first, again):
        refused(response, "inventory-unavailable")
        assert [line["problem"] for line in refusals(service, response)] == ["inventory-unavailable"]


def test_refusal_of_a_reused_key_leaves_a_line(account: Account, service: RunningService) -> None:
    put_stock(account)
    hold(account, ONE, key="k-1")
    response = hold(account, MANY, key="k-1")
    assert [line["problem"] for line in refusals(service, response)] == ["idempotency-key-reused"]


def test_success_leaves_no_line(account: Account, service: RunningService) -> None:
    put_stock(account)
    response = hold(account, ONE)
    assert response.status_code == 201
    refusals(service, account.http.get("/v1/events/nothing"))  # what was to be written before it has been written
    assert lines(service, response.headers["X-Request-Id"]) == []


def test_log_tells_no_key_no_secret_and_no_body(account: Account, service: RunningService) -> None:
    put_event(account)
    put_stock(account)
    key, customer = f"key-{secrets.token_hex(8)}", f"c-{secrets.token_hex(8)}"
    for lines_wanted in (MANY, ONE, MANY):
        hold(account, lines_wanted, key=key, customer=customer, metadata={"note": customer})
    refusals(service, hold(account, MANY, key=key, customer=customer))
    text = service.log()
    for secret in (account.key.split("_", 2)[2], key, customer):
        assert secret not in text


CLIENT = "203.0.113.9"


def test_line_names_the_client_that_a_trusted_proxy_names(account: Account, service: RunningService) -> None:
    """This host is believed unless set."""
    response = account.http.get("/v1/events/nothing", headers={"X-Forwarded-For": f"6.6.6.6, {CLIENT}"})
    assert [line["client"] for line in refusals(service, response)] == [CLIENT]


def test_line_names_who_connects_where_nobody_is_trusted() -> None:
    env = {"HOLDFAST_TRUSTED_PROXIES": ""}
    with sqlite_database() as url, start_service(url, env=env) as service, http_client(service.url) as nobody:
        response = nobody.get("/v1/me", headers={"X-Forwarded-For": CLIENT})
        assert [line["client"] for line in refusals(service, response)] == ["127.0.0.1"]
