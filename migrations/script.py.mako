"""${message}.

Every step asks first whether it is done already: MySQL commits each DDL statement by itself, so an upgrade that was
interrupted is continued by running it again.
"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
