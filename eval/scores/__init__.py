"""What rankings are worth, how sure that is, and which weights it speaks for."""
