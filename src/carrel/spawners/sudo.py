"""Servers of a hub that is not root, each with the rights of its owner: started through sudo."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets import Any as AnyTrait
from traitlets import Integer, List, Unicode, default

from carrel.lib import processes
from carrel.lib.clock import SystemClock
from carrel.lib.net import reachable
from carrel.lib.process_table import Process, is_alive, look
from carrel.spawners.base import Spawner
from carrel.spawners.begun import Begun, BegunRuns
from carrel.spawners.errors import StartError
from carrel.spawners.ports import Ports, is_taken_by_others
from carrel.spawners.preparing import Prepares
from carrel.spawners.reports import Orphan, Usage
from carrel.spawners.sudo_helper_call import Helper, HelperRefused, NoAnswer

HELPER_PATH = "/usr/local/libexec/carrel-sudo-helper"
POLICY_FILE = "/etc/carrel/sudo.json"
#: How old a note must be, in seconds, before it is believed that nothing came of it: no call takes so long.
_GRACE = 60.0


class SudoSpawner(Prepares, Spawner):
    """Starts each server as a process of its owner, through sudo and carrel-sudo-helper, without root."""

    bound_to_node = True
    death_interval = 0.2

    helper_path = Unicode(HELPER_PATH, help="Where carrel-sudo-helper is.").tag(config=True)
    policy_file = Unicode(
        POLICY_FILE, help="The file of root's that says which commands and variables the helper takes."
    ).tag(config=True)
    sudo_args: Any = List(Unicode(), ["-n"], help="What sudo is called with, before -u USER.").tag(
        config=True
    )
    sudospawner_path = Unicode(help="Deprecated: carrel-sudo-helper does it, see helper_path.").tag(
        config=True
    )
    interrupt_timeout = Integer(30, help="How long a server may take to end after SIGINT, in seconds.").tag(
        config=True
    )
    term_timeout = Integer(30, help="How long a server may take to end after SIGTERM, in seconds.").tag(
        config=True
    )
    kill_timeout = Integer(5, help="How long a server may take to vanish after SIGKILL, in seconds.").tag(
        config=True
    )

    pid = Integer(0)
    start_time = Unicode(help="What tells the process from a later one with the same pid.")
    clock: Any = AnyTrait()
    _chose_port: bool = False

    @default("env_keep")
    def _default_env_keep(self) -> list[str]:
        # Programs are found by the path in the policy, and what makes them load code is none of the hub's.
        return ["LANG", "LC_ALL"]

    @default("clock")
    def _default_clock(self) -> SystemClock:
        return SystemClock()

    # The checkpoint

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint; one without a start time is of no known process."""
        super().load_state(state)
        self.start_time = str(state.get("start_time") or "")
        self.pid = int(state.get("pid") or 0) if self.start_time else 0
        self._preparation.resume(self, state)
        self.server.ip, self.server.port = str(state.get("ip") or ""), int(state.get("port") or 0)

    def get_state(self) -> dict[str, Any]:
        """Return the process and where it listens."""
        state = super().get_state()
        if self._process() is not None:
            state |= {"pid": self.pid, "start_time": self.start_time}
            state |= {"ip": self.server.ip, "port": self.server.port}
            state |= self._preparation.as_state()
        return state

    def clear_state(self) -> None:
        """Forget the process."""
        super().clear_state()
        self.pid, self.start_time = 0, ""
        if self._chose_port:
            self.port, self._chose_port = 0, False
        self._begun_runs().remove(self.server_id, self.generation)

    def _process(self) -> Process | None:
        return Process(self.pid, self.start_time) if self.pid and self.start_time else None

    # Start, poll, stop

    async def start(self) -> tuple[str, int]:
        """Have the helper start the process and return where it will listen; raises StartError."""
        self._refuse_limits()
        account = await self._account()
        if not self.port:
            self.port, self._chose_port = self.shared.get((Ports,), Ports).take(self.ip), True
        runs = self._begun_runs()
        runs.add(self.server_id, self.generation, account)
        try:
            await self._start(account)
        except NoAnswer:
            # What may have come of it is found by the note.
            raise
        except StartError:
            runs.remove(self.server_id, self.generation)
            raise
        self.server.ip, self.server.port = reachable(self.ip), self.port
        self._preparation.lasts = bool(self.repository)
        try:
            # A look at the same moment may have found nothing yet.
            runs.add(self.server_id, self.generation, account)
            await self.save_state()
        except BaseException:
            # Without the checkpoint nobody would know of it.
            await self._end([(signal.SIGKILL, self.kill_timeout)])
            raise
        # To ask sudo for the log again and again would be dear: whoever waits sees when it answers.
        await self._preparation.wait(self, None)
        return self.server.ip, self.server.port

    async def _start(self, account: str) -> None:
        labels = self.run_labels()
        env = {name: value for name, value in self.get_env().items() if name not in labels}
        command = [*self.preparation(), *(self.cmd or []), *self.get_argv()]
        starting = asyncio.ensure_future(
            self.helper().ask(account, "start", command=command, environment=env, **self._run())
        )
        try:
            self._take(await asyncio.shield(starting))
        except asyncio.CancelledError:
            with suppress(StartError):
                self._take(await starting)
                await self._end([(signal.SIGKILL, self.kill_timeout)])
            raise

    def _take(self, answer: Mapping[str, Any]) -> None:
        self.pid, self.start_time = int(answer["pid"]), str(answer["start_time"])

    async def poll(self) -> int | None:
        """Return None while the process lives, else 0: only who has started it learns its status."""
        process = self._process()
        if process is None:
            return 0
        if _sees_others():
            return None if is_alive(process) else 0
        answer = await self._ask("poll", pid=process.pid, start_time=process.start_time)
        return None if answer["alive"] else 0

    async def stop(self, now: bool = False) -> None:
        """Send SIGINT, SIGTERM, SIGKILL, each when the one before was in vain; `now` leaves SIGINT out.

        What is left of the process's group is killed with it. Raises RuntimeError when even that is in vain,
        StartError when the helper does not obey.
        """
        steps = [(signal.SIGINT, self.interrupt_timeout), (signal.SIGTERM, self.term_timeout)]
        await self._end([*steps[1 if now else 0 :], (signal.SIGKILL, self.kill_timeout)])
        self._begun_runs().remove(self.server_id, self.generation)

    async def _end(self, steps: Sequence[tuple[signal.Signals, int]]) -> None:
        if await self.poll() is not None:
            return
        for sig, timeout in steps:
            if not await self._signal(sig) or await self.wait_for_death(timeout):
                break
            self.log.warning("The server of %s did not end %s s after %s", self._log_name, timeout, sig.name)
        await self._signal(signal.SIGKILL)
        if not await self.wait_for_death(self.kill_timeout):
            raise RuntimeError(f"Process {self.pid} does not end, not even by SIGKILL.")

    async def _signal(self, sig: signal.Signals) -> bool:
        name = sig.name.removeprefix("SIG")
        answer = await self._ask("signal", pid=self.pid, start_time=self.start_time, signal=name)
        return bool(answer["alive"])

    async def wait_for_death(self, timeout: float = 10) -> bool:
        """Return True as soon as the process has ended, False after `timeout` seconds."""
        process = self._process()
        if process is None or not _sees_others():
            return process is None or await super().wait_for_death(timeout)
        return await processes.wait_until_gone(process, timeout)

    # What Carrel adds

    async def logs(self, tail: int = 200) -> str:
        """Return the last lines that this run wrote; empty when nobody can be asked for them."""
        try:
            answer = await self._ask("logs", lines=max(1, tail), only=("hub", "server"))
        except StartError as error:
            self.log.warning("The log of %s cannot be read: %s", self._log_name, error)
            return ""
        return str(answer["log"])

    async def usage(self) -> Usage | None:
        """Return what the server and what it has started use."""
        answer = await self._ask("usage")
        return Usage(memory=int(answer["memory"]), cpu=float(answer["cpu"]))

    async def find_orphans(self, known: Collection[tuple[int, int]]) -> list[Orphan]:
        """Return what this hub has begun and no row knows: it is looked for among its owner's processes."""
        doubtful: dict[str, list[Begun]] = {}
        for run in self._begun_runs().all():
            if (run.server_id, run.generation) not in known:
                doubtful.setdefault(run.account, []).append(run)
        found = [await self._find(account, runs) for account, runs in doubtful.items()]
        return [orphan for orphans in found for orphan in orphans]

    async def _find(self, account: str, runs: Sequence[Begun]) -> list[Orphan]:
        try:
            there = await self._servers_of(account)
        except StartError as error:
            self.log.warning("It is not known whether servers of %s are left: %s", account, error)
            return [Orphan(run.server_id, run.generation, {}, account) for run in runs]
        found = []
        for run in runs:
            state = there.get((run.server_id, run.generation))
            if state is not None:
                found.append(Orphan(run.server_id, run.generation, state, account))
            elif self.clock.now() - run.since > _GRACE:
                self._begun_runs().remove(run.server_id, run.generation)
        return found

    async def _servers_of(self, account: str) -> dict[tuple[int, int], dict[str, Any]]:
        try:
            processes.find_account(account)
        except KeyError:
            return {}
        answer = await self.helper().ask(account, "find", hub=self.hub.hub_id)
        return {
            (_number(one["server"]), _number(one["generation"])): {
                "pid": int(one["pid"]),
                "start_time": str(one["start_time"]),
                "port": _port(one["url"]),
            }
            for one in answer["servers"]
        }

    async def recognize(self, orphan: Orphan) -> bool:
        """Take over a process that carries this run's labels and has the rights of this server's owner.

        Raises StartError when its owner's processes cannot be looked at.
        """
        state = (await self._servers_of(await self._account())).get((self.server_id, self.generation))
        if state is None:
            return False
        # Only the port is the process's to say; who else it might name would be visited in its name.
        self.load_state({**state, "ip": reachable(self.ip)})
        return True

    async def is_reached(self) -> bool:
        """Tell whether no other account listens where the server should."""
        account = await asyncio.to_thread(processes.find_account, await self._account())
        return not await is_taken_by_others(self.server.ip, self.server.port, account.uid)

    async def delete_forever(self) -> None:
        """Remove the server's logs."""
        with suppress(HelperRefused):
            await self._ask("forget", only=("hub", "server"))

    # Whom it asks

    def helper(self) -> Helper:
        """Return how the helper is called."""
        return Helper(self.helper_path, self.policy_file, self.sudo_args)

    async def _ask(self, action: str, *, only: Sequence[str] = (), **fields: Any) -> Mapping[str, Any]:
        run = {name: value for name, value in self._run().items() if not only or name in only}
        return await self.helper().ask(await self._account(), action, **run, **fields)

    def _run(self) -> dict[str, Any]:
        return {"hub": self.hub.hub_id, "server": self.server_id, "generation": self.generation}

    async def _account(self) -> str:
        """Return the name of the owner's account. sudo takes `#0` for root: only what exists is asked for."""
        try:
            return (await asyncio.to_thread(processes.find_account, self.user.name)).name
        except KeyError:
            raise HelperRefused(
                f"There is no account called {self.user.name} on this machine.", hint="Create it."
            ) from None

    def _begun_runs(self) -> BegunRuns:
        logs = self.log_directory
        return BegunRuns(Path(logs).with_name("begun") if logs else None)

    def _refuse_limits(self) -> None:
        for name in ("mem_limit", "cpu_limit", "mem_guarantee", "cpu_guarantee"):
            if getattr(self, name):
                raise StartError(
                    f"The hub is not root, so it cannot enforce {name}.",
                    hint=f"Remove c.Spawner.{name}, or limit the users' slices with systemd.",
                )


def _sees_others() -> bool:
    """Tell whether /proc shows other people's processes; an administrator may have turned that off."""
    return look(1) is not None


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 16 else 0


def _port(url: object) -> int:
    try:
        return urlsplit(str(url)).port or 0
    except ValueError:
        return 0
