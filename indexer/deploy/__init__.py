"""Images, units and what they need to run the service on hosts; indexer/README.md says how."""
