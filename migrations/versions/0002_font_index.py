"""fonts.embedding_vl, fonts.traits and the private schema font_index."""

from alembic import context, op

from indexer.database.schema import run_file
from indexer.errors import UserError

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_file("0002_font_index.sql")


def before_downgrade() -> None:
    """Asked before the first step of a downgrade: a refusal must not leave search half removed."""
    if context.get_x_argument(as_dictionary=True).get("drop") == "embeddings":
        return
    filled = (
        op.get_bind()
        .exec_driver_sql(
            "select (select count(embedding_vl) from public.fonts)"
            " + (select count(embedding) from font_index.embeddings)"
        )
        .scalar_one()
    )
    if filled:
        raise UserError(
            f"Going back would drop {filled} vectors. "
            "To drop them all the same: alembic -x drop=embeddings downgrade 0001"
        )


def downgrade() -> None:
    if not context.is_offline_mode():
        before_downgrade()  # again: the job may have gone on meanwhile
    run_file("0002_font_index_down.sql")
