"""Pictures of letters, read without a model: found and made level, measured, and told as traits."""
