"""Columns beside the serving ones, for the vectors of a space that is about to serve."""

from alembic import context, op

from indexer.database.schema import run_file
from indexer.errors import UserError

revision = "0008"
down_revision = "0007"

# Vectors of a space that has served and has not been put aside yet: they stand nowhere else.
LEAVING = "select space_id from font_index.switches where phase = 'leaving'"


def upgrade() -> None:
    run_file("0008_switches.sql")


def before_downgrade() -> None:
    """Asked before the first step of a downgrade: vectors of the next columns would go with them."""
    if context.get_x_argument(as_dictionary=True).get("drop") == "embeddings":
        return
    if op.get_bind().exec_driver_sql(LEAVING).first():
        raise UserError(
            "A switch of spaces is under way, and going back would drop the vectors of the space that "
            "served until then. Finish it: indexer spaces activate ID, with the id of the one that serves."
        )


def downgrade() -> None:
    if not context.is_offline_mode():
        before_downgrade()  # again: a switch may have begun meanwhile
    run_file("0008_switches_down.sql")
