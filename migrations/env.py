"""Runs revisions, or compares tables with the database, on the connection that `service.database.migrations` opened.

Never opens a connection itself: sessions, locks and transactions are the caller's.
"""

from typing import Any

from alembic import context
from sqlalchemy import Connection

import service.tables
from service.database.schema import metadata

NAMES_EXPECTED = service.tables.NAMES


def include_name(name: str | None, kind: str, _parents: Any) -> bool:  # noqa: ANN401 - Alembic's own type
    """Other programs' tables in the same database are none of our business; ours must be exactly as declared."""
    return kind != "table" or name in NAMES_EXPECTED


def run() -> None:
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, Connection):
        raise TypeError("there is no connection here: run `holdfast db upgrade` or `holdfast db check`")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=include_name,
        compare_type=True,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
    )
    with context.begin_transaction():
        context.run_migrations()


run()
