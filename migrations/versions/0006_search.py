"""Search reads one open scan; family facts, deployed weights, and arguments that may be omitted."""

from indexer.database.schema import run_file

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_file("0006_deployed_weights.sql")
    run_file("0006_filter_condition.sql")
    run_file("0006_query.sql")
    run_file("0006_score.sql")
    run_file("0006_propose.sql")
    run_file("0006_match_fonts_hybrid.sql")
    run_file("0006_family_facts.sql")  # last: it alters the app's table


def downgrade() -> None:
    run_file("0006_search_down.sql")
    run_file("0005_filter_condition.sql")
    run_file("0005_match_fonts_hybrid.sql")
    run_file("0006_deployed_weights_down.sql")
    run_file("0006_family_facts_down.sql")
