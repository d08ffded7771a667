"""From the command line to the process that the server is."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from carrel_client.repository.cache import Cache
from carrel_client.repository.checkout import Checkout, Source
from carrel_client.repository.environment import Builder
from carrel_client.repository.locks import lock
from carrel_client.repository.plan import find_plan
from carrel_client.repository.programs import Limits, ProgramFailed, Programs
from carrel_client.repository.report import Failed, Report


@dataclass(frozen=True, slots=True)
class Prepared:
    """A repository that is ready: where it is, and which environment was built for it."""

    directory: Path
    environment: Path | None


def run(argv: Sequence[str] | None = None) -> None:
    """Make ready what the command line names, then become the command behind `--`."""
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    options, command = _parser().parse_args(words[:cut]), words[cut + 1 :]
    if not command:
        _parser().error("the command of the server is missing: it follows --")
    signal.signal(signal.SIGTERM, _ended)
    signal.signal(signal.SIGINT, _ended)
    report = Report()
    try:
        program = _program(command[0])
        prepared = prepare(options, os.environ, report)
        env = server_environment(os.environ, prepared)
        os.chdir(prepared.directory)
    except Failed as error:
        report.failed(error)
        raise SystemExit(1) from None
    except OSError as error:
        report.failed(Failed(f"The repository could not be made ready: {error}."))
        raise SystemExit(1) from None
    report.ready(str(prepared.directory))
    # What the command inherits is what a process has that was just started.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execve(program, command, env)  # noqa: S606 - to become the server is what this is for


def prepare(options: argparse.Namespace, environment: Mapping[str, str], report: Report) -> Prepared:
    """Return the working copy and the environment, both there. May be repeated. Raises Failed, OSError."""
    home = Path(environment.get("HOME") or Path.home())
    programs = Programs(environment, Limits.of(options.seconds, options.largest))
    source = Source(options.repo, options.ref, options.submodules)
    try:
        copy = Checkout(source, home / options.directory, programs, report).make()
    except ProgramFailed as problem:
        report.quote(problem.output)
        raise Failed("git could not make a working copy of the repository.") from None
    if options.path and not (copy.directory / options.path).exists():
        report.step(f"There is no {options.path} in this version of the repository")
    plan = find_plan(copy.directory)
    if plan is None:
        report.step("The repository asks for no packages", 90)
        return Prepared(copy.directory, None)
    locked = partial(lock, limits=programs.limits, report=report)
    cache = Cache(_cache_directory(home, environment), options.keep_days, locked)
    cache.clean()
    built = Builder(copy, programs, report, options.package).environment(plan, cache)
    return Prepared(copy.directory, built)


def server_environment(given: Mapping[str, str], prepared: Prepared) -> dict[str, str]:
    """Return the variables by which the server shows the working copy and kernels run in its environment."""
    env = {**given, "JUPYTERHUB_ROOT_DIR": str(prepared.directory), "PWD": str(prepared.directory)}
    place = prepared.environment
    if place is not None:
        env["VIRTUAL_ENV"] = str(place)
        env["PATH"] = f"{place / 'bin'}{os.pathsep}{given.get('PATH', os.defpath)}"
        paths = [str(place / "share" / "jupyter"), given.get("JUPYTER_PATH", "")]
        env["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))
    return env


def _program(name: str) -> str:
    """Return where the command is, before anything is built for it and before another PATH counts."""
    found = shutil.which(name)
    if found is None:
        raise Failed(f"The command {name} was not found.", "The administrator has to correct c.Spawner.cmd.")
    return found


def _cache_directory(home: Path, environment: Mapping[str, str]) -> Path:
    cache = environment.get("XDG_CACHE_HOME", "")
    return (Path(cache) if cache.startswith("/") else home / ".cache") / "carrel" / "environments"


def _ended(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carrel-repository",
        description="Fetch a Git repository, build its environment, and run a server in it.",
        usage="%(prog)s --repo URL [option ...] -- COMMAND ...",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--repo", required=True, help="its address")
    add("--ref", default="", help="a branch, a tag or a whole commit")
    add("--path", default="", help="what will be opened in it")
    add("--directory", default="repositories", help="where working copies are, below the home directory")
    add("--submodules", action="store_true", help="fetch its submodules, too")
    add("--seconds", type=float, default=600.0, help="how long all of this may take")
    add("--largest", type=int, default=2**31, help="bytes that the repository or the environment may have")
    add("--keep-days", type=float, default=30.0, help="how long environments are kept that nobody uses")
    add("--package", action="append", default=[], help="what every environment has, such as ipykernel")
    return parser
