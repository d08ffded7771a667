"""The processes of managed services: start one, find what an earlier hub left, end one, read its log."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from carrel.config.services import ServiceSetting
from carrel.lib.process_table import (
    Process,
    find,
    is_alive,
    parse_environ,
    raw_environ,
    running,
)
from carrel.lib.processes import (
    Account,
    Program,
    collect,
    find_account,
    launch,
    send,
    send_to_group,
    wait_until_gone,
)
from carrel.lib.redaction import clean_lines
from carrel.lifecycle.service_environment import (
    OWNER_LABEL,
    SERVICE_LABEL,
    HubFacts,
    service_environment,
    service_labels,
)
from carrel.spawners.commands import path_with
from carrel.spawners.environment import HUB_LABEL, PID_LABEL
from carrel.spawners.errors import StartError
from carrel.spawners.logfiles import bound_log, log_path, open_log, read_tail
from carrel.spawners.orphans import is_server

_TERM_SECONDS = 10.0
_KILL_SECONDS = 5.0
_LARGEST_LOG = 16 * 1024 * 1024
_LINES, _LONGEST = 20, 4000
_log = logging.getLogger("carrel.services")


class CannotStart(Exception):
    """The machine does not have what a service's definition names; the text says what."""


@dataclass(frozen=True, slots=True)
class ServiceMachine:
    """One managed service at this machine."""

    setting: ServiceSetting
    hub: HubFacts
    directory: Path
    """Where it runs unless it says another place."""
    logs: Path
    environ: Mapping[str, str] = field(repr=False)
    """The hub's own environment."""

    def account(self) -> Account | None:
        """Return whose rights it gets, None for the hub's own; raise CannotStart when that cannot be."""
        if not self.setting.user:
            return None
        try:
            account = find_account(self.setting.user)
        except KeyError:
            raise CannotStart(f"there is no account called {self.setting.user} on this machine") from None
        if os.geteuid() not in (0, account.uid):
            raise CannotStart(f"the hub is not root, so it cannot run it as {account.name}")
        return account if os.geteuid() == 0 else None

    async def start(self, service_id: int, token: str) -> Process:
        """Start it with a fresh log, and return its process; raise CannotStart."""
        account = await asyncio.to_thread(self.account)
        env = service_environment(self.setting, token, self.hub, self.environ, account)
        command = self.setting.command
        cwd = str(self.directory / self.setting.cwd)
        try:
            env["PATH"] = path_with(command[0], env)
        except StartError as error:
            raise CannotStart(str(error)) from None
        program = Program(argv=command, env=env, account=account, pid_variable=PID_LABEL, popen={"cwd": cwd})
        output = open_log(self.log_file(service_id))
        try:
            return await launch(program, output)
        except OSError as error:
            raise CannotStart(f"{error.strerror}: {error.filename or cwd}") from error
        finally:
            os.close(output)

    def adopt(self, pid: int, start_time: str) -> Process | None:
        """Return the process that an earlier hub left, if it runs and was started as it would be now."""
        process = Process(pid, start_time)
        alike = pid and start_time and is_server(process, self._uid(), service_labels(self.setting, self.hub))
        return process if alike else None

    def strays(self, keep: Process | None, owners: frozenset[str] | None = None) -> list[Process]:
        """Return what runs of this service besides `keep`; reads all of /proc, so call it in a thread.

        With `owners`, only what none of these hubs has started. Labels are a user's to forge, so only what
        has the rights of this service counts.
        """
        labels = {HUB_LABEL: self.hub.hub_id, SERVICE_LABEL: self.setting.name}
        return [
            process
            for process, env in labelled(self.hub.hub_id)
            if env[SERVICE_LABEL] == self.setting.name and process != keep
            if (owners is None or env.get(OWNER_LABEL) not in owners)
            and is_server(process, self._uid(), labels)
        ]

    def _uid(self) -> int:
        try:
            account = self.account()
        except CannotStart:
            return -1
        return os.geteuid() if account is None else account.uid

    def log_file(self, service_id: int) -> Path:
        """Return where the service's output is kept; that of the run before is beside it."""
        return log_path(str(self.logs), self.setting.name, service_id)

    def tail(self, service_id: int, token: str = "") -> str:
        """Return the last lines of its log, fit to be shown."""
        text = read_tail(self.log_file(service_id), _LINES)
        return clean_lines(text, _LINES, _LONGEST, [token, self.setting.api_token])

    def bound(self, service_id: int) -> None:
        """Keep its log from filling the disk; may be called as often as one likes."""
        bound_log(self.log_file(service_id), _LARGEST_LOG)


def labelled(hub_id: str) -> Iterator[tuple[Process, Mapping[str, str]]]:
    """Yield processes that call themselves services of a hub, with their environment; reads all of /proc."""
    for pid in running():
        raw = raw_environ(pid)
        env = parse_environ(raw) if f"{SERVICE_LABEL}=".encode() in raw else {}
        # What a service starts inherits its labels, and ends with its group.
        if env.get(HUB_LABEL) == hub_id and env.get(PID_LABEL) == str(pid) and SERVICE_LABEL in env:
            process = find(pid)
            # Looked at once more: the number may have become another's meanwhile.
            if process is not None and is_alive(
                process, {HUB_LABEL: hub_id, SERVICE_LABEL: env[SERVICE_LABEL]}
            ):
                yield process, env


def forgotten(hub_id: str, names: frozenset[str], owners: frozenset[str]) -> list[tuple[str, Process]]:
    """Return what runs of services that are none of `names`, and that none of these hubs has started.

    Whoever forges such labels only gives a process of their own away.
    """
    return [
        (env[SERVICE_LABEL], process)
        for process, env in labelled(hub_id)
        if env[SERVICE_LABEL] not in names and env.get(OWNER_LABEL) not in owners
    ]


async def end(process: Process, name: str) -> None:
    """Ask a process to end, and kill it and its group when it does not, or when it has left others behind."""
    if not is_alive(process):
        return
    for sig, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        try:
            if not send(process, sig) or await wait_until_gone(process, seconds):
                break
        except PermissionError:
            _log.error("Process %d of service %s cannot be ended: it is not ours", process.pid, name)
            return
        _log.warning("Service %s did not end %g s after %s", name, seconds, sig.name)
    send_to_group(process, signal.SIGKILL)
    collect(process)


def exit_words(process: Process) -> str:
    """Return how a process has ended, in words; one that an earlier hub started keeps that to itself."""
    status = collect(process)
    if status is None:
        return "has ended"
    return f"was ended by signal {-status}" if status < 0 else f"has ended with status {status}"
