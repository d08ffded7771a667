"""`carrel --generate-config`, `--show-config`, `--help` and `--help-all`."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from traitlets import HasTraits

from carrel.cli.exits import OK, Refused
from carrel.config.arguments import BadArguments, make_parser, parse_arguments
from carrel.config.document import default_of, generate_config
from carrel.config.files import DEFAULT_FILES
from carrel.config.load import load
from carrel.config.schema import printable, setting_fields

_HEAD = """\
usage: carrel [-f FILE] [options]        run the hub
       carrel demo [--port PORT]         a hub to try out, thrown away afterwards
       carrel token [NAME]               print a new API token of a user
       carrel stop [--all]               stop the hub; --all: servers and data plane too
       carrel backup [FILE]              copy the database, while it is in use
       carrel rollback [FILE]            put such a copy back
       carrel upgrade-db                 upgrade the database without starting the hub
       carrel import-jupyterhub [URL]    take over a JupyterHub database
       carrel export-jupyterhub URL      write one that JupyterHub 6.1 starts on
       carrel --generate-config          write a sample jupyterhub_config.py (-f FILE, -y overwrites)
       carrel --show-config              print the settings as they come out
       carrel --version | --help | --help-all
"""

_TAIL = """
Every setting is also an option: --JupyterHub.NAME=VALUE, --Spawner.NAME=VALUE, ...
Exit codes: 0 fine, 1 unexpected error, 2 usage, 3 bad configuration, 4 nothing to stop, 5 port in use,
6 database.
"""


def help_text(*, everything: bool) -> str:
    """Return the help; with `everything`, each setting's default and meaning too."""
    options = make_parser("carrel", ()).format_help().partition("options:")[2]
    text = f"{_HEAD}\noptions:{options}{_TAIL}"
    if not everything:
        return text
    entries = []
    for name, field in setting_fields().items():
        body = textwrap.indent(textwrap.fill(field.metadata["help"], 90), "    ")
        entries.append(f"--JupyterHub.{name} (default: {default_of(field)!r})\n{body}\n")
    return f"{text}\nsettings:\n\n" + "\n".join(entries)


def generate(argv: Sequence[str]) -> int:
    """Write the sample configuration; raise Refused rather than overwrite a file without -y."""
    arguments = parse_arguments(argv)
    if arguments.words:
        raise BadArguments(f"unexpected argument: {arguments.words[0]} (name the file with -f)")
    path = Path(arguments.config_file or DEFAULT_FILES[0])
    overwrite = any(warning.setting == "--yes" for warning in arguments.warnings)
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(generate_config(_plugin_classes()))
    except FileExistsError:
        raise Refused(f"{path} exists: overwrite it with -y, or name another file with -f") from None
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
    print(f"Wrote {path}: each line shows a default; start the hub with `carrel -f {path}`.")
    return OK


def show(argv: Sequence[str]) -> int:
    """Print every setting, and which names the sections of classes set; no secret is shown."""
    loaded = load(argv, Path.cwd(), os.environ)
    print(f"# {loaded.settings.config_file or 'no configuration file'}")
    for name, text in printable(loaded.settings).items():
        print(f"c.JupyterHub.{name} = {text}")
    for section, values in sorted(loaded.settings.plugins.items()):
        print(f"# c.{section} sets {', '.join(sorted(values))}")
    for warning in loaded.warnings:
        print(f"carrel: {warning}", file=sys.stderr)
    return OK


def _plugin_classes() -> list[type[HasTraits]]:
    from carrel.authenticators.base import Authenticator
    from carrel.proxy.base import Proxy
    from carrel.spawners.base import Spawner

    return [Authenticator, Spawner, Proxy]
