"""The process of a data plane that outlives its hub: known to the next one from its first moment on."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.lib.process_table import Process
from carrel.proxy.base import ProxyError
from carrel.proxy.engine_process import EngineProcess

pytestmark = pytest.mark.real


async def test_it_is_on_record_before_it_runs(tmp_path: Path) -> None:
    engine, seen = EngineProcess("Test", tmp_path, "test.cfg"), tmp_path / "seen"
    script = f"cp {tmp_path}/test.json {seen}; echo $$ >{seen}.pid; exec sleep 60"

    async def answers(_: Process) -> bool:
        return Path(f"{seen}.pid").exists()

    process = await engine.start(["/bin/sh", "-c", script], "", answers, lambda log: log)
    try:
        assert engine.running() == process
        assert seen.read_bytes() == (tmp_path / "test.json").read_bytes()
        assert int(Path(f"{seen}.pid").read_text()) == process.pid
    finally:
        assert await engine.end()
    assert engine.running() is None


async def test_what_cannot_be_put_on_record_never_runs(tmp_path: Path) -> None:
    (tmp_path / "test.json").mkdir()
    seen = tmp_path / "seen"

    async def answers(_: Process) -> bool:
        return True

    with pytest.raises(ProxyError, match="cannot be started"):
        await EngineProcess("Test", tmp_path, "test.cfg").start(
            ["/bin/sh", "-c", f"touch {seen}"], "", answers, lambda log: log
        )
    assert not seen.exists()
