"""The command that is started: whether it is there, can run, and takes its configuration."""

from __future__ import annotations

from carrel.domain.causes.rule import BEFORE_ANSWER, BY_SERVER, End, Rule, Stage

_ENDED = frozenset({End.ENDED})
#: Up to so many lines may follow an exception's last line at the end of a log.
_AT_END = r"(?:\n.*){0,3}\Z"
_MOVED = "Install its package anew: its environment was moved, or made on another machine."
_INSTALL = "Install it where the server runs, or set c.Spawner.cmd to the full path of what starts a server."

COMMANDS = (
    Rule(
        "no-command",
        "{text}",
        "{driver_hint}",
        error="StartError",
        says=r"There is no command to start",
    ),
    Rule(
        "interpreter-missing",
        "{text}",
        "{driver_hint}",
        error="StartError",
        says=r"names a program that is not there",
    ),
    Rule(
        "command-missing",
        "{text}",
        "{driver_hint}",
        error="StartError",
        says=r"was not found on the PATH|does not exist or is not executable"
        r"|could not be started: No such file",
    ),
    Rule(
        "singleuser-missing",
        "The program that serves notebooks is not installed where the server runs: {command}",
        "Install it there: pip install carrel-client jupyterlab (or jupyterhub jupyterlab).",
        says=r"(?P<command>(?:jupyterhub|carrel)-singleuser|jupyter-lab(?:hub)?): (?:command )?not found"
        r"|exec: (?P<command2>(?:jupyterhub|carrel)-singleuser|jupyter-lab(?:hub)?): not found"
        r"|No module named '?(?P<command3>jupyterhub|carrel_client|jupyter_server|jupyterlab"
        r"|notebook)(?:\.singleuser)?'?"
        r"(?:\n.*){0,3}\Z",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "interpreter-missing",
        "The first line of {script} names a program that is not there: {interpreter}",
        _MOVED,
        says=r"(?P<script>\S+): (?P<interpreter>/\S+): bad interpreter",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "interpreter-missing",
        "The first line of {script} names a program that is not there.",
        _MOVED,
        says=r"(?P<script>\S+): cannot execute: required file not found",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "not-executable",
        "The command cannot be run: {command} is not executable.",
        "The administrator has to make it so: chmod a+rx, also of the directories above it.",
        says=r"(?P<command>/[^\s:]+): (?:cannot execute: )?Permission denied",
        status={126},
    ),
    Rule(
        "wrong-format",
        "The command cannot be run: it is no program for this machine.",
        "It is made for another kind of processor, or a script without a first line #!…: install it anew"
        " here.",
        says=r"Exec format error|cannot execute binary file|\[Errno 8\]",
    ),
    Rule(
        "library-missing",
        "The command lacks a shared library: {library}",
        "The administrator has to install it, or set LD_LIBRARY_PATH for servers.",
        says=r"error while loading shared libraries: (?P<library>[^\s:]+)"
        r"|version [`'](?P<library2>GLIBC\w*_[\w.]+)'",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "command-missing",
        "The command was not found where the server runs: {command}",
        _INSTALL,
        says=r"(?:exec: )?(?:line )?(?:\d+: )?(?P<command>[\w./+-]+): (?:command )?not found"
        r"|(?P<command2>[\w./+-]+): No such file or directory|can't open file '(?P<command3>[^']+)'",
        status={127, 2},
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
)

CONFIGURATION = (
    Rule(
        "argument",
        "The server does not know an option of its command line: {option}",
        "The administrator has to correct c.Spawner.args; options differ from version to version.",
        says=r"unrecognized arguments?: (?P<option>.{1,120})|Unrecognized (?:flag"
        r"|alias):? '?(?P<option2>[^'\n]{1,80})"
        r"|no such option:? (?P<option3>\S+)|(?:invalid|illegal|unrecognized) option:? (?P<option4>.{1,60})"
        r"|error: (?:argument )?(?P<option5>\S+): expected (?:one|at least one) argument",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "config-value",
        "A setting of the server has a value that it does not take: {reason}",
        "Correct it in the Jupyter configuration file or on the command line that sets it.",
        says=r"Bad config encountered during initialization: (?P<reason>.+)"
        r"|^traitlets\.traitlets\.TraitError: (?P<reason2>.+)",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "config-missing",
        "A file that the server's command line names is not there: {file}",
        "The administrator has to correct c.Spawner.args.",
        says=r"No such file or directory: (?P<file>/?\S+)" + _AT_END,
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "root-refused",
        "The server refuses to run as root.",
        "The administrator has to use a spawner that starts servers with users' own rights, or add"
        " --allow-root to"
        " c.Spawner.args.",
        says=r"Running as root is not recommended",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "locale",
        "The server's language setting (locale) is not installed.",
        "The administrator has to install it, or give servers LANG=C.UTF-8 in c.Spawner.environment.",
        says=r"locale\.Error: unsupported locale|setlocale: LC_\w+: cannot change locale"
        r"|Python 3 was configured to use"
        r" ASCII|UnicodeEncodeError: 'ascii'",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "packages-mismatch",
        "Two packages of the server do not fit together: {reason}",
        "Upgrade both, or go back to the versions that worked: pip install --upgrade jupyter_server"
        " jupyterlab tornado"
        " pyzmq traitlets.",
        says=r"^(?:ImportError|AttributeError): (?P<reason>(?:cannot import name|module '|type object '"
        r"|partially"
        r" initialized).{1,150})" + _AT_END,
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "module-missing",
        "A Python package that the server needs is not installed: {module}",
        "Install it where the server runs: pip install {module}.",
        says=r"^(?:ModuleNotFoundError|ImportError): No module named '?(?P<module>[\w.]+)'?" + _AT_END,
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "module-missing",
        "A Python package that the server needs is not installed: {module}",
        "Install it where the server runs: pip install {module}.",
        says=r"^\S*python[\d.]*: No module named '?(?P<module>[\w.]+)'?",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "module-missing",
        "A Python package of the server cannot be loaded: {module}",
        "Reinstall the package that it belongs to where the server runs (pip install --force-reinstall).",
        says=r"^ImportError: (?P<module>[^\n]{1,150})" + _AT_END,
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "config-syntax",
        "A configuration file of the server is no proper Python: {file}",
        "Correct the line that the log below shows, or rename the file and start the server again.",
        says=(
            r"config",
            r"(?:^|: )(?:SyntaxError|IndentationError|TabError):",
            r"File ['\"](?P<file>[^'\"]*config[^'\"]*\.py)",
        ),
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "config-json",
        "A configuration file of the server is no proper JSON: {file}",
        "Correct it or delete it, and start the server again.",
        says=(
            r"JSONDecodeError|json",
            r"(?P<file>/[^\s'\"]*\.json)\b",
            r"Expecting|Extra data|JSONDecodeError|Invalid JSON",
        ),
        stages=BEFORE_ANSWER,
        ends=_ENDED,
    ),
    Rule(
        "extension",
        "An extension of the server could not be loaded: {extension}",
        "Reinstall or disable it: jupyter server extension disable {extension}.",
        says=r"(?P<extension>[\w.-]+) \| (?:error adding extension|error linking extension"
        r"|extension failed (?:loading|starting))"
        r"|Failed to load (?P<extension2>\w+) server extension"
        r"|[Ee]rror loading server extension (?P<extension3>[\w.]+)",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
    Rule(
        "source-syntax",
        "A Python file of the server's has an error in it: {file}",
        "Correct or remove it; if it belongs to a package, the package is for another version of Python.",
        says=(r"^(?:SyntaxError|IndentationError|TabError):", r"File \"(?P<file>[^\"]+)\", line \d+$"),
        stages=BEFORE_ANSWER,
        ends=_ENDED,
    ),
    Rule(
        "idle",
        "The server ended itself because nothing was done in it.",
        "Start it again when you need it.",
        says=r"No (?:kernels|activity)\b.{0,60}seconds.{0,10}shutting down|shutdown_no_activity_timeout",
        stages={Stage.RUNNING},
        ends=_ENDED,
    ),
)

STATUS = (
    Rule(
        "command-missing",
        "The command was not found where the server runs (status 127).",
        _INSTALL,
        ends=_ENDED,
        stages=BEFORE_ANSWER,
        status={127},
    ),
    Rule(
        "not-executable",
        "The command cannot be run (status 126).",
        "The administrator has to make it executable for everybody: chmod a+rx.",
        ends=_ENDED,
        stages=BEFORE_ANSWER,
        status={126},
    ),
    Rule(
        "lost",
        "The server ended before it answered, and the hub was restarted meanwhile{said}.",
        # A process of an earlier hub's: only its parent would know whether it ended without an error.
        "Start it again.",
        ends=_ENDED,
        stages=BEFORE_ANSWER,
        status={0},
        facts={"away": "yes"},
    ),
    Rule(
        "ended-early",
        "The command ended without an error before it answered: it is not one that serves notebooks, or it"
        " went to the"
        " background.",
        "c.Spawner.cmd has to stay in the foreground: end a wrapper script with exec.",
        ends=_ENDED,
        stages=BEFORE_ANSWER,
        status={0},
    ),
)
