"""The pages at `/problems/<slug>`, where the `type` of a problem leads: what it means and what a client should do.

For people. The pages stand alone: no script, no address outside, light and dark as the reader's system is.
"""

from html import escape
from http import HTTPStatus
from typing import Final

import msgspec

from service import problems
from service.problems import Row


class _Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Two paragraphs; `code` in backquotes."""

    explains: str
    what_to_do: str


_ADVICE: Final = {
    "invalid-request": _Advice(
        explains=(
            "Something in the path, the query or the body cannot be what the operation takes: text that is not JSON, "
            "an unknown or repeated member, a wrong type, a number out of range. Nothing was read or changed."
        ),
        what_to_do=(
            "Correct every path that `errors` names, then send again. `$` is the body, `?limit` a parameter of the "
            "query, `/event` a part of the path. The same idempotency key may be used: it has not been used up."
        ),
    ),
    "idempotency-key-missing": _Advice(
        explains="The operation must not happen twice, and only a key tells a retry from a new wish.",
        what_to_do=(
            "Make a key for the operation, a random UUID for instance, store it with your own record of the "
            "operation, and send it with the first attempt and with every retry."
        ),
    ),
    "idempotency-key-invalid": _Advice(
        explains=(
            "A key is 1 to 255 visible ASCII characters in one header line, bare or as a quoted string. Nothing was "
            "read or stored."
        ),
        what_to_do="Correct the program that makes the keys. A random UUID is a good key.",
    ),
    "unauthenticated": _Advice(
        explains="The Authorization header is missing, is no bearer token, or names no API key that is in force.",
        what_to_do="Send the API key that your operator gave you. If it was revoked, ask for another one.",
    ),
    "forbidden": _Advice(
        explains="The key is valid, but it lacks the scope that `scope` names. Nothing was done or replayed.",
        what_to_do="Ask your operator for a key with this scope. `GET /v1/me` shows the scopes of the key in use.",
    ),
    "not-found": _Advice(
        explains=(
            "Nothing of this name exists in the account of the API key. What belongs to another account looks the "
            "same as what does not exist."
        ),
        what_to_do="Check the spelling, upper and lower case included, and that the key is one of the right account.",
    ),
    "method-not-allowed": _Advice(
        explains="The path exists, the method does not. The Allow header names the methods that do.",
        what_to_do="Compare the call with the API reference at /docs.",
    ),
    "inventory-unavailable": _Advice(
        explains=(
            "At least one line of the request is taken, blocked or not there in this quantity, so nothing was held. "
            "`unavailable` names each line that failed, counted from 1 in the request."
        ),
        what_to_do=(
            'Choose something else, or ask to wait (`"wait": true`). This answer stays with its key: a new attempt '
            "needs a new one."
        ),
    ),
    "external-reference-exists": _Advice(
        explains=(
            "A reference of your own names one operation for ever, whatever became of it. One with other content "
            "exists; `reference` and the Location header say where."
        ),
        what_to_do=(
            "Usually your first attempt had succeeded: read what Location names. If this is really another operation,"
            " give it another reference."
        ),
    ),
    "state-conflict": _Advice(
        explains="The action is not one of those that lead on from the present state. Nothing changed.",
        what_to_do="Read it again and decide from `state` what still makes sense.",
    ),
    "sales-closed": _Advice(
        explains="The operator has closed the sales of this event. Nothing was held; reservations that exist stay.",
        what_to_do="Try again, with a new key, when the sales are open.",
    ),
    "idempotency-key-reused": _Advice(
        explains=(
            "The key has been used for a request that differs in what `mismatch` names. The first result stays; this "
            "request was not carried out."
        ),
        what_to_do=(
            "A retry must send exactly what the first attempt sent. Another operation needs another key. Look for the"
            " place where two operations get one key, or where a retry is built anew."
        ),
    ),
    "idempotency-in-progress": _Advice(
        explains="This request waited for the first one with its key, and that one took longer than it could wait.",
        what_to_do="Send the same with the same key after the time in Retry-After: it gets the first one's answer.",
    ),
    "hold-expired": _Advice(
        explains="The hold was not confirmed in time, so others may have what it held.",
        what_to_do=(
            'Make a new reservation. A payment that came too late may confirm with `"late": "if_available"` and a new'
            " key: it succeeds if everything is still free."
        ),
    ),
    "version-conflict": _Advice(
        explains="Somebody else changed it after you read it. Nothing changed now.",
        what_to_do="Read it again, decide again, and send with the new ETag in If-Match and a new key.",
    ),
    "payload-too-large": _Advice(
        explains="The body has more bytes than a request may have. It was not read to its end.",
        what_to_do="Send it in several requests.",
    ),
    "unsupported-media-type": _Advice(
        explains="The service reads JSON in UTF-8 and nothing else.",
        what_to_do="Send the header Content-Type: application/json.",
    ),
    "rate-limited": _Advice(
        explains=(
            "The API key has sent more requests than its rate allows. The headers RateLimit and RateLimit-Policy tell"
            " it."
        ),
        what_to_do="Wait as long as Retry-After says, then send the same request with the same key.",
    ),
    "overloaded": _Advice(
        explains="The queue is full, and the request was turned away at once instead of late. Nothing was done.",
        what_to_do="Wait as Retry-After says, and a little longer at random, then send the same with the same key.",
    ),
    "store-unavailable": _Advice(
        explains=(
            "The database cannot be reached, is out of room, or was too slow. In most cases nothing was done; where "
            "that is not certain, the key makes sure that a retry does not repeat it."
        ),
        what_to_do="Wait as Retry-After says, then send the same request with the same key, until it is answered.",
    ),
    "internal": _Advice(
        explains="The service met something that it was not made for. No result was stored under the key.",
        what_to_do=(
            "Try the same request with the same key again, a few times at most. If it stays, tell your operator the "
            "request id that `instance` shows."
        ),
    ),
}

_RETRY: Final = {
    "same_key": "Yes: the same request with the same key, later.",
    "new_key": "Not with the same key. Another attempt is another operation and needs a new key.",
    "none": "No: it will not succeed as it is.",
}
_REQUEST_ID: Final = "01a20b8f-6e64-7661-9b4a-89c64f159408"

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6778; --line: #dfe3ea; --page: #f7f8fa; --card: #fff;
        --mark: #0b62c4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #9aa4b5; --line: #2c3442; --page: #12161d; --card: #1a202a; --mark: #7db4ff; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 3rem 1.25rem; background: var(--page); color: var(--ink);
       font: 1rem/1.6 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; }
h1 { margin: .25rem 0 1.5rem; font-size: 1.75rem; line-height: 1.25; }
h2 { margin: 2rem 0 .5rem; font-size: 1.05rem; }
a { color: var(--mark); }
code, pre { font: .9em/1.5 ui-monospace, monospace; }
pre, table { width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
pre { padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-spacing: 0; }
th, td { padding: .5rem .9rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
tr:first-child > * { border-top: 0; }
th { font-weight: 500; color: var(--soft); white-space: nowrap; }
.slug { color: var(--soft); font: .95rem ui-monospace, monospace; }
"""


