"""`holdfast accounts`: the tenants."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.changing import DRY, DryRunOption, change
from service.cli.failures import CommandFailed, ExitCode
from service.cli.output import JsonOption, examples, print_json, print_line, print_table
from service.cli.running import run_on_store

if TYPE_CHECKING:
    from service.accounts.queries import AccountRecord

app = typer.Typer(help="Make, list and set up accounts.", no_args_is_help=True)


@app.command("create", epilog=examples("accounts create acme", "accounts create acme --dry-run"))
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 60 characters.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make an account."""
    from service.accounts import use_cases

    account = run_on_store(lambda store: change(use_cases.create_account, dry_run, store, name))
    if as_json:
        print_json(_shown(account))
    elif dry_run:
        print_line(f"Would make the account {account.name!r}{DRY}.")
    else:
        print_line(f"Made the account {account.name!r}. Next: holdfast keys create {_quoted(account.name)}")


@app.command("list", epilog=examples("accounts list", "accounts list --json"))
def list_all(as_json: JsonOption = False) -> None:
    """List the accounts by name, with the hold times of reservations of stock alone."""
    from service.accounts import use_cases

    accounts = run_on_store(use_cases.list_accounts)
    if as_json:
        print_json({"accounts": [_shown(account) for account in accounts]})
    elif accounts:
        _print(accounts)
    else:
        print_line("There is no account yet. Make one with `holdfast accounts create NAME`.")


@app.command("set", epilog=examples("accounts set acme --hold-seconds 900 --hold-seconds-max 1800"))
def set_up(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    hold_seconds: Annotated[
        int | None, typer.Option(help="How long a hold on stock alone lasts where the client does not say.")
    ] = None,
    hold_seconds_max: Annotated[int | None, typer.Option(help="How long it may last at most.")] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set hold times of reservations of stock alone; events have their own. What exists keeps its time."""
    from service.accounts import use_cases

    if hold_seconds is None and hold_seconds_max is None:
        raise CommandFailed("say what to set, with --hold-seconds, --hold-seconds-max or both.", ExitCode.USAGE)
    account = run_on_store(
        lambda store: change(use_cases.set_hold_times, dry_run, store, name, hold_seconds, hold_seconds_max)
    )
    if as_json:
        print_json(_shown(account))
    else:
        _print([account])
        if dry_run:
            print_line(f"So it would be{DRY}.")


def _print(accounts: "list[AccountRecord]") -> None:
    rows = [[account.name, str(account.hold_seconds), str(account.hold_seconds_max)] for account in accounts]
    print_table(["account", "hold seconds", "at most"], rows)


def _shown(account: "AccountRecord") -> dict[str, object]:
    return {
        "account": account.name,
        "hold_seconds": account.hold_seconds,
        "hold_seconds_max": account.hold_seconds_max,
    }


def _quoted(text: str) -> str:
    from shlex import quote

    return quote(text)
