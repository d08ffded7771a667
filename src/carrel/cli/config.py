"""`carrel --generate-config`, `--show-config`, `--help` and `--help-all`."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from traitlets import HasTraits

from carrel.cli.exits import OK, Refused
from carrel.config.arguments import BadArguments, make_parser, parse_arguments
from carrel.config.chosen import default_value
from carrel.config.document import bases_of, default_of, generate_config, own_settings, section_of
from carrel.config.load import load, read_all
from carrel.config.plugins import wanted
from carrel.config.schema import BadConfig, Settings, printable, setting_fields, without_password
from carrel.config.sections import was_set
from carrel.config.showing import plain, show
from carrel.config.values import TYPE_WORDS

#: The classes that settings choose.
ClassesOf = Callable[[Settings], Sequence[type[HasTraits]]]

_SAMPLE = "jupyterhub_config.py"
_LONG = 2000
_HEAD = """\
usage: carrel [-f FILE] [options]        run the hub
       carrel demo [--port PORT]         a hub to try out, thrown away afterwards
       carrel check-config [FILE]        what a configuration does and what is wrong with it (--strict --json)
       carrel doctor sudo [USER]         what SudoSpawner needs and has not (--rule --policy --helper)
       carrel python [FILE | -c CODE]    Python in which `jupyterhub` is Carrel's
       carrel token [NAME]               print a new API token of a user
       carrel stop [--all]               stop the hub; --all: servers and data plane too
       carrel jupyterhub-command         have the command `jupyterhub` run Carrel
       carrel backup [FILE]              copy the database, while it is in use
       carrel rollback [FILE]            put such a copy back
       carrel upgrade-db                 upgrade the database without starting the hub
       carrel import-jupyterhub [URL]    take over a JupyterHub database
       carrel export-jupyterhub URL      write one that JupyterHub 6.1 starts on
       carrel --generate-config          write a sample jupyterhub_config.py (-f FILE, -y overwrites)
       carrel --show-config              print the settings as they come out (--show-config-json)
       carrel --version | --help | --help-all
"""

#: The name that JupyterHub's own command gives it; Carrel finds it in the working directory, too.
_SAMPLE = "jupyterhub_config.py"
_TAIL = """
Every setting is also an option: --JupyterHub.NAME=VALUE, --Spawner.NAME=VALUE, ...
Exit codes: 0 fine, 1 unexpected error, 2 usage, 3 bad configuration, 4 nothing to stop, 5 port in use,
6 database.
"""


def help_text() -> str:
    """Return the commands and options."""
    options = make_parser("carrel", ()).format_help().partition("options:")[2]
    return f"{_HEAD}\noptions:{options}{_TAIL}"


def help_all(argv: Sequence[str], classes_of: ClassesOf) -> int:
    """Print each setting of the hub and of the classes in use, with type, default and meaning."""
    arguments = parse_arguments(argv)
    try:
        settings, _ = read_all(replace(arguments, words=()), Path.cwd(), os.environ)
    except BadConfig as error:
        # Help is what somebody with a broken configuration wants.
        print(f"carrel: {error}", file=sys.stderr)
        settings = Settings()
    print(f"{help_text()}\nsettings:\n")
    for name, field in setting_fields().items():
        kind = TYPE_WORDS.get(str(field.type), "any value")
        default = show(name, default_of(field))
        print(_option(f"{section_of(name)}.{name}", kind, default, field.metadata["help"]))
    for cls in bases_of(classes_of(settings)):
        for name, trait in own_settings(cls):
            default = show(name, default_value(cls, name))
            print(_option(f"{cls.__name__}.{name}", wanted(trait), default, trait.help))
    return OK


def _option(name: str, kind: str, default: str, text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.strip())
    body = "\n".join(
        textwrap.fill(" ".join(each.split()), 96, initial_indent="    ", subsequent_indent="    ")
        for each in paragraphs
        if each.strip()
    )
    return f"--{name} ({kind}; default: {default})\n{body}\n"


def generate(argv: Sequence[str], classes_of: ClassesOf) -> int:
    """Write the sample configuration; raise Refused rather than overwrite a file without -y.

    It has a section for each class that the rest of the command line chooses.
    """
    arguments = parse_arguments(argv)
    if arguments.words:
        raise BadArguments(f"unexpected argument: {arguments.words[0]} (name the file with -f)")
    path = Path(arguments.config_file or _SAMPLE)
    overwrite = any(warning.setting == "--yes" for warning in arguments.warnings)
    settings, _ = read_all(arguments, Path.cwd(), os.environ, with_file=False)
    text = generate_config(classes_of(settings))
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(f"{path} exists: overwrite it with -y, or name another file with -f") from None
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
    print(f"Wrote {path}: each line shows a default; start the hub with `carrel -f {path}`.")
    return OK


def show_config(argv: Sequence[str], *, as_json: bool) -> int:
    """Print every setting of the hub, and what is set of classes, without secrets: as Python or as JSON."""
    loaded = load(argv, Path.cwd(), os.environ)
    settings = loaded.settings
    for warning in loaded.warnings:
        print(f"carrel: {warning}", file=sys.stderr)
    sections = {
        name: {key: value for key, value in values.items() if was_set(value)}
        for name, values in sorted(settings.plugins.items())
        if was_set(values)
    }
    if as_json:
        hub = {name: plain(name, getattr(settings, name)) for name in setting_fields()}
        hub["db_url"] = without_password(settings.db_url)
        shown = {
            name: {key: plain(key, raw) for key, raw in values.items()} for name, values in sections.items()
        }
        print(json.dumps({"JupyterHub": hub, **shown}, indent=1, sort_keys=True, ensure_ascii=False))
        return OK
    print(f"# {settings.config_file or 'no configuration file'}")
    for name, text in printable(settings).items():
        print(f"c.{section_of(name)}.{name} = {text}")
    for section, values in sections.items():
        for name, raw in values.items():
            print(f"c.{section}.{name} = {show(name, raw, _LONG)}")
    return OK
