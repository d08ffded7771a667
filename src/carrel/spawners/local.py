"""Servers as processes of the hub's own machine, each with the rights of its owner."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Integer, List, Unicode, default

from carrel.lib import processes
from carrel.lib.awaiting import resolve
from carrel.lib.control_groups import apart
from carrel.lib.control_groups.limits import CannotLimit
from carrel.lib.mounts import CannotShow
from carrel.lib.net import reachable
from carrel.lib.process_table import Process, find, is_alive, look
from carrel.lib.process_tree import spent_by_tree
from carrel.lib.processes import Account, Program
from carrel.spawners.accounts import OfAccount
from carrel.spawners.base import Spawner
from carrel.spawners.commands import path_with
from carrel.spawners.confined import Confined
from carrel.spawners.environment import PID_LABEL
from carrel.spawners.errors import StartError
from carrel.spawners.imported import ImportedRun, adopt_process
from carrel.spawners.logfiles import log_path, open_log, read_tail, remove_logs, written
from carrel.spawners.orphans import find_local_orphans
from carrel.spawners.ports import Ports, is_taken_by_others
from carrel.spawners.preparing import Prepares
from carrel.spawners.reports import Orphan, Usage
from carrel.spawners.traits import Command

if TYPE_CHECKING:
    from carrel.spawners.warm import WarmServer


class LocalProcessSpawner(OfAccount, Confined, Prepares, Spawner):
    """Starts each server as a process of its owner. For other users than its own, the hub must be root."""

    bound_to_node = True

    interrupt_timeout = Integer(30, help="How long a server may take to end after SIGINT, in seconds.").tag(
        config=True
    )
    term_timeout = Integer(30, help="How long a server may take to end after SIGTERM, in seconds.").tag(
        config=True
    )
    kill_timeout = Integer(5, help="How long a server may take to vanish after SIGKILL, in seconds.").tag(
        config=True
    )
    popen_kwargs: Any = Dict(help="Further arguments for subprocess.Popen.").tag(config=True)
    shell_cmd: Any = Command(
        [], minlen=0, help="A shell that runs the command, given as one word: ['bash', '-l', '-c']."
    ).tag(config=True)
    umask = Integer(0o022, help="The umask of servers.").tag(config=True)
    own_control_group = Bool(
        True, help="Give each server a control group, so that it outlives that of the hub's service."
    ).tag(config=True)

    warm_start = Bool(
        True,
        help="Start servers from a process that has their program imported already, where that makes no "
        "difference but to the time and memory that they take.",
    ).tag(config=True)
    warm_start_commands: Any = List(
        Unicode(),
        default_value=["carrel-singleuser", "jupyterhub-singleuser"],
        help="Names of the commands for which there is a warm start.",
    ).tag(config=True)

    pid = Integer(0)
    proc: Any = AnyTrait()
    """What was started, something with a `pid`. A subclass that starts in its own way sets it or `pid`."""
    start_time = Unicode(help="What tells the process from a later one with the same pid.")
    log_file = Unicode()
    _exit_status: int | None = None
    _chose_port: bool = False
    _warm: WarmServer | None = None

    @default("env_keep")
    def _default_env_keep(self) -> list[str]:
        return [
            "PATH",
            "PYTHONPATH",
            "CONDA_ROOT",
            "CONDA_DEFAULT_ENV",
            "VIRTUAL_ENV",
            "LANG",
            "LC_ALL",
            "LD_LIBRARY_PATH",
            "JUPYTERHUB_SINGLEUSER_APP",
        ]

    # The checkpoint

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint; one without a start time is of no known process."""
        super().load_state(state)
        self.start_time = str(state.get("start_time") or "")
        self.pid = int(state.get("pid") or 0) if self.start_time else 0
        self.log_file = str(state.get("log") or "")
        self._preparation.resume(self, state, readable=Path(self.log_file).is_file())
        self.server.ip, self.server.port = str(state.get("ip") or ""), int(state.get("port") or 0)
        self._load_group(state)

    def get_state(self) -> dict[str, Any]:
        """Return the process, where it listens and where its log is."""
        state = super().get_state()
        process = self._process()
        if process is not None:
            state |= {"pid": process.pid, "start_time": process.start_time, "log": self.log_file}
            state |= {"ip": self.server.ip, "port": self.server.port, **self._preparation.as_state()}
        return state | self._group_state()

    def clear_state(self) -> None:
        """Forget the process."""
        super().clear_state()
        self.proc, self.pid, self.start_time = None, 0, ""
        if self.own_control_group:
            apart.remove_group(self._group_name())
        self._remove_group()
        self._confinement = None
        if self._chose_port:
            self.port, self._chose_port = 0, False

    def _process(self) -> Process | None:
        if self.proc is not None and not self.pid:
            self.pid = self.proc.pid
        if self.pid and not self.start_time:
            # A subclass has just started it in its own way and set nothing but the pid.
            found = find(self.pid)
            self.start_time = found.start_time if found else ""
        return Process(self.pid, self.start_time) if self.pid and self.start_time else None

    # Start, poll, stop

    async def start(self) -> tuple[str, int]:
        """Start the process and return where it will listen; raises StartError when it cannot be."""
        rights = await asyncio.to_thread(self._rights)
        if not self.port:
            self.port, self._chose_port = self.shared.get((Ports,), Ports).take(self.ip), True
        env = self.get_env() | self.run_labels()
        program = self._program(env, rights)
        await self._launch(program)
        self.server.ip, self.server.port = reachable(self.ip), self.port
        self._preparation.lasts = bool(self.repository)
        try:
            if self.own_control_group and not self._is_apart:
                await self._set_apart()
            await self.save_state()
        except BaseException:
            # Without the checkpoint nobody would know of it.
            await self._end([(signal.SIGKILL, self.kill_timeout)])
            await self._end_confined()
            raise
        await self._preparation.wait(self, self._written() if self.log_file else None)
        return self.server.ip, self.server.port

    async def resume_start(self) -> tuple[str, int] | None:
        """Wait on for a repository that an earlier hub was getting ready; None for any other start."""
        if not self._preparation.lasts:
            return None
        await self._preparation.wait(self, self._written())
        return self.server.ip, self.server.port

    def _written(self) -> AsyncIterator[bytes]:
        async def lives() -> bool:
            return await self.poll_now() is None

        return written(Path(self.log_file), lives)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the steps in which a repository is got ready; without one, that the server starts."""
        prepares = self.repository or self._preparation.lasts
        async for event in self._preparation.steps() if prepares else super().progress():
            yield event

    async def poll(self) -> int | None:
        """Return None while the process lives; else its exit status, or 0 when it was not the hub's child."""
        process = self._process()
        if process is not None:
            if is_alive(process, self.run_labels()):
                return None
            await self._collect(process)
        await self._end_confined()
        return self._exit_status or 0

    async def stop(self, now: bool = False) -> None:
        """Send SIGINT, SIGTERM, SIGKILL, each when the one before was in vain; `now` leaves SIGINT out.

        What is left of the process's group is killed with it, and with limits all that the server started.
        Raises RuntimeError when even that is in vain.
        """
        steps = [(signal.SIGINT, self.interrupt_timeout), (signal.SIGTERM, self.term_timeout)]
        await self._end([*steps[1 if now else 0 :], (signal.SIGKILL, self.kill_timeout)])
        if not await self._end_confined():
            raise RuntimeError(f"What the server of {self._log_name} has started does not end.")
        self._remove_group()

    async def _end(self, steps: Sequence[tuple[signal.Signals, int]]) -> None:
        process = self._process()
        seen = look(process.pid) if process is not None else None
        if process is None or seen is None or seen.start_time != process.start_time:
            return
        await self._escalate(steps)
        processes.send_to_group(process, signal.SIGKILL)
        if is_alive(process):
            raise RuntimeError(f"Process {process.pid} does not end, not even by SIGKILL.")
        await self._collect(process)

    async def _escalate(self, steps: Sequence[tuple[signal.Signals, int]]) -> None:
        for sig, timeout in steps:
            if not await resolve(self._signal(sig)) or await self.wait_for_death(timeout):
                return
            self.log.warning("The server of %s did not end %s s after %s", self._log_name, timeout, sig.name)

    async def _signal(self, sig: int) -> bool:
        """Send a signal and tell whether the process was there."""
        process = self._process()
        return process is not None and processes.send(process, sig)

    async def wait_for_death(self, timeout: float = 10) -> bool:
        """Return True as soon as the process has ended, False after `timeout` seconds."""
        process = self._process()
        return process is None or await processes.wait_until_gone(process, timeout)

    async def _collect(self, process: Process) -> None:
        status = processes.collect(process)
        if self._warm is not None and self._warm.process == process:
            status, self._warm = await self._warm.exit_status(), None
        if status is not None:
            self._exit_status = status

    # What is started

    def _program(self, env: dict[str, str], rights: Account | None) -> Program:
        words = [*(self.cmd or []), *self.get_argv()]
        if self.shell_cmd:
            words = [*self.shell_cmd, shlex.join(words)]
        if not words:
            raise StartError("There is no command to start.", hint="Set c.Spawner.cmd.")
        env["PATH"] = path_with(words[0], env)
        words = [*self.preparation(), *words]
        popen = dict(self.popen_kwargs)
        if self._makes_own_child():
            popen.setdefault("preexec_fn", self.make_preexec_fn(self.user.name))
        program = Program(
            argv=words,
            env=env,
            home=self._home(),
            account=rights,
            umask=self.umask,
            pid_variable=PID_LABEL,
            popen=popen,
        )
        return self._confined(program, self._limited_name())

    async def _launch(self, program: Program) -> None:
        self._exit_status = None
        output = self._open_log()
        try:
            process = await self._launch_warm(program, output) or await processes.launch(program, output)
        except OSError as error:
            raise StartError(
                f"The command {program.argv[0]} could not be started: {error.strerror}."
            ) from error
        except (CannotLimit, CannotShow) as error:
            raise self._refused(error) from error
        finally:
            if output >= 0:
                os.close(output)
        self.proc, self.pid, self.start_time = process, process.pid, process.start_time

    async def _launch_warm(self, program: Program, output: int) -> Process | None:
        """Start the program from a template; None when that cannot be, and it is started as any other."""
        self._warm = None
        if self.warm_start and self.hub.warm_starts is not None:
            # What is left has to be enough for a start of the usual way.
            patience, names = self.start_timeout / 3, self.warm_start_commands
            self._warm = await self.hub.warm_starts.launch(program, output, names, patience)
        return self._warm.process if self._warm is not None else None

    async def warm_up(self) -> None:
        """Have a template ready; the hub calls this of a driver that is nobody's."""
        words = [*(self.cmd or [])]
        if not words or self.shell_cmd or not self.warm_start or self.hub.warm_starts is None:
            return
        env = {key: os.environ[key] for key in self.env_keep if key in os.environ}
        env |= {key: value for key, value in self.environment.items() if isinstance(value, str)}
        env["PATH"] = path_with(words[0], env)
        program = Program(argv=words, env=env)
        await self.hub.warm_starts.warm_up(program, self.warm_start_commands, others=self._changes_user())

    async def _set_apart(self) -> None:
        try:
            await asyncio.to_thread(apart.set_apart, self.pid, self._group_name())
        except OSError as error:
            self.log.info("The server of %s stays in the hub's control group: %s", self._log_name, error)

    def _group_name(self) -> str:
        return f"carrel-{self.hub.hub_id[:8]}-{self.server_id}"

    def _limited_name(self) -> str:
        # Of an earlier run's group nothing may be killed, or be counted, for this one.
        return f"{self._group_name()}-{self.generation}"

    def _open_log(self) -> int:
        path = self._log_path()
        if path is None:
            return subprocess.DEVNULL
        self.log_file = str(path)
        return open_log(path)

    def get_env(self) -> dict[str, str]:
        """Return the server's environment with the account's variables."""
        return self.user_env(super().get_env())

    # What Carrel adds

    async def logs(self, tail: int = 200) -> str:
        """Return the last lines that this run wrote."""
        return await asyncio.to_thread(read_tail, Path(self.log_file), tail) if self.log_file else ""

    async def usage(self) -> Usage | None:
        """Return what the server and all that it has started use."""
        confined, process = self._confinement, self._process()
        if confined is not None:
            return await asyncio.to_thread(confined.usage)
        spent = await asyncio.to_thread(spent_by_tree, process.pid) if process is not None else None
        return None if spent is None else Usage(spent.memory, spent.cpu, spent.processes)

    async def find_orphans(self, known: Collection[tuple[int, int]]) -> list[Orphan]:
        """Return the processes that carry this hub's label and are none of the known runs."""
        return await asyncio.to_thread(find_local_orphans, self.hub.hub_id, frozenset(known))

    async def recognize(self, orphan: Orphan) -> bool:
        """Take over a process that carries this run's labels and has the rights of this server's owner."""
        process = Process(int(orphan.state["pid"]), str(orphan.state["start_time"]))
        if not await asyncio.to_thread(self._is_mine, process):
            return False
        # Only the port is the process's to say; who else it might name would be visited in its name.
        self.load_state({**orphan.state, "ip": reachable(self.ip), "log": str(self._log_path() or "")})
        await self._find_confinement(process.pid, self._limited_name())
        return True

    async def is_reached(self) -> bool:
        """Tell whether no other account listens where the server should; True where its own is not known."""
        own_way = self._makes_own_child() or type(self).start is not LocalProcessSpawner.start
        uid = None if own_way else await asyncio.to_thread(self._uid_of, self.user.name)
        return uid is None or not await is_taken_by_others(self.server.ip, self.server.port, uid)

    @classmethod
    def adopt_imported(cls, state: Mapping[str, Any], run: ImportedRun) -> Mapping[str, Any] | None:
        """Return the checkpoint of a process that JupyterHub has started, once it surely is this server's."""
        uid = cls._uid_of(run.user_name)
        return None if uid is None else adopt_process(state, run, uid)

    async def delete_forever(self) -> None:
        """Remove the server's logs."""
        path = self._log_path()
        if path is not None:
            remove_logs(path)

    def _log_path(self) -> Path | None:
        if not self.log_directory:
            return None
        return log_path(self.log_directory, self.user.name, self.server_id)
