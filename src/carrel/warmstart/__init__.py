"""The fork server behind a quick start: a process that has a single-user program imported, never started.

It runs by the interpreter of that program, which need not have Carrel: everything in this package uses the
standard library alone. How it is kept from sharing anything between users is told in
docs/explanation/warm-start-security.md.
"""
