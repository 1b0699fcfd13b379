"""Launcher: the service as if nobody had sent an Idempotency-Key.

`python -m tests.load.ignores_keys serve …`. No record is looked up or written and no duplicate joins the first: that is
the negative control of the retry storm, which must then carry out each duplicate anew.
"""

from service import cli
from service.http import endpoint


def no_key(*_: object) -> None:
    """The key's syntax is checked as ever; then it is forgotten."""


if __name__ == "__main__":
    endpoint._keyed = no_key
    cli.main()
