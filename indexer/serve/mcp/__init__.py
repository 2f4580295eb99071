"""The fonts for assistants, over the Model Context Protocol."""
