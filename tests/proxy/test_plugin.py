"""Drivers that were written for JupyterHub, behind PluggedProxy."""

from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from carrel.domain.routes import Route
from carrel.lib.process_table import Process, is_alive
from carrel.proxy.base import ProxyError, Unreachable
from carrel.proxy.plugin import PluggedProxy, PluginProxy
from carrel.testing.conformance.proxy import ProxyConformance


class TableProxy(PluginProxy):
    """A driver with plain methods, as JupyterHub allows."""

    starts = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.table: dict[str, dict[str, Any]] = {}

    def start(self) -> None:  # type: ignore[override]
        self.starts += 1

    def stop(self) -> None:  # type: ignore[override]
        self.table.clear()

    def add_route(self, routespec: str, target: str, data: Any) -> None:  # type: ignore[override]
        self.table[routespec] = {"routespec": routespec, "target": target, "data": data}

    def delete_route(self, routespec: str) -> None:  # type: ignore[override]
        self.table.pop(routespec, None)

    def get_all_routes(self) -> dict[str, dict[str, Any]]:  # type: ignore[override]
        return dict(self.table)


class ProgramProxy(TableProxy):
    """A driver that keeps the program that it starts where only it knows."""

    program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:  # type: ignore[override]
        super().start()
        self.program = subprocess.Popen(["sleep", "600"])

    def stop(self) -> None:  # type: ignore[override]
        assert self.program is not None
        self.program.terminate()
        self.program.wait()


def plugged(directory: Path, kind: type[PluginProxy] = TableProxy, **values: Any) -> PluggedProxy:
    return PluggedProxy(lambda: kind(**values), directory / "proxy.json")


class TestPlainMethods(ProxyConformance):
    @pytest.fixture
    async def proxy(self, tmp_path: Path) -> AsyncIterator[PluggedProxy]:
        proxy = plugged(tmp_path)
        assert await proxy.start()
        yield proxy
        await proxy.close()


async def test_it_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    made: list[PluginProxy] = []

    def make() -> PluginProxy:
        made.append(TableProxy())
        return made[-1]

    proxy = PluggedProxy(make, tmp_path / "proxy.json")
    await proxy.close()
    assert made == []
    assert await proxy.start()
    assert len(made) == 1


async def test_one_that_somebody_else_runs_is_neither_started_nor_stopped(tmp_path: Path) -> None:
    proxy = plugged(tmp_path, should_start=False)
    assert (await proxy.start(), await proxy.start()) == (True, False)
    assert await proxy.stop() is False
    assert isinstance(proxy.plugin, TableProxy)
    assert proxy.plugin.starts == 0
    assert proxy.of_this_hub is False


async def test_the_whole_table_is_set_by_its_own_check(tmp_path: Path) -> None:
    class Careful(TableProxy):
        checks = 0

        async def check_routes(self, *args: Any, **kwargs: Any) -> None:
            self.checks += 1
            await super().check_routes(*args, **kwargs)

    proxy = plugged(tmp_path, Careful)
    await proxy.start()
    await proxy.put_routes({"/": Route("/", "http://127.0.0.1:1", {"hub": True})})
    assert isinstance(proxy.plugin, Careful)
    assert proxy.plugin.checks == 1
    found = await proxy.plugin.get_route("/")
    assert found is not None
    assert found["target"] == "http://127.0.0.1:1"
    assert await proxy.plugin.get_route("/user/ada") is None


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ConnectionRefusedError("refused"), Unreachable),
        (TimeoutError(), Unreachable),
        (KeyError("x"), ProxyError),
    ],
)
async def test_what_it_raises_is_told_as_the_data_planes_trouble(
    tmp_path: Path, raised: Exception, told: type[ProxyError]
) -> None:
    class Broken(TableProxy):
        def add_route(self, routespec: str, target: str, data: Any) -> None:  # type: ignore[override]
            raise raised

    proxy = plugged(tmp_path, Broken)
    with pytest.raises(told, match=r"Broken\.add_route"):
        await proxy.add_route("/user/ada/", "http://127.0.0.1:1", {})


def test_routes_have_the_form_of_the_hub() -> None:
    assert TableProxy().validate_routespec("/user/ada") == "/user/ada/"
    assert TableProxy(host_routing=True).validate_routespec("ada.example/") == "ada.example/"
    with pytest.raises(ValueError, match=r"'ada\.example/' must begin with a slash"):
        TableProxy().validate_routespec("ada.example/")


async def test_what_would_never_be_called_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Watching(TableProxy):
        def add_user(self, user: Any) -> None:
            raise AssertionError("it is never called")

    with caplog.at_level(logging.WARNING):
        await plugged(tmp_path, Watching).start()
    assert "Watching.add_user() is never called" in caplog.text


@pytest.mark.real
class TestProgram:
    """What the driver starts."""

    def _noted(self, directory: Path) -> Process:
        (process,) = msgspec.json.decode((directory / "proxy.json").read_bytes(), type=list[Process])
        return process

    async def test_the_next_hub_ends_it_before_it_starts_its_own(self, tmp_path: Path) -> None:
        former = plugged(tmp_path, ProgramProxy)
        assert await former.start()
        first = self._noted(tmp_path)
        assert is_alive(first)
        following = plugged(tmp_path, ProgramProxy)
        assert await following.start()
        assert _program(former).wait() == -signal.SIGTERM
        assert is_alive(self._noted(tmp_path))
        assert await following.stop()
        assert not (tmp_path / "proxy.json").exists()

    async def test_one_that_ended_is_started_anew(self, tmp_path: Path) -> None:
        proxy = plugged(tmp_path, ProgramProxy)
        assert (await proxy.start(), await proxy.start()) == (True, False)
        _program(proxy).kill()
        _program(proxy).wait()
        assert await proxy.start()
        assert is_alive(self._noted(tmp_path))
        assert await proxy.stop()


def _program(proxy: PluggedProxy) -> subprocess.Popen[bytes]:
    assert isinstance(proxy.plugin, ProgramProxy)
    assert proxy.plugin.program is not None
    return proxy.plugin.program
