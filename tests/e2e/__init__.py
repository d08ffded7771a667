"""The whole of it: real processes, a real browser."""
