"""A private PostgreSQL on a loopback port: durable for nothing, gone with the test session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.rigs.poll import until
from tests.rigs.systems import free_port

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


def find_binaries() -> Path | None:
    """Return the directory that holds initdb and postgres: the newest of Debian's, or the one in PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if debian:
        return debian[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


class PostgresServer:
    """One server with its own data directory; `start` and `stop` own both."""

    def __init__(self, binaries: Path) -> None:
        self.port = free_port()
        self._binaries = binaries
        self._directory: Path | None = None
        self._count = 0

    def start(self) -> None:
        """Make the data directory and return when the server answers; raises CalledProcessError."""
        self._directory = Path(tempfile.mkdtemp(prefix="carrel-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self._directory, "postgres", "postgres")
        data = self._directory / "data"
        self._run("initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8")
        self.resume()

    def resume(self) -> None:
        """Start the server over the data that are there, and return when it answers."""
        assert self._directory is not None, "the server has no data yet"
        options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        options += f" -p {self.port} -k {self._directory}"
        log = str(self._directory / "log")
        self._run("pg_ctl", "-w", "-D", str(self._directory / "data"), "-l", log, "-o", options, "start")

    def halt(self) -> None:
        """Stop the server as an administrator does; its data stay, `resume` goes on with them."""
        assert self._directory is not None, "the server does not run"
        self._run("pg_ctl", "-w", "-m", "fast", "-D", str(self._directory / "data"), "stop")

    def stop(self) -> None:
        """End the server and remove its data; may be repeated."""
        if self._directory is None:
            return
        self._run("pg_ctl", "-m", "immediate", "-D", str(self._directory / "data"), "stop", check=False)
        pid_file = self._directory / "data" / "postmaster.pid"
        until(lambda: not pid_file.exists(), "PostgreSQL to stop")
        shutil.rmtree(self._directory)
        self._directory = None

    def create_database(self) -> str:
        """Return the URL of a new empty database."""
        self._count += 1
        name = f"carrel_{self._count}"
        self._sql(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop the database that `url` names, whoever is connected to it."""
        self._sql(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def _sql(self, statement: str) -> None:
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
        self._run("psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", *address, "-c", statement)

    def _run(self, program: str, *words: str, check: bool = True) -> None:
        command = [str(self._binaries / program), *words]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "psql" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if program in {"psql", "initdb"} else subprocess.DEVNULL,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or '(see its log)'}")
