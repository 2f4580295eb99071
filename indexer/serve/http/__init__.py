"""The service over HTTP: who may ask, what is answered, and how it is written."""
