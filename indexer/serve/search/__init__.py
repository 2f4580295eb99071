"""What is found, why, and how many there are of each kind: all as visitors see it."""
