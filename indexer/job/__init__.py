"""The job: pending, prepare, ahead (of the embedder), store; `run` does it for a space, `backfill` for both legs."""
