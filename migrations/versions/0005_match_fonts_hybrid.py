"""match_fonts_hybrid and similar_fonts: what the app calls."""

from indexer.database.schema import run_file

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_file("0005_filter_condition.sql")
    run_file("0005_match_fonts_hybrid.sql")


def downgrade() -> None:
    run_file("0005_match_fonts_hybrid_down.sql")
