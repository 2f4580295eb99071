"""Pictures of letters as people would search by: drawn, and what reading them is worth."""
