"""What the query service answers, one module for each kind of client."""
