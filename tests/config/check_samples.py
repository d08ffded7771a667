"""Runs `carrel check-config --json` over directories in one process: `check_samples PLAN`.

The plan holds, by name, a directory, a file in it and variables; what comes out holds exit code and report.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from carrel.cli.main import main


def check(directory: str, file: str, environ: dict[str, str]) -> dict[str, object]:
    os.chdir(directory)
    before = dict(os.environ)
    os.environ.update(environ)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main(["check-config", "--json", file])
    os.environ.clear()
    os.environ.update(before)
    return {"status": status, "report": json.loads(out.getvalue())}


if __name__ == "__main__":
    plan = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps({name: check(**each) for name, each in plan.items()}))
