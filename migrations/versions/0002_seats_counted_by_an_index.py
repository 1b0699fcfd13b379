"""Seats are counted from an index alone: by section, category and state of one event.

Without it the server read every seat of the event one by one, and where there are many events every seat of all of
them. The index takes the place of the one on event and section, which begins alike.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNTING = "ix_seats__event_id_section_category_id_state"
FORMER = "ix_seats__event_id_section"


def upgrade() -> None:
    # MySQL commits each DDL statement by itself: an upgrade that was interrupted goes on where it was.
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("seats")}
    if COUNTING not in present:
        op.create_index(COUNTING, "seats", ["event_id", "section", "category_id", "state"])
    if FORMER in present:
        op.drop_index(FORMER, "seats")
