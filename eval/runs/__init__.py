"""Rankings of a dataset's queries by the real database, with all that they depend on."""
