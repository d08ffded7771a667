from __future__ import annotations

from carrel.core.runs import log_directory
from carrel.lifecycle.logs import LogKeeper
from carrel.testing.hub import TrialHub


async def test_logs_are_kept_short(hub: TrialHub) -> None:
    keeper = LogKeeper(hub.ctx)
    await keeper.look()
    directory = log_directory(hub.ctx)
    directory.mkdir(parents=True)
    (directory / "ada-7.log").write_text("a line\n" * 10_000_000)
    await keeper.look()
    assert (directory / "ada-7.log").stat().st_size < 2**20
    assert (directory / "ada-7.log.1").stat().st_size == hub.ctx.settings.server_log_size
