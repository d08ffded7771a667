"""The command line of the hub: JupyterHub's short options and `--Class.trait=value`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from traitlets import TraitType
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigList, DeferredConfigString, LazyConfigValue

from carrel.config.names import nearest
from carrel.config.schema import Problem, setting_fields

#: Where problems of the command line are.
COMMAND_LINE = "command line"

#: Short options with a value, the setting of each, and what `--help` says.
SHORT_OPTIONS: dict[str, tuple[str, str]] = {
    "--ip": ("JupyterHub.ip", "address that the proxy listens on"),
    "--port": ("JupyterHub.port", "port that the proxy listens on"),
    "--base-url": ("JupyterHub.base_url", "path below which everything is served"),
    "--url": ("JupyterHub.bind_url", "address, port and base URL in one: http://127.0.0.1:8000/hub-a/"),
    "--db": ("JupyterHub.db_url", "database: sqlite:///FILE or postgresql://..."),
    "--log-level": ("JupyterHub.log_level", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    "--pid-file": ("JupyterHub.pid_file", "write the hub's process id there"),
    "--ssl-key": ("JupyterHub.ssl_key", "file of the TLS key (PEM)"),
    "--ssl-cert": ("JupyterHub.ssl_cert", "file of the TLS certificate (PEM); with it HTTPS is served"),
    "--log-file": ("JupyterHub.extra_log_file", "a file that the log is written to as well"),
}

#: Options of JupyterHub that change nothing here, and why.
IDLE_OPTIONS = {
    "--no-ssl": "it changes nothing: plain HTTP needs no confirmation",
    "--upgrade-db": "it changes nothing: the database is upgraded at start where that is safe",
    "--yes": "it changes nothing here: it answers questions of --generate-config only",
}

_NO_CERTIFICATES = "Carrel makes no certificates: --generate-certs does nothing, remove it"

_TRAIT = re.compile(r"--([A-Z]\w*(?:\.[\w-]+)+)(?==|$)")
_MEMORY = "sqlite:///:memory:"


class BadArguments(Exception):
    """The command line cannot be understood; the text says what would be right."""


class OneText(DeferredConfigString):
    """The text of an option that was given once; a list takes it as a literal, or as its only item."""

    def get_value(self, trait: TraitType[Any, Any]) -> Any:
        """Return what `trait` makes of the text, or the text when it can make nothing of it."""
        value = super().get_value(trait)
        if value == str(self) and hasattr(trait, "from_string_list"):
            return DeferredConfigList([value]).get_value(trait)
        return value

    def __repr__(self) -> str:
        # That of traitlets calls itself in a subclass, without end.
        return f"{type(self).__name__}({str(self)!r})"


@dataclass(frozen=True, slots=True)
class Arguments:
    """A command line, read but not yet checked against the schema."""

    config: Config
    """What it sets; values are still texts, for the trait or the schema to read."""
    config_file: str = ""
    words: tuple[str, ...] = ()
    """What is not an option, such as a user's name."""
    debug: bool = False
    warnings: tuple[Problem, ...] = ()


class Parser(argparse.ArgumentParser):
    """argparse that raises BadArguments where it would end the process."""

    def error(self, message: str) -> NoReturn:
        option = re.search(r"--[a-z][\w-]*", message) if message.startswith("unrecognized") else None
        near = self._meant(option[0]) if option else None
        raise BadArguments(f"{message}; did you mean {near}?" if near else message)

    def _meant(self, option: str) -> str | None:
        name = option.removeprefix("--").replace("-", "_")
        if name in setting_fields():
            return f"--JupyterHub.{name}"
        return nearest(option, re.findall(r"--[a-z][\w-]*", self.format_help()))


def make_parser(program: str, argv: Sequence[str]) -> Parser:
    """Return a parser of the hub's options and of every `--Class.trait` that occurs in `argv`."""
    parser = Parser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument(
        "-f", "--config", metavar="FILE", action="append", help="configuration file (Python or JSON)"
    )
    for option, (_, text) in SHORT_OPTIONS.items():
        parser.add_argument(option, help=text)
    parser.add_argument("--debug", action="store_true", help="log everything; show tracebacks of errors")
    parser.add_argument("--no-ssl", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--upgrade-db", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-db", action="store_true", help="keep the database in memory, for trials")
    parser.add_argument("--generate-certs", action="store_true", help=argparse.SUPPRESS)
    # JupyterHub wants a value: `-y True` or `-y=True`.
    parser.add_argument("-y", "--yes", nargs="?", const=True, default=False, help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    for name in dict.fromkeys(match[1] for arg in argv if (match := _TRAIT.match(arg))):
        parser.add_argument(f"--{name}", dest=name, action="append", help=argparse.SUPPRESS)
    return parser


def parse_arguments(argv: Sequence[str], program: str = "carrel") -> Arguments:
    """Return what a command line says; raise BadArguments for one that makes no sense."""
    found = vars(make_parser(program, argv).parse_intermixed_args(list(argv)))
    files = found["config"] or []
    if len(files) > 1:
        raise BadArguments(f"-f takes one file, not {len(files)}: one file reads others with load_subconfig")
    if found["generate_certs"]:
        raise BadArguments(_NO_CERTIFICATES)
    config = Config()
    if found["debug"]:
        _put(config, "JupyterHub.log_level", "DEBUG")
    for option, (name, _) in SHORT_OPTIONS.items():
        value = found[option.removeprefix("--").replace("-", "_")]
        if value is not None:
            _put(config, name, OneText(value))
    if found["no_db"] and found["db"] is None:
        _put(config, "JupyterHub.db_url", _MEMORY)
    for name, values in found.items():
        if "." in name:
            _put(config, name, _deferred(values))
    file = files[0] if files else config.get("JupyterHub", {}).pop("config_file", "")
    return Arguments(
        config=config,
        config_file=str(file),
        words=tuple(found["words"]),
        debug=found["debug"],
        warnings=tuple(
            Problem(option, text, COMMAND_LINE, fatal=False)
            for option, text in IDLE_OPTIONS.items()
            if found[option.removeprefix("--").replace("-", "_")]
        ),
    )


def _deferred(values: list[str]) -> Any:
    return OneText(values[0]) if len(values) == 1 else DeferredConfigList(values)


def _put(config: Config, dotted: str, value: Any) -> None:
    path = dotted.split(".")
    depth = next((n for n, part in enumerate(path) if not part[:1].isupper()), len(path) - 1)
    for section in path[:depth]:
        config = config[section]
    name, keys = path[depth], path[depth + 1 :]
    if not keys:
        config[name] = value
        return
    present = config[name]
    if not isinstance(present, LazyConfigValue):
        whole = ".".join(path[: depth + 1])
        raise BadArguments(f"--{whole} is given both as a whole and by its items: choose one way")
    present.update({".".join(keys): str(value)})
