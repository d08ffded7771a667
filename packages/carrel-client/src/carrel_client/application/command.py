"""From the command line to an application behind the hub's log-in."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from carrel_client import __version__
from carrel_client.application.backend import Address, Application, free_address
from carrel_client.application.gate import ApplicationAuth
from carrel_client.application.headers import Rules
from carrel_client.application.identity import KEY_VARIABLE
from carrel_client.application.server import Front
from carrel_client.auth.environment import EnvironmentProblem
from carrel_client.singleuser.activity import ActivityReporter
from carrel_client.singleuser.environment import HubEnvironment, read_environment
from carrel_client.singleuser.hub import ServerHubClient

_log = logging.getLogger("carrel_client.application")
_TOKENS = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")


def run(argv: Sequence[str] | None = None) -> None:
    """Run what the command line says; see `carrel_client.application.main`."""
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    parser = _parser()
    options, command = parser.parse_args(words[:cut]), words[cut + 1 :]
    if not command:
        parser.error("the command of the application is missing: it follows --")
    try:
        environment = read_environment(os.environ)
    except EnvironmentProblem as problem:
        _stop(str(problem))
    if environment.tls is not None:
        _stop("TLS between the hub and its servers (internal_ssl) is not offered for applications.")
    level = logging.DEBUG if environment.debug else logging.INFO
    logging.basicConfig(level=level, format="[%(levelname)1.1s %(asctime)s carrel-app] %(message)s")
    try:
        status = asyncio.run(_serve(environment, options, command))
    except OSError as problem:
        _stop(f"The application cannot be served: {problem}")
    raise SystemExit(status if status >= 0 else 128 - status)


def _stop(message: str) -> None:
    sys.stderr.write(f"carrel-app: {message}\n")
    raise SystemExit(1)


async def _serve(environment: HubEnvironment, options: argparse.Namespace, command: list[str]) -> int:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    rules = Rules(
        prefix=environment.prefix,
        client_id=environment.client_id,
        strip_prefix=options.strip_prefix,
        identity_header=options.identity_header,
    )
    key = secrets.token_hex(32)
    async with free_address(unix=options.unix) as address:
        words = [expand(word, environment, address) for word in command]
        variables = application_environment(os.environ, key, pass_token=options.pass_token)
        application = Application(words, variables, address)
        await application.start()
        try:
            return await _until_end(environment, application, rules, key, ended, options.patience)
        finally:
            await application.stop()


async def _until_end(
    environment: HubEnvironment,
    application: Application,
    rules: Rules,
    key: str,
    ended: asyncio.Event,
    patience: float,
) -> int:
    """Serve until somebody wants it to end or the application has ended; return the exit status."""
    waiting = asyncio.create_task(application.wait())
    ready = asyncio.create_task(application.wait_until_ready())
    stopping = asyncio.create_task(ended.wait())
    # A command that fails at once is told as a start that failed; a slow one gets a page that says so.
    await asyncio.wait({waiting, ready, stopping}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    last_use = _Clock()
    front = Front(ApplicationAuth(environment, os.urandom(32)), application, rules, key, last_use.touch)
    tasks = [waiting, ready, stopping]
    async with contextlib.AsyncExitStack() as stack:
        if not waiting.done() and not stopping.done():
            await stack.enter_async_context(_listening(front, environment))
            _log.info("Serving %s below %s", application.address.path or "an application", rules.prefix)
            tasks.append(asyncio.create_task(_report(environment, last_use)))
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    status = waiting.result() if waiting.done() else 0
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if status:
        _log.error("The application has ended with status %d", status)
    return status


@contextlib.asynccontextmanager
async def _listening(front: Front, environment: HubEnvironment) -> AsyncIterator[None]:
    """Serve for as long as the block lasts."""
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(front.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(connected, environment.ip, environment.port)
    try:
        yield
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


class _Clock:
    def __init__(self) -> None:
        self.last = datetime.fromtimestamp(0, UTC)
        self.touch()

    def touch(self) -> None:
        self.last = datetime.now(UTC)  # noqa: TID251 - there is no hub's clock on this side


async def _report(environment: HubEnvironment, used: _Clock) -> None:
    if environment.activity_url and environment.activity_interval:
        hub = ServerHubClient(environment)
        await ActivityReporter(
            hub.report_activity, lambda: used.last, environment.activity_interval, _log
        ).run()


def expand(word: str, environment: HubEnvironment, address: Address) -> str:
    """Return a word of the command with its braces filled in."""
    values = {
        "port": str(address.port or ""),
        "socket": address.path,
        "base_url": environment.prefix,
        "base_path": environment.prefix.rstrip("/"),
        "user": environment.user,
    }
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def application_environment(given: Mapping[str, str], key: str, *, pass_token: bool) -> dict[str, str]:
    """Return the application's variables: without the server's token unless it is to have it."""
    kept = {name: value for name, value in given.items() if pass_token or name not in _TOKENS}
    return {**kept, KEY_VARIABLE: key}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carrel-app",
        description="Run a web application as a user's server, behind the hub's log-in.",
        usage="%(prog)s [option ...] -- COMMAND ...",
        epilog="In COMMAND {port}, {socket}, {base_url}, {base_path} and {user} are filled in.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--strip-prefix", action="store_true", help="for an application that has to be at the top of a host")
    add("--unix", action="store_true", help="it listens on {socket}, which no other account reaches")
    add("--identity-header", default="", metavar="NAME", help="one more header with the visitor's name")
    add("--pass-token", action="store_true", help="leave the server's token at the hub in its environment")
    add("--patience", type=float, default=5.0, help="seconds until a page says that it is still starting")
    add("--version", action="version", version=__version__)
    return parser
