"""Layer 9. Commands: parse arguments, load the configuration, call one function."""
