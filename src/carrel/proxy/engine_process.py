"""A program that the hub starts as its data plane, and that stays when the hub goes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from carrel.lib.listen import PortInUse, bind_socket
from carrel.lib.process_table import Process, find, is_alive
from carrel.lib.processes import Program, collect, launch, send, wait_until_gone
from carrel.proxy.base import ProxyError
from carrel.proxy.stored import write_atomically

_START_LIMIT = 15.0
_STOP_LIMIT = 10.0
_PORT_LIMIT = 1.0
_SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"


def find_program(command: str) -> str | None:
    """Return the path of a program, which may be one for administrators."""
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATHS}")


async def wait_for_port(ip: str, port: int) -> None:
    """Return as soon as the port is free; raises PortInUse after a moment, and CannotListen.

    A process that was just killed may hold its port for a little while longer.
    """
    deadline = asyncio.get_running_loop().time() + _PORT_LIMIT
    while True:
        try:
            bind_socket(ip, port).close()
        except PortInUse:
            if asyncio.get_running_loop().time() > deadline:
                raise
        else:
            return
        await asyncio.sleep(0.05)


class EngineProcess:
    """The process called `name` whose files are in `directory`, and which reads `configuration` there."""

    def __init__(self, name: str, directory: Path, configuration: str) -> None:
        self._name = name
        self.configuration = directory / configuration
        self._record = directory / f"{name.lower()}.json"
        self.log_file = directory / f"{name.lower()}.log"

    def was_started_with(self, text: str) -> bool:
        """Tell whether this is the configuration that the last start used."""
        try:
            return self.configuration.read_text() == text
        except OSError:
            return False

    def running(self) -> Process | None:
        """Return the process that was started last, by whichever hub, while it is there."""
        try:
            process = msgspec.json.decode(self._record.read_bytes(), type=Process)
        except (OSError, ValueError):
            return None
        if is_alive(process):
            return process
        collect(process)
        return None

    async def start(
        self,
        argv: Sequence[str],
        text: str,
        answers: Callable[[Process], Awaitable[bool]],
        complaint: Callable[[str], str],
    ) -> Process:
        """Start the program with this configuration, and return once it `answers`.

        Raises ProxyError with the `complaint` found in its log.
        """
        self.running()
        write_atomically(self.configuration, text.encode())
        output = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
            program = Program(argv=argv, env=environment, umask=0o077, admit=self._note)
            process = await launch(program, output)
        except OSError as error:
            raise ProxyError(f"{argv[0]} cannot be started ({error.strerror})") from None
        finally:
            os.close(output)
        deadline = asyncio.get_running_loop().time() + _START_LIMIT
        while not await answers(process):
            if not is_alive(process) or asyncio.get_running_loop().time() > deadline:
                await self.end()
                # The next start must not take this configuration for that of a running process.
                self.configuration.unlink(missing_ok=True)
                why = complaint(self.log_file.read_text(errors="replace")) or "it does not answer"
                raise ProxyError(f"{self._name} did not start: {why}; see {self.log_file}")
            await asyncio.sleep(0.02)
        return process

    def _note(self, pid: int) -> None:
        # Before it runs: what a hub that is killed has started is known to the next, or was never there.
        write_atomically(self._record, msgspec.json.encode(find(pid)))

    async def end(self) -> bool:
        """End the process with its connections, and return whether it was running."""
        process = self.running()
        if process is None:
            return False
        send(process, signal.SIGTERM)
        if not await wait_until_gone(process, _STOP_LIMIT):
            send(process, signal.SIGKILL)
            await wait_until_gone(process, _STOP_LIMIT)
        collect(process)
        return True
