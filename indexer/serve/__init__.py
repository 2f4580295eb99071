"""The query service: HTTP over the same functions, vectors and files that search and the job use."""
