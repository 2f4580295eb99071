"""The first match_fonts_hybrid: both legs scored exactly, fused by a convex combination."""

from alembic import op

from indexer.schema import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_file("0003_match_fonts_hybrid.sql")


def downgrade() -> None:
    op.execute("drop function public.match_fonts_hybrid")
