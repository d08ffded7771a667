"""The tutorial: every file of `examples/tutorial` and `deploy` as it stands, used as its page says."""
