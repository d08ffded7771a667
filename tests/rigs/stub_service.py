"""A service that writes down how it was started, and then waits: `stub_service.py DIRECTORY [--ends]`.

With `--ends` it says a last word and ends with status 3.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Write `DIRECTORY/PID.json`, whole or not at all."""
    directory = Path(sys.argv[1])
    facts = {"pid": os.getpid(), "cwd": os.getcwd(), "uid": os.getuid(), "env": dict(os.environ)}
    draft = directory / f"{os.getpid()}.draft"
    draft.write_text(json.dumps(facts))
    draft.rename(directory / f"{os.getpid()}.json")
    if "--ends" in sys.argv:
        print("It is over, password=hunter2")
        sys.exit(3)
    print("It has begun", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
