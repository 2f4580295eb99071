"""What the service answers to, by who asks."""
