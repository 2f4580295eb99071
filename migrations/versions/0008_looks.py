"""What was last found up to date: a run compares only what was written since."""

from indexer.database.schema import run_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_file("0008_looks.sql")


def downgrade() -> None:
    run_file("0008_looks_down.sql")
