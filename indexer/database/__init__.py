"""Which database, how to connect to it, and its schema."""
