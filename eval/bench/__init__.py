"""How fast the parts run; each benchmark is a command."""
