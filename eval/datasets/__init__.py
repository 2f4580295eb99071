"""What is searched, what is asked, and what would be right: one format, and what builds it."""
