"""`carrel`: which command, and how its errors are told. Commands are imported when they run."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from carrel import __version__
from carrel.compat.imports import install

if TYPE_CHECKING:
    from carrel.app.takeover import ImportWish
    from carrel.cli.doctor import Wish
    from carrel.config.report import Report
    from carrel.config.schema import Problem, Settings
    from carrel.lib.findings import Finding

_Command = Callable[[Sequence[str]], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (the process's own when None) names and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] in (["--version"], ["-V"]):
        print(f"carrel {__version__}")
        return 0
    command = _COMMANDS.get(given[0]) if given else None
    # What is imported stays: looking through it for garbage would be a seventh of a start. The hub turns this
    # on again once it runs; the other commands end soon.
    gc.disable()
    try:
        # Before anything is read that may import that name: a configuration, a plug-in.
        install()
        if command is None and given and not given[0].startswith("-"):
            _refuse(given[0])
        return command(given[1:]) if command else _hub(given)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # the last place that can turn it into a line
        return _tell(error, debug="--debug" in given)


def _refuse(word: str) -> NoReturn:
    """Raise BadArguments for a first word that is no command: it may be misspelt, or a configuration file."""
    from carrel.config.arguments import BadArguments
    from carrel.config.names import nearest

    near = nearest(word, _COMMANDS)
    if near:
        advice = f"; did you mean `carrel {near}`?"
    elif Path(word).is_file():
        advice = f"; to run a hub with the configuration file {word}: `carrel -f {word}`"
    else:
        advice = ""
    raise BadArguments(f"there is no command {word}{advice}")


def _tell(error: Exception, *, debug: bool) -> int:
    from carrel.cli.exits import explain

    if debug:
        traceback.print_exception(error)
    code, lines = explain(error)
    for line in lines:
        print(f"carrel: {line}", file=sys.stderr)
    return code


def _hub(argv: Sequence[str]) -> int:
    from carrel.cli import config

    if "--help" in argv or "-h" in argv:
        print(config.help_text(), end="")
        return 0
    if "--help-all" in argv:
        return config.help_all([arg for arg in argv if arg != "--help-all"], _classes_of)
    if "--generate-config" in argv:
        return config.generate([arg for arg in argv if arg != "--generate-config"], _classes_of)
    for option in ("--show-config", "--show-config-json"):
        if option in argv:
            rest = [arg for arg in argv if arg != option]
            return config.show_config(rest, as_json=option.endswith("json"))
    from carrel.cli.serve import serve

    return serve(argv, _run_hub)


def _demo(argv: Sequence[str]) -> int:
    from carrel.cli.demo import demo

    return demo(argv, _run_hub)


def _token(argv: Sequence[str]) -> int:
    from carrel.cli.tokens import token

    return token(argv, _issue_token)


def _stop(argv: Sequence[str]) -> int:
    from carrel.cli.stop import stop

    return stop(argv, _stop_hub)


def _check_config(argv: Sequence[str]) -> int:
    from carrel.cli.check import check_config

    return check_config(argv, _report_on)


def _doctor(argv: Sequence[str]) -> int:
    from carrel.cli.doctor import Check, doctor

    return doctor(argv, {"sudo": Check(_examine_sudo, _sudo_text)})


def _python(argv: Sequence[str]) -> int:
    from carrel.cli.python import python

    gc.enable()
    return python(argv)


def _import_jupyterhub(argv: Sequence[str]) -> int:
    from carrel.cli.takeover import import_jupyterhub

    return import_jupyterhub(argv, _take_over)


def _export_jupyterhub(argv: Sequence[str]) -> int:
    from carrel.cli.takeover import export_jupyterhub

    return export_jupyterhub(argv, _hand_back)


def _jupyterhub_command(argv: Sequence[str]) -> int:
    from carrel.cli.other_name import jupyterhub_command

    return jupyterhub_command(argv)


def _backup(argv: Sequence[str]) -> int:
    from carrel.cli.backups import backup

    return backup(argv)


def _rollback(argv: Sequence[str]) -> int:
    from carrel.cli.backups import rollback

    return rollback(argv)


def _upgrade_db(argv: Sequence[str]) -> int:
    from carrel.cli.backups import upgrade_db

    return upgrade_db(argv)


# The application is imported last: a mistake in the configuration is told before that takes its time.


def _run_hub(settings: Settings, on_ready: Callable[[], None] | None = None) -> int:
    from carrel.app.run import run_hub

    return run_hub(settings, on_ready)


def _classes_of(settings: Settings) -> Sequence[type]:
    from carrel.app.check import classes_of

    return classes_of(settings)


def _report_on(settings: Settings, problems: list[Problem]) -> Report:
    from carrel.app.check import report_on

    return report_on(settings, problems)


def _examine_sudo(settings: Settings, wish: Wish) -> Iterable[Finding]:
    from carrel.app.doctor import examine_sudo

    return examine_sudo(settings, wish.user)


def _sudo_text(settings: Settings, wish: Wish) -> str:
    from carrel.app.doctor import sudo_text

    return sudo_text(settings, wish.prints, wish.account, wish.group)


def _issue_token(settings: Settings, name: str) -> str:
    from carrel.app.run import issue_token

    return issue_token(settings, name)


def _stop_hub(settings: Settings, all_: bool) -> list[str]:
    from carrel.app.run import stop_hub

    return stop_hub(settings, all_)


def _take_over(settings: Settings, wish: ImportWish) -> list[str]:
    from carrel.app.takeover import import_jupyterhub

    return import_jupyterhub(settings, wish)


def _hand_back(settings: Settings, url: str) -> list[str]:
    from carrel.app.handback import export_jupyterhub

    return export_jupyterhub(settings, url)


_COMMANDS: dict[str, _Command] = {
    "check-config": _check_config,
    "demo": _demo,
    "doctor": _doctor,
    "python": _python,
    "token": _token,
    "stop": _stop,
    "backup": _backup,
    "rollback": _rollback,
    "upgrade-db": _upgrade_db,
    "import-jupyterhub": _import_jupyterhub,
    "export-jupyterhub": _export_jupyterhub,
    "jupyterhub-command": _jupyterhub_command,
}
