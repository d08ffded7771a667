"""Where things are in a checkout."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Virtual environments and other things that `make test` and `make bench` build once.
CACHE = Path(os.environ.get("CARREL_CACHE", ROOT / ".cache"))
