"""Several processes on one port: one table, one count, and what happens when one of them ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.dataplane.authority import Authority
from tests.dataplane.harness import DEADLINE, Backend, Proxy, Wire, backend, command, proxy, until
from tests.rigs import processes
from tests.rigs.systems import free_port

pytestmark = pytest.mark.real
UPGRADE = b"GET /user/u/upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
#: New connections that together reach every worker: that one of four gets none of 200 has odds of 1e-25.
MANY = 200


async def _statuses(front: Proxy, path: str, count: int) -> set[int]:
    """Return the statuses of so many requests at once, each on a new connection."""
    answers = await asyncio.gather(*(front.get(path) for _ in range(count)))
    return {answer.status for answer in answers}


@contextlib.asynccontextmanager
async def _running(directory: Path, workers: int, *flags: str) -> AsyncIterator[tuple[Proxy, Backend]]:
    async with backend() as behind, proxy(directory, *flags, workers=workers) as front:
        await front.route("/user/u", behind.url)
        yield front, behind


async def _worker_of(front: Proxy, wire: Wire) -> int:
    """Return the process that holds the other end of a connection, as the kernel has it."""
    port = wire.writer.get_extra_info("sockname")[1]
    pattern = f"{_hex(front.port)} {_hex(port)}"
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        columns = line.split()
        if f"{columns[1]} {columns[2]}" == pattern:
            wanted = f"socket:[{columns[9]}]"
            for pid in await front.workers():
                if wanted in _open_files(pid):
                    return pid
    raise AssertionError("no worker holds the connection")


def _hex(port: int) -> str:
    return f"0100007F:{port:04X}"


def _open_files(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def _gone(pid: int) -> bool:
    return not processes.is_alive(pid)


async def _until_replaced(front: Proxy, ended: int, count: int) -> list[int]:
    async with asyncio.timeout(DEADLINE):
        while ended in (pids := await front.workers()) or len(pids) < count:
            await asyncio.sleep(0.02)
    return pids


async def _tunnel(front: Proxy) -> Wire:
    wire = await front.wire()
    wire.send(UPGRADE)
    assert (await wire.head())[0] == 101
    return wire


async def _tunnels_on_all(front: Proxy) -> dict[int, list[Wire]]:
    """Return open websockets by the worker that has them, at least two for each."""
    pids = await front.workers()
    found: dict[int, list[Wire]] = {pid: [] for pid in pids}
    async with asyncio.timeout(DEADLINE):
        while any(len(wires) < 2 for wires in found.values()):
            wire = await _tunnel(front)
            found[await _worker_of(front, wire)].append(wire)
    return found


async def _echoes(wire: Wire) -> None:
    wire.send(b"ping")
    assert await asyncio.wait_for(wire.reader.readexactly(4), DEADLINE) == b"ping"


def _descendants(pid: int) -> list[int]:
    return [one for one in processes.tree(pid) if one != pid]


@pytest.mark.parametrize("workers", [2, 4])
async def test_a_change_that_was_answered_is_everywhere(tmp_path: Path, workers: int) -> None:
    async with _running(tmp_path, workers) as (front, behind):
        assert len(await front.workers()) == workers
        for name in ("a", "b"):
            path = f"/user/{name}/x"
            await front.route(f"/user/{name}", behind.url)
            assert await _statuses(front, path, MANY) == {200}
            assert (await front.api("DELETE", f"/api/routes/user/{name}")).status == 204
            assert await _statuses(front, path, MANY) == {404}
        routes = {"/user/c": {"target": behind.url}, "/user/u": {"target": behind.url}}
        assert (await front.api("PUT", "/api/routes", {"routes": routes})).status == 204
        assert await _statuses(front, "/user/c/x", MANY) == {200}
        del routes["/user/c"]
        assert (await front.api("PUT", "/api/routes", {"routes": routes})).status == 204
        assert await _statuses(front, "/user/c/x", MANY) == {404}
        assert await _statuses(front, "/user/u/x", MANY) == {200}


async def test_changes_while_others_change(tmp_path: Path) -> None:
    async with _running(tmp_path, 2) as (front, behind):

        async def one(number: int) -> None:
            for _ in range(10):
                await front.route(f"/user/n{number}", behind.url)
                assert await _statuses(front, f"/user/n{number}/x", 4) == {200}
                assert (await front.api("DELETE", f"/api/routes/user/n{number}")).status == 204
                assert await _statuses(front, f"/user/n{number}/x", 4) == {404}

        await asyncio.gather(*map(one, range(8)))


async def test_pipelined_calls_are_answered_in_their_order(tmp_path: Path) -> None:
    async with _running(tmp_path, 2) as (front, behind):
        body = msgspec.json.encode({"target": behind.url}).decode()
        authorization = "Host: h\r\nAuthorization: token the-token"
        post = f"POST /api/routes/p HTTP/1.1\r\n{authorization}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        get, delete = (f"{m} /api/routes/p HTTP/1.1\r\n{authorization}\r\n\r\n" for m in ("GET", "DELETE"))
        wire = Wire(*await asyncio.open_connection("127.0.0.1", front.api_port))
        wire.send((get + post + get + delete + get + delete + "nonsense\r\n\r\n").encode())
        assert [(await wire.answer()).status for _ in range(7)] == [404, 201, 200, 204, 404, 404, 400]
        assert await wire.rest() == b""
        wire.close()


async def _load(front: Proxy) -> dict[str, int]:
    load = (await front.api("GET", "/api/status")).json()["load"]
    assert isinstance(load, dict)
    return load


async def test_counts_and_activity_are_those_of_all(tmp_path: Path) -> None:
    port = free_port()
    metrics = ("--metrics-ip", "127.0.0.1", "--metrics-port", str(port))
    async with _running(tmp_path, 2, *metrics) as (front, _):
        before = await front.activity("/user/u")
        held = await _tunnels_on_all(front)
        tunnels = sum(map(len, held.values()))
        assert await front.activity("/user/u") > before
        assert await _statuses(front, "/user/u/x", MANY) == {200}
        async with asyncio.timeout(20):
            while (load := await _load(front))["connections"] > tunnels:
                await asyncio.sleep(0.05)
        assert load["tunnels"] == tunnels
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        wire.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        lines = (await wire.answer()).body.decode().splitlines()
        wire.close()
        assert f"requests_web {MANY}" in lines
        assert f"requests_ws {tunnels}" in lines
        assert f'requests_proxy{{status="200"}} {MANY}' in lines
        assert f"find_target_for_req_count {MANY + tunnels}" in lines
        for wires in held.values():
            moment = await front.activity("/user/u")
            await _echoes(wires[0])
            assert await front.activity("/user/u") > moment
        seen = await front.activity("/user/u")
        assert (await front.api("GET", f"/api/routes?inactiveSince={seen}")).json() == {}
        later = (await front.api("GET", "/api/routes?inactiveSince=2999-01-01T00:00:00Z")).json()
        assert list(later) == ["/user/u"]


async def test_a_killed_worker_takes_only_its_own_connections(tmp_path: Path) -> None:
    async with _running(tmp_path, 2) as (front, _):
        held = await _tunnels_on_all(front)
        for wires in held.values():
            await _echoes(wires[0])
        seen = await front.activity("/user/u")
        victim, other = held
        stop = asyncio.Event()

        async def load() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError, EOFError):
                    await front.get("/user/u/x")

        clients = [asyncio.create_task(load()) for _ in range(8)]
        os.kill(victim, signal.SIGKILL)
        for wire in held[victim]:
            assert await wire.rest() == b""
        pids = await _until_replaced(front, victim, 2)
        assert other in pids
        stop.set()
        await asyncio.gather(*clients)
        assert await _statuses(front, "/user/u/x", MANY) == {200}
        for wire in held[other]:
            await _echoes(wire)
        assert await front.activity("/user/u") >= seen


async def test_a_stopped_worker_does_not_hold_up_changes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with _running(tmp_path, 2, "--log-file", str(log)) as (front, behind):
        victim = (await front.workers())[0]
        os.kill(victim, signal.SIGSTOP)
        await front.route("/user/new", behind.url)
        await until(lambda: _gone(victim), "the kernel is done with the one that was killed")
        await _until_replaced(front, victim, 2)
        assert await _statuses(front, "/user/new/x", MANY) == {200}
        assert "did not take a change of the routes in time" in log.read_text()


async def test_nothing_is_left_of_a_killed_main(tmp_path: Path) -> None:
    storage = ("--storage", str(tmp_path / "routes"))
    async with _running(tmp_path, 2, *storage) as (front, behind):
        routes = {f"/user/n{number}": {"target": behind.url} for number in range(5000)}
        assert (await front.api("PUT", "/api/routes", {"routes": routes})).status == 204
        await front.route("/user/late", behind.url)
        others = _descendants(front.process.pid)
        assert len(others) == 3
        # One that cannot notice by itself goes, too.
        os.kill((await front.workers())[0], signal.SIGSTOP)
        front.process.kill()
        await front.process.wait()
        await until(lambda: all(map(_gone, others)), "every other process is gone")
        async with proxy(tmp_path, *storage, workers=2, port=front.port) as second:
            for path in ("/user/n0/x", "/user/n4999/x", "/user/late/x"):
                assert await _statuses(second, path, 20) == {200}
            listed = (await second.api("GET", "/api/routes")).json()
            assert len(listed) == 5001


async def test_activity_is_in_the_file_at_a_stop(tmp_path: Path) -> None:
    storage = ("--storage", str(tmp_path / "routes"))
    async with _running(tmp_path, 2, *storage) as (front, _):
        added = await front.activity("/user/u")
        assert await _statuses(front, "/user/u/x", 20) == {200}
        assert await front.stop() == 0
    async with proxy(tmp_path, *storage, workers=2) as second:
        assert await second.activity("/user/u") > added


async def test_a_stop_finishes_what_is_under_way(tmp_path: Path) -> None:
    async with _running(tmp_path, 2) as (front, behind):
        others = _descendants(front.process.pid)
        slow = [await front.wire() for _ in range(8)]
        for wire in slow:
            wire.send(b"POST /user/u/slowsink HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
        await until(lambda: len(behind.seen) == 8, "the server has the requests")
        # As from a terminal: to all of them.
        for pid in (front.process.pid, *others):
            os.kill(pid, signal.SIGTERM)

        def refused() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", front.port)) != 0

        await until(refused, "nobody accepts any more")
        behind.gate.set()
        assert {(await wire.answer()).status for wire in slow} == {200}
        assert await asyncio.wait_for(front.process.wait(), DEADLINE) == 0
        assert all(map(_gone, others))


async def test_a_second_start_says_that_the_port_is_in_use(tmp_path: Path) -> None:
    async with _running(tmp_path, 2) as (front, _):
        for workers in ("1", "2"):
            place = ("--ip", "127.0.0.1", "--port", str(front.port), "--api-port", "0", "--workers", workers)
            process = await asyncio.create_subprocess_exec(*command(*place), stderr=asyncio.subprocess.PIPE)
            _, said = await asyncio.wait_for(process.communicate(), DEADLINE)
            assert process.returncode == 5
            wanted = f"carrel-proxy: cannot listen on 127.0.0.1 port {front.port}: the port is in use\n"
            assert said.decode() == wanted


async def test_a_lost_template_is_replaced_and_nobody_notices(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with _running(tmp_path, 2, "--log-file", str(log)) as (front, behind):
        pids = await front.workers()
        held = await _tunnels_on_all(front)
        (template,) = set(_descendants(front.process.pid)) - set(pids)
        os.kill(template, signal.SIGKILL)
        await until(lambda: "starts workers has ended" in log.read_text(), "main notices")
        for wires in held.values():
            await _echoes(wires[0])
        assert await front.workers() == pids
        os.kill(pids[0], signal.SIGKILL)
        await _until_replaced(front, pids[0], 2)
        await front.route("/user/new", behind.url)
        assert await _statuses(front, "/user/new/x", MANY) == {200}
        await _echoes(held[pids[1]][0])
        assert await front.stop() == 0
        await until(lambda: _gone(pids[1]), "the first template's worker has ended")


class _Stress:
    """Kills workers, changes routes and asks for one, all at the same time."""

    def __init__(self, front: Proxy, target: str) -> None:
        self.front = front
        self.target = target
        self.choose = random.Random(1)
        self.wanted = {"/user/u"}
        self.over = asyncio.Event()

    async def run(self) -> None:
        await asyncio.gather(self._kill(), self._change(), *(self._visit() for _ in range(4)))

    async def _kill(self) -> None:
        for _ in range(100):
            await asyncio.sleep(0.1)
            if pids := await self.front.workers():
                # Told a moment ago: no other process has this id yet.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.choose.choice(pids), signal.SIGKILL)
        self.over.set()

    async def _change(self) -> None:
        while not self.over.is_set():
            spec = f"/user/n{self.choose.randrange(20)}"
            if spec in self.wanted:
                assert (await self.front.api("DELETE", "/api/routes" + spec)).status == 204
            else:
                await self.front.route(spec, self.target)
            self.wanted ^= {spec}

    async def _visit(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(OSError, EOFError):
                await self.front.get("/user/u/x")


async def test_workers_may_be_killed_at_any_time(tmp_path: Path) -> None:
    async with _running(tmp_path, 4) as (front, behind):
        descriptors = len(_open_files(front.process.pid))
        stress = _Stress(front, behind.url)
        await stress.run()
        await _until_replaced(front, 0, 4)
        assert set((await front.api("GET", "/api/routes")).json()) == stress.wanted
        for number in range(20):
            expected = 200 if f"/user/n{number}" in stress.wanted else 404
            assert await _statuses(front, f"/user/n{number}/x", 50) == {expected}
        await until(
            lambda: len(_open_files(front.process.pid)) <= descriptors, "main holds no more than before"
        )


async def test_a_unix_socket_is_shared(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    async with backend() as behind, proxy(tmp_path, socket=path, workers=2) as front:
        await front.route("/user/u", behind.url)
        assert await _statuses(front, "/user/u/x", MANY) == {200}
        victim = (await front.workers())[0]
        os.kill(victim, signal.SIGKILL)
        await _until_replaced(front, victim, 2)
        assert await _statuses(front, "/user/u/x", MANY) == {200}
        assert await front.stop() == 0
        assert not path.exists()


async def _subjects(front: Proxy) -> set[str]:
    """Return who the certificates of several new connections are for."""
    wires = [await front.wire() for _ in range(20)]
    return {wire.writer.get_extra_info("peercert")["subject"][-1][0][1] for wire in wires}


async def test_a_new_worker_has_the_certificate_of_the_others(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    place, renewed = authority.sign("place"), authority.sign("renewed")
    log = tmp_path / "log"
    async with proxy(tmp_path, *place.flags(), "--log-file", str(log), workers=2) as front:
        front.tls = authority.visitor()
        assert await _subjects(front) == {"place"}
        shutil.copy(renewed.key, place.key)
        shutil.copy(renewed.cert, place.cert)
        front.process.send_signal(signal.SIGHUP)
        await until(lambda: "Certificates were read again" in log.read_text(), "the new one is read")
        assert await _subjects(front) == {"renewed"}
        # What is in the files by now was not asked for.
        place.cert.write_text("torn")
        for victim in await front.workers():
            os.kill(victim, signal.SIGKILL)
            await _until_replaced(front, victim, 2)
        assert await _subjects(front) == {"renewed"}
