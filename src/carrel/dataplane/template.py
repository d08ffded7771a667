"""The process that workers are forked from: it has everything imported, no loop, no threads, no traffic.

Main cannot fork workers itself once its loop runs. It forks the template before, and sends it for each worker
one byte, which listening socket is the worker's, and the worker's end of a channel. When main is gone, so are
the template and its workers. When the template is gone, its workers go on, and main starts another one with
the same sockets:

    python -m carrel.dataplane.template CONTROL LISTENER,LISTENER... [flags of carrel-proxy]
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from carrel.dataplane.certificates import Certificates
from carrel.dataplane.logs import make_log
from carrel.dataplane.options import parse_options
from carrel.dataplane.serving import collect_rarely
from carrel.dataplane.tls import BadTlsError
from carrel.dataplane.worker import Job

_RELOAD = 255
_RETIRE = 254
_LEFT_TO_MAIN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

#: What a worker does, with its listening socket and its end of the channel, until its exit status.
Work = Callable[[socket.socket, socket.socket], int]


@dataclass(frozen=True, slots=True)
class Template:
    """A running template, as main sees it: it is gone when `control` can be read."""

    pid: int
    control: socket.socket

    def fork(self, slot: int, end: socket.socket) -> None:
        """Have a worker forked; raises OSError when the template is gone."""
        socket.send_fds(self.control, [bytes([slot])], [end.fileno()])

    def reload(self) -> None:
        """Let workers to come have the certificates that are in the files now; raises OSError."""
        self.control.send(bytes([_RELOAD]))

    def retire(self) -> None:
        """Let nobody connect any more, as far as the template's sockets go; raises OSError."""
        self.control.send(bytes([_RETIRE]))

    def kill(self) -> None:
        """End it now; its workers stay."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Have it end its workers and itself."""
        self.control.close()

    def is_gone(self) -> bool:
        """Tell whether it has ended, and take it out of the process table then."""
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return True


def fork_template(listeners: Sequence[socket.socket], certificates: Certificates, work: Work) -> Template:
    """Fork a template; only a process without threads and without a loop may. Raises OSError."""
    mine, its = socket.socketpair()
    # A signal to the whole group that comes before the template ignores it would end it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _LEFT_TO_MAIN)
    pid = os.fork()
    if not pid:
        mine.close()
        _run(its, listeners, certificates, work)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _LEFT_TO_MAIN)
    its.close()
    return Template(pid, mine)


def spawn_template(listeners: Sequence[socket.socket], arguments: Sequence[str]) -> Template:
    """Start a template in place of one that is gone; any process may. Raises OSError."""
    mine, its = socket.socketpair()
    inherited = (its, *listeners)
    try:
        for one in inherited:
            one.set_inheritable(True)
        numbers = ",".join(str(listener.fileno()) for listener in listeners)
        command = [sys.executable, "-m", "carrel.dataplane.template", str(its.fileno()), numbers, *arguments]
        pid = os.posix_spawn(sys.executable, command, os.environ)
    except OSError:
        mine.close()
        raise
    finally:
        for one in inherited:
            one.set_inheritable(False)
        its.close()
    return Template(pid, mine)


def serve_forks(
    control: socket.socket, listeners: Sequence[socket.socket], certificates: Certificates, work: Work
) -> NoReturn:
    """Fork workers until main closes its end, and end those that are left then."""
    for number in _LEFT_TO_MAIN:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _LEFT_TO_MAIN)
    # Those that have ended stay in the process table until the next is forked, so that these ids are theirs.
    workers: set[int] = set()
    while True:
        message, ends, _, _ = socket.recv_fds(control, 1, 1)
        workers.difference_update(_collect())
        if not message:
            _end(workers)
        elif message[0] == _RELOAD:
            # Main says what is wrong with them.
            certificates.reload()
        elif message[0] == _RETIRE:
            for listener in listeners:
                listener.close()
        for end in ends:
            with contextlib.suppress(OSError):
                workers.add(_fork(control, listeners, listeners[message[0]], end, work))
            os.close(end)


def _collect() -> Iterator[int]:
    """Take workers that have ended out of the process table."""
    with contextlib.suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            yield pid


def _end(workers: Collection[int]) -> NoReturn:
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    for pid in workers:
        os.waitpid(pid, 0)
    os._exit(0)


def _fork(
    control: socket.socket,
    listeners: Sequence[socket.socket],
    listener: socket.socket,
    end: int,
    work: Work,
) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        control.close()
        for other in listeners:
            # A socket that stays open after its own worker has closed it would take connections for nobody.
            if other is not listener:
                other.close()
        status = work(listener, socket.socket(fileno=end))
    finally:
        os._exit(status)


def _run(
    control: socket.socket, listeners: Sequence[socket.socket], certificates: Certificates, work: Work
) -> NoReturn:
    try:
        serve_forks(control, listeners, certificates, work)
    finally:
        os._exit(1)


def main(arguments: Sequence[str]) -> int:
    """Be a template for a main process that lost its own; return the exit status when that cannot be."""
    control, numbers, *flags = arguments
    options = parse_options(flags)
    log = make_log(options.log_level, options.log_file)
    sockets = {number: socket.socket(fileno=int(number)) for number in (control, *numbers.split(","))}
    for one in sockets.values():
        one.set_inheritable(False)
    try:
        certificates = Certificates(options)
    except BadTlsError as error:
        log.error("No worker can be started: %s", error)
        return 1
    collect_rarely()
    listeners = [sockets[number] for number in numbers.split(",")]
    serve_forks(sockets[control], listeners, certificates, Job(options, certificates, log))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
