"""When a font was first missed: what the job knows of it is swept a day later."""

from indexer.database.schema import run_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_file("0007_missing_fonts.sql")


def downgrade() -> None:
    run_file("0007_missing_fonts_down.sql")
