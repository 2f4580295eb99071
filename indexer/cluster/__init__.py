"""The job on many hosts: Ray places, restarts and adds its workers."""
