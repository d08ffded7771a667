"""The table of differences as a page: `python -m tests.compat.beside.page > docs/differences.md`."""

from __future__ import annotations

from tests.compat.beside.differences import ROWS

_HEAD = """\
# Where Carrel's API differs from JupyterHub's
A test sends the same requests to JupyterHub 6.1 and to Carrel and compares status, JSON, redirects,
cookies and headers. What differs stands here. Where JupyterHub answers 500, Carrel says what is wrong.
"""


def page() -> str:
    """Return the page."""
    lines = ["| what | why |", "|---|---|", *(f"| {row.what} | {row.why} |" for row in ROWS)]
    return "\n".join([_HEAD, *lines]) + "\n"


if __name__ == "__main__":
    print(page(), end="")
