"""`holdfast keys`: an account's API keys. The secret is printed once, by the command that made it."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.changing import DRY, DryRunOption, change
from service.cli.failures import CommandFailed, ExitCode
from service.cli.output import JsonOption, examples, print_json, print_line, print_table
from service.cli.running import require_account, run_on_store

if TYPE_CHECKING:
    from service.accounts.queries import AccountRecord, KeyRecord
    from service.accounts.use_cases import NewKey
    from service.database.store import Store

app = typer.Typer(help="Make, list, limit and revoke API keys.", no_args_is_help=True)

DEFAULT_NAME = "default"


@app.command("create", epilog=examples("keys create acme", "keys create acme --name till --scope reservations:write"))
def create(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")],
    name: Annotated[
        str, typer.Option(help="Who calls with it. Two keys of one name are one caller: so a key is rotated.")
    ] = DEFAULT_NAME,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What the key may do; repeat for more. An account's first key has every scope unless some are given, "
            "and another key of a name has the scopes of the name's newest."
        ),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it, once."""
    owner, made = run_on_store(lambda store: _create(store, account, name, scope, dry_run=dry_run))
    if as_json:
        key, prefix = (None, None) if dry_run else (made.key, made.prefix)
        print_json({"account": owner.name, "key": key, "prefix": prefix, "name": made.name, "scopes": made.scopes})
        return
    if dry_run:
        print_line(f"Would make a key {made.name!r} of {owner.name!r}. Scopes: {', '.join(made.scopes)}{DRY}.")
        return
    print_line(made.key)
    typer.echo(f"Keep it: it cannot be shown again. Scopes: {', '.join(made.scopes)}", err=True)


async def _create(
    store: "Store", account_name: str, name: str, scopes: list[str] | None, *, dry_run: bool
) -> "tuple[AccountRecord, NewKey]":
    from service.accounts import use_cases

    owner = await require_account(store, account_name)
    granted = scopes or _scopes_of(name, await use_cases.list_keys(store, owner.id))
    return owner, await change(use_cases.create_key, dry_run, store, owner.id, name, granted)


def _scopes_of(name: str, keys: "list[KeyRecord]") -> list[str] | None:
    """None, which means every one, for the first key; those of the key that is rotated; never more by accident."""
    from service.accounts.keys import SCOPES

    if not keys:
        return None
    for key in reversed(keys):
        if key.name == name:
            return key.scopes
    raise CommandFailed(
        f"say what the key may do with --scope, once or more. The scopes are {', '.join(SCOPES)}.", ExitCode.USAGE
    )


@app.command("list", epilog=examples("keys list", "keys list acme --json"))
def list_some(
    account: Annotated[str | None, typer.Argument(metavar="[ACCOUNT]", help="Only this account's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List keys, oldest first, revoked ones included; never their secrets."""
    keys = run_on_store(lambda store: _list(store, account))
    if as_json:
        print_json({"keys": [_shown(key) for key in keys]})
    elif keys:
        _print(keys)
    else:
        print_line("There is no key yet. Make one with `holdfast keys create ACCOUNT`.")


async def _list(store: "Store", account_name: str | None) -> "list[KeyRecord]":
    from service.accounts import use_cases

    if account_name is None:
        return await use_cases.list_keys(store)
    return await use_cases.list_keys(store, (await require_account(store, account_name)).id)


@app.command("revoke", epilog=examples("keys revoke k3x9abcd"))
def revoke(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="The part between hf_ and the second _.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a key back; it may work for two more seconds."""
    from service.accounts import use_cases

    key = run_on_store(lambda store: change(use_cases.revoke_key, dry_run, store, _bare(prefix)))
    if as_json:
        print_json(_shown(key))
    else:
        done = "Would revoke" if dry_run else "Revoked"
        print_line(f"{done} the key {key.prefix} ({key.name!r} of {key.account_name!r}){DRY if dry_run else ''}.")


@app.command("scopes", epilog=examples("keys scopes k3x9abcd --scope reservations:read --scope ops"))
def set_scopes(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="The part between hf_ and the second _.")],
    scope: Annotated[
        list[str], typer.Option(help="What the key may do from now on, and nothing else; repeat for more.")
    ],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say anew what a key may do; a scope taken away may work for two more seconds."""
    from service.accounts import use_cases

    key = run_on_store(lambda store: change(use_cases.set_scopes, dry_run, store, _bare(prefix), scope))
    if as_json:
        print_json(_shown(key))
    else:
        _print([key])
        if dry_run:
            print_line(f"So it would be{DRY}.")


def _print(keys: "list[KeyRecord]") -> None:
    rows = [
        [key.account_name, key.name, key.prefix, " ".join(key.scopes), _instant(key.revoked_at) or ""] for key in keys
    ]
    print_table(["account", "name", "prefix", "scopes", "revoked"], rows)


def _bare(prefix: str) -> str:
    """Also of a whole key, which is what people have at hand."""
    return prefix.split("_")[1] if prefix.startswith("hf_") else prefix


def _shown(key: "KeyRecord") -> dict[str, object]:
    return {
        "account": key.account_name,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "created_at": _instant(key.created_at),
        "revoked_at": _instant(key.revoked_at),
    }


def _instant(instant_ms: int | None) -> str | None:
    from service.clock import to_rfc3339

    return None if instant_ms is None else to_rfc3339(instant_ms)
