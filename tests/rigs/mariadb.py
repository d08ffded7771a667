"""A private MariaDB on a loopback port, for what JupyterHub keeps in MySQL; gone with the test session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.rigs.poll import until
from tests.rigs.systems import free_port

PROGRAM = Path("/usr/sbin/mariadbd")
INSTALLER = Path("/usr/bin/mariadb-install-db")
CLIENT = Path("/usr/bin/mariadb")


class MariaDBServer:
    """One server with its own data directory; `start` and `stop` own both."""

    def __init__(self) -> None:
        self.port = free_port()
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def start(self) -> None:
        """Make the data directory and return when the server answers; raises CalledProcessError."""
        self._directory = Path(tempfile.mkdtemp(prefix="carrel-mysql-"))
        account = []
        if os.geteuid() == 0:
            shutil.chown(self._directory, "mysql", "mysql")
            account = ["--user=mysql"]
        data = self._directory / "data"
        setup = [str(INSTALLER), "--no-defaults", "--auth-root-authentication-method=normal"]
        quiet = subprocess.DEVNULL
        subprocess.run([*setup, f"--datadir={data}", *account], check=True, stdout=quiet, stderr=quiet)
        words = [str(PROGRAM), "--no-defaults", f"--datadir={data}", f"--socket={self._socket}"]
        words += [f"--pid-file={self._directory}/pid", "--bind-address=127.0.0.1", f"--port={self.port}"]
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen([*words, *account], stdin=quiet, stdout=quiet, stderr=log)
        until(lambda: self._sql("SELECT 1", check=False), "MariaDB to answer", timeout=60)

    def stop(self) -> None:
        """End the server and remove its data; may be repeated."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory)
            self._directory = None

    def create_database(self) -> str:
        """Return the URL of a new empty database, whose user `hub` has the password `secret`."""
        self._count += 1
        name = f"hub_{self._count}"
        self._sql(
            f"CREATE DATABASE {name}; "
            "CREATE USER IF NOT EXISTS 'hub'@'127.0.0.1' IDENTIFIED BY 'secret'; "
            f"GRANT ALL ON {name}.* TO 'hub'@'127.0.0.1'"
        )
        return f"mysql+pymysql://hub:secret@127.0.0.1:{self.port}/{name}"

    @property
    def _socket(self) -> Path:
        assert self._directory is not None, "the server does not run"
        return self._directory / "socket"

    def _sql(self, statement: str, check: bool = True) -> bool:
        words = [str(CLIENT), "--no-defaults", f"--socket={self._socket}", "--user=root", "-e", statement]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.returncode == 0
