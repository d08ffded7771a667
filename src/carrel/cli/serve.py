"""`carrel`: run the hub."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from carrel.config.load import load
from carrel.config.logs import set_up_logs
from carrel.config.schema import Settings


def serve(argv: Sequence[str], run_hub: Callable[[Settings], int]) -> int:
    """Run the hub until it is told to stop and return its exit code; raise what `explain` can tell."""
    loaded = load(argv, Path.cwd(), os.environ)
    set_up_logs(loaded.settings)
    log = logging.getLogger("carrel.config")
    file = loaded.settings.config_file
    log.info(f"the configuration is {file}" if file else "there is no configuration file: defaults are used")
    for warning in loaded.warnings:
        log.warning(str(warning))
    return run_hub(loaded.settings)
