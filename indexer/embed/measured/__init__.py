"""The offline embedder of sheets: measurements as axes, and a lexicon by which words are read as such."""
