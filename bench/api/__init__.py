"""The speed of the REST API and of log-in, with a database of many users."""
