"""Query vectors: what is asked, embedded in batches, and kept."""
