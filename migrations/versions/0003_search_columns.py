"""fonts.fts and fonts.embedding_joint: what search looks things up by, kept by triggers."""

from indexer.database.schema import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_file("0003_search_columns.sql")


def downgrade() -> None:
    run_file("0003_search_columns_down.sql")
