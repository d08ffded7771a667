"""The table of differences as a page: `python -m tests.compat.beside.page > docs/differences.md`."""

from __future__ import annotations

from tests.compat.beside.differences import NOT_YET, ON_PURPOSE

_HEAD = """\
# Where Carrel's API differs from JupyterHub's
A test sends the same requests to JupyterHub 6.1 and to Carrel and compares status, JSON, redirects,
cookies and headers. What differs stands here. Where JupyterHub answers 500, Carrel says what is wrong.
"""


def page() -> str:
    """Return the page."""
    lines = ["## On purpose", "| what | why |", "|---|---|"]
    lines += [f"| {row.what} | {row.why} |" for row in ON_PURPOSE]
    lines += ["", "## Not there yet", *(f"- {row.what}" for row in NOT_YET)]
    return "\n".join([_HEAD, *lines]) + "\n"


if __name__ == "__main__":
    print(page(), end="")
