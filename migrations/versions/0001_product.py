"""The product's schema, adopted or created."""

from indexer.database.schema import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_file("0001_product.sql")


def downgrade() -> None:
    """The product's tables are the product's: going back leaves them and their data as they are."""