def page(slug: str) -> str | None:
    """HTML of one problem's page; None where there is no such problem."""
    advice = _ADVICE.get(slug)
    if advice is None:
        return None
    row = next(row for row in problems.TABLE if row.slug == slug)
    example = problems.example(row, _REQUEST_ID)
    document = msgspec.json.format(example.body, indent=2).decode()
    headers = [("Content-Type", problems.MEDIA_TYPE), *example.headers]
    head = [f"HTTP/1.1 {row.status} {HTTPStatus(row.status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    answer = "\n".join([*head, "", document])
    return _html(
        row.title,
        f'<p class="slug">{row.status} {row.slug}</p><h1>{escape(row.title)}</h1>'
        f"<p>{_prose(advice.explains)}</p>"
        f"<h2>What to do</h2><p>{_prose(advice.what_to_do)}</p>"
        f"<h2>At a glance</h2>{_glance(row)}"
        f"<h2>Example</h2><pre>{escape(answer, quote=False)}</pre>"
        '<p><a href="/problems">All problems</a></p>',
    )


def index_page() -> str:
    """HTML of the list of all problems."""
    rows = "".join(
        f'<tr><th>{row.status}</th><td><a href="{row.path}">{row.slug}</a></td><td>{escape(row.title)}</td></tr>'
        for row in problems.TABLE
    )
    return _html(
        "Problems",
        "<h1>Problems</h1><p>Every error is answered with a problem document (RFC 9457), whose <code>type</code> leads "
        f"to one of these pages.</p><table>{rows}</table>",
    )


def _glance(row: Row) -> str:
    lines = {
        "Retry": _RETRY[row.retry_with],
        "Under an idempotency key": "Kept: the key gets the same answer again." if row.stored else "Not kept.",
        "Members of its own": ", ".join(f"<code>{fact}</code>" for fact in row.facts) or "None.",
    }
    return "<table>" + "".join(f"<tr><th>{name}</th><td>{line}</td></tr>" for name, line in lines.items()) + "</table>"


def _prose(text: str) -> str:
    """Every second part between backquotes is code."""
    parts = escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _html(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Holdfast</title><style>{_STYLE}</style></head>"
        f"<body><main>{content}</main></body></html>"
    )
