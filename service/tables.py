"""Every table of the service, in one place: importing this module completes the metadata.

For what looks at the whole schema (migrations, the auditor). Domains import their own tables, never this.
"""

from service.accounts import tables as accounts
from service.database import tables as database
from service.database.schema import metadata
from service.engine import tables as engine
from service.idempotency import tables as idempotency
from service.inventory import tables as inventory
from service.outbox import tables as outbox
from service.reservations import tables as reservations

DOMAINS = (accounts, database, engine, idempotency, inventory, outbox, reservations)

NAMES = frozenset(metadata.tables)
