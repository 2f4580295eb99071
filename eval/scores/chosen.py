"""The weights that a run speaks for: what `eval apply` deploys."""

from __future__ import annotations

from typing import Any

from eval.scores.results import MAIN, Results
from indexer.errors import UserError
from indexer.weights import Weights

RRF_ALPHA = 0.5  # at which RRF is ranked


def chosen(results: Results) -> Weights:
    """C at the alpha that most queries are scored at, or RRF where that is better on average.

    The ends of alpha are single legs, so a leg that does better alone is chosen too. Raises UserError
    for a run without a fusion, or with a scale that search has by default no use for.
    """
    if (scale := results.run.about.parameters.get("normalization", "raw")) != "raw":
        raise UserError(
            f"The run was ranked with normalization {scale}. Search compares cosines as they are, for which "
            "another alpha is right: rank with --normalization raw."
        )
    words = float(results.run.about.parameters["words"])
    means = {name: results.mean(name) for name in ("C", "RRF") if name in results.scores}
    if not means:
        raise UserError("The run ranked no fusion, so it chooses no weights: rank C, RRF or both.")
    if max(means, key=lambda name: means[name]) == "RRF":
        return Weights(alpha=RRF_ALPHA, fusion="rrf", full_text_weight=words)
    assert results.choice is not None
    return Weights(alpha=results.choice.usual, fusion="convex", full_text_weight=words)


def evidence(results: Results) -> dict[str, Any]:
    """What the choice rests on, to be kept with it."""
    about = results.run.about
    return {
        "dataset": {key: about.dataset[key] for key in ("name", "version", "hash")},
        "queries": len(results.dataset.queries),
        MAIN: {name: round(results.mean(name), 4) for name in results.scores},
        "code": about.code,
        "ranked_at": about.finished_at,
    }
