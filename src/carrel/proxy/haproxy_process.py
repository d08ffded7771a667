"""An HAProxy that the hub starts, and that stays when the hub goes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import msgspec

from carrel.lib.listen import bind_socket
from carrel.lib.process_table import Process, is_alive
from carrel.lib.processes import Program, collect, launch, send, wait_until_gone
from carrel.proxy.base import ProxyError
from carrel.proxy.haproxy_socket import NoAnswer, RuntimeSocket
from carrel.proxy.stored import write_atomically

_START_LIMIT = 15.0
_STOP_LIMIT = 10.0
_SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"


class HAProxyProcess:
    """The process whose files are in `directory`."""

    def __init__(self, command: str, directory: Path, runtime: RuntimeSocket) -> None:
        self._command = command
        self._runtime = runtime
        self._configuration = directory / "haproxy.cfg"
        self._record = directory / "haproxy.json"
        self.log_file = directory / "haproxy.log"

    def was_started_with(self, configuration: str) -> bool:
        """Tell whether this is the configuration that the last start used."""
        try:
            return self._configuration.read_text() == configuration
        except OSError:
            return False

    async def start(self, configuration: str, *, replacing: int | None, listens: tuple[str, int]) -> None:
        """Start HAProxy and return when its socket answers; the process `replacing` hands its ports over.

        Raises PortInUse or CannotListen for what it `listens` at, and ProxyError saying what HAProxy says.
        """
        program = self._find()
        if (before := self._recorded()) is not None:
            collect(before)
        if replacing is None:
            # Several HAProxies of one account would share the port without a word.
            bind_socket(*listens).close()
        write_atomically(self._configuration, configuration.encode())
        arguments = [program, "-db", "-f", str(self._configuration)]
        if replacing is not None:
            arguments += ["-sf", str(replacing)]
        output = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
            process = await launch(Program(argv=arguments, env=environment, umask=0o077), output)
        except OSError as error:
            raise ProxyError(f"{program} cannot be started ({error.strerror})") from None
        finally:
            os.close(output)
        self._record.write_bytes(msgspec.json.encode(process))
        await self._wait(process)

    async def end(self) -> bool:
        """End HAProxy with its connections, and return whether it was running."""
        process = self._recorded()
        if process is None or not is_alive(process):
            return False
        send(process, signal.SIGTERM)
        if not await wait_until_gone(process, _STOP_LIMIT):
            raise ProxyError(f"HAProxy (pid {process.pid}) does not stop")
        collect(process)
        return True

    async def _wait(self, process: Process) -> None:
        async with asyncio.timeout(_START_LIMIT):
            while True:
                if not is_alive(process):
                    collect(process)
                    # The next start must not take this configuration for that of a running process.
                    self._configuration.unlink(missing_ok=True)
                    raise ProxyError(f"HAProxy did not start: {self._complaint()}; see {self.log_file}")
                try:
                    if f"Pid: {process.pid}\n" in await self._runtime.ask("show info"):
                        return
                except NoAnswer:
                    pass
                await asyncio.sleep(0.02)

    def _find(self) -> str:
        found = shutil.which(self._command, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATHS}")
        if found is None:
            raise ProxyError(
                f"there is no program {self._command!r}: install HAProxy (apt install haproxy), "
                "or name it with c.HAProxyProxy.command"
            )
        return found

    def _recorded(self) -> Process | None:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Process)
        except (OSError, ValueError):
            return None

    def _complaint(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()
        alerts = [line.partition(" : ")[2].strip() for line in lines if line.startswith("[ALERT]")]
        return alerts[0] if alerts else "it says nothing"
