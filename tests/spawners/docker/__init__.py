"""Containers: one engine for all of these tests, which ends with them."""
