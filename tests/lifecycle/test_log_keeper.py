from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from carrel.core.runs import log_directory
from carrel.lifecycle.logs import LogKeeper
from carrel.testing.hub import TrialHub


async def test_logs_are_kept_short(hub: TrialHub, tmp_path: Path) -> None:
    settings = replace(hub.ctx.settings, directory=tmp_path, server_log_size=2**16)
    ctx = replace(hub.ctx, settings=settings)
    keeper = LogKeeper(ctx)
    await keeper.look()
    directory = log_directory(ctx)
    directory.mkdir(parents=True)
    (directory / "ada-7.log").write_text("a line\n" * 100_000)
    await keeper.look()
    assert (directory / "ada-7.log").stat().st_size < 2**16
    assert (directory / "ada-7.log.1").stat().st_size == 2**16
