"""`holdfast accounts`: the tenants."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from typing import Annotated

import typer

from service.cli.output import JsonOption, print_json, print_line, print_table
from service.cli.running import run_on_store

app = typer.Typer(help="Make and list accounts.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 60 characters.")], as_json: JsonOption = False
) -> None:
    """Make an account."""
    from service.accounts import use_cases

    account = run_on_store(lambda store: use_cases.create_account(store, name))
    if as_json:
        print_json({"account": account.name})
    else:
        print_line(f"Made the account {account.name!r}. Next: holdfast keys create {_quoted(account.name)}")


@app.command("list")
def list_all(as_json: JsonOption = False) -> None:
    """List the accounts by name."""
    from service.accounts import use_cases

    names = [account.name for account in run_on_store(use_cases.list_accounts)]
    if as_json:
        print_json({"accounts": [{"account": name} for name in names]})
    elif names:
        print_table(["account"], [[name] for name in names])
    else:
        print_line("There is no account yet. Make one with `holdfast accounts create NAME`.")


def _quoted(text: str) -> str:
    from shlex import quote

    return quote(text)
