"""The tables that the README must have, made from the code. `python -m tests.house.tables` puts them into it."""

from collections.abc import Sequence

import msgspec

from service.reservations.states import TRANSITIONS
from service.settings import PREFIX, Settings
from tests.house.tree import README


def states_table() -> str:
    """Every transition of the state machine, in the order of the code."""
    rows = [(row.source or "(none)", row.action, row.target, row.units, row.who) for row in TRANSITIONS]
    return _markdown(("from", "action", "to", "units", "who"), rows)


def settings_table() -> str:
    """Every setting with its default, what it may be, and its explanation."""
    rows = [_setting(field) for field in msgspec.structs.fields(Settings)]
    return _markdown(("setting", "default", "may be", "meaning"), rows)


def _setting(field: msgspec.structs.FieldInfo) -> tuple[str, str, str, str]:
    schema = msgspec.json.schema(field.type)
    default = "" if field.default in ("", msgspec.NODEFAULT) else f"`{_text(field.default)}`"
    return f"`{PREFIX}{field.name.upper()}`", default, _allowed(schema), schema.get("description", "")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _allowed(schema: dict[str, object]) -> str:
    if "enum" in schema:
        values = schema["enum"]
        assert isinstance(values, list)
        return ", ".join(f"`{value}`" for value in values)
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return {"boolean": "`true`, `false`", "string": "text"}[str(schema["type"])]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


TABLES = {"states": states_table, "settings": settings_table}


def write_into_readme() -> None:
    """Replaces what stands between the markers."""
    text = README.read_text()
    for name, table in TABLES.items():
        before, begin, rest = text.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert end, f"README.md has no <!-- {name} --> … <!-- /{name} -->"
        text = f"{before}{begin}\n{table()}\n{end}{after}"
    README.write_text(text)


if __name__ == "__main__":
    write_into_readme()
