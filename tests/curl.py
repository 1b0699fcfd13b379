"""What curl does with the options that the README uses, for machines that have none: `python -m tests.curl URL …`."""

import sys
from argparse import ArgumentParser, Namespace

import httpx

from tests.accounts import http_client
from tests.polling import wait_until


def options() -> ArgumentParser:
    parser = ArgumentParser(prog="curl")
    parser.add_argument("url")
    parser.add_argument("-s", "-S", action="store_true", dest="silent")
    parser.add_argument("-i", action="store_true", dest="with_head")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-d", dest="data")
    parser.add_argument("--retry", type=int, default=0)
    parser.add_argument("--retry-delay", type=int, default=1)
    parser.add_argument("--retry-connrefused", action="store_true")
    return parser


def send(client: httpx.Client, asked: Namespace) -> httpx.Response | None:
    """The answer; None while nobody listens."""
    method = asked.method or ("GET" if asked.data is None else "POST")
    headers = dict(line.split(": ", 1) for line in asked.headers)
    try:
        return client.request(method, asked.url, headers=headers, content=asked.data)
    except httpx.ConnectError:
        return None


def main() -> None:
    asked = options().parse_args()
    with http_client("") as client:
        answer = wait_until(lambda: send(client, asked), asked.retry * asked.retry_delay, asked.url)
    if asked.with_head:
        lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        sys.stdout.write("\r\n".join([*lines, "", ""]))
    sys.stdout.write(answer.text)


if __name__ == "__main__":
    main()
