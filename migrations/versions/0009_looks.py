"""What was last found up to date: a run compares only what was written since."""

from indexer.database.schema import run_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_file("0009_looks.sql")


def downgrade() -> None:
    run_file("0009_looks_down.sql")
