"""The command, its packages, its configuration."""

from __future__ import annotations

from tests.domain.failures.case import case, ended, raised, silent, trace

CONFIG = "/home/ada/.jupyter/jupyter_server_config.py"

CASES = (
    case(
        "command not found",
        "command-missing",
        "my-notebook",
        "c.Spawner.cmd",
        ended("sh: 1: my-notebook: not found", 127),
        ended("bash: line 1: exec: my-notebook: not found", 127),
        ended("/usr/bin/env: 'x': my-notebook: No such file or directory", 127),
    ),
    case("status 127", "command-missing", "status 127", "c.Spawner.cmd", ended("", 127)),
    case("status 126", "not-executable", "status 126", "chmod", ended("", 126)),
    case(
        "not executable",
        "not-executable",
        "/opt/start.sh is not executable",
        "chmod a+rx",
        ended("sh: 1: exec: /opt/start.sh: Permission denied", 126),
        ended("bash: line 1: /opt/start.sh: Permission denied", 126),
    ),
    case(
        "interpreter missing",
        "interpreter-missing",
        "/opt/start",
        "moved",
        ended("bash: line 1: /opt/start: /old/bin/python: bad interpreter: No such file or directory", 126),
        ended("bash: line 1: /opt/start: cannot execute: required file not found", 127),
        raised(
            "The first line of /opt/start names a program that is not there: /old/python.",
            "StartError",
            hint="moved",
        ),
    ),
    case(
        "not a program",
        "wrong-format",
        "no program for this machine",
        "processor",
        ended("sh: 1: exec: /opt/start: Exec format error", 126),
        ended("bash: /opt/start: cannot execute binary file: Exec format error", 126),
        raised("[Errno 8] Exec format error: '/opt/start'", "OSError"),
    ),
    case(
        "shared library missing",
        "library-missing",
        "libssl.so.1.1",
        "LD_LIBRARY_PATH",
        ended(
            "python3: error while loading shared libraries: libssl.so.1.1: cannot open shared object file",
            127,
        ),
    ),
    case(
        "libc too old",
        "library-missing",
        "GLIBC_2.34",
        "install",
        ended("python3: /lib/libc.so.6: version `GLIBC_2.34' not found (required by python3)"),
    ),
    case(
        "single-user program missing",
        "singleuser-missing",
        "singleuser",
        "pip install carrel-client",
        ended("sh: 1: jupyterhub-singleuser: not found", 127),
        ended("bash: line 1: exec: carrel-singleuser: not found", 127),
    ),
    case(
        "package of the server missing",
        "singleuser-missing",
        "jupyterhub",
        "pip install",
        ended(trace("ModuleNotFoundError: No module named 'jupyterhub'")),
        ended("/usr/bin/python3: No module named jupyterhub.singleuser"),
    ),
    case(
        "package missing",
        "module-missing",
        "not installed: nbgitpuller",
        "pip install nbgitpuller",
        ended(trace("ModuleNotFoundError: No module named 'nbgitpuller'")),
        ended(trace("ImportError: No module named nbgitpuller")),
        ended("/usr/bin/python3: No module named nbgitpuller"),
    ),
    case(
        "package broken",
        "module-missing",
        "libzmq.so.5",
        "force-reinstall",
        ended(trace("ImportError: libzmq.so.5: cannot open shared object file: No such file or directory")),
    ),
    case(
        "packages do not fit together",
        "packages-mismatch",
        "cannot import name",
        "--upgrade",
        ended(trace("ImportError: cannot import name 'soft_unicode' from 'markupsafe'")),
        ended(trace("AttributeError: module 'zmq' has no attribute 'X' (cannot import name)")),
    ),
    case(
        "extension fails",
        "extension",
        "nbgitpuller",
        "disable nbgitpuller",
        ended(
            "[W ServerApp] nbgitpuller | error adding extension (enabled: True): The module 'nbgitpuller'"
            " could not be found\n"
            "[I ServerApp] more\n[I ServerApp] more\n[I ServerApp] more\n[I ServerApp] bye"
        ),
        silent(
            '[W ServerApp] nbgitpuller | extension failed loading with message: ModuleNotFoundError("No'
            ' module")'
        ),
        ended("[W NotebookApp] Error loading server extension nbgitpuller\nbye"),
    ),
    case(
        "the hub's extension fails",
        "extension",
        "JupyterHubSingleUser",
        "Reinstall",
        ended(
            "[E JupyterHubSingleUser] Failed to load JupyterHubSingleUser server"
            " extension\nsome\nother\nlast\nwords"
        ),
    ),
    case(
        "syntax error in the configuration",
        "config-syntax",
        CONFIG,
        "rename the file",
        ended(trace(f'  File "{CONFIG}", line 3', "    c.ServerApp.x = = 3", "SyntaxError: invalid syntax")),
        ended(
            f"Exception while loading config file {CONFIG}\n"
            + trace(f'  File "{CONFIG}", line 3', "IndentationError: unexpected indent")
        ),
    ),
    case(
        "syntax error elsewhere",
        "source-syntax",
        "/opt/ext/handlers.py",
        "another version of Python",
        ended(trace('  File "/opt/ext/handlers.py", line 7', "    match x:", "SyntaxError: invalid syntax")),
    ),
    case(
        "broken JSON",
        "config-json",
        "/home/ada/.jupyter/jupyter_server_config.json",
        "delete it",
        ended(
            "ValueError: Error reading /home/ada/.jupyter/jupyter_server_config.json\n"
            "json.decoder.JSONDecodeError: Expecting ',' delimiter: line 3 column 5 (char 30)"
        ),
    ),
    case(
        "value of a wrong type",
        "config-value",
        "'port' trait",
        "Jupyter configuration file",
        ended(
            "[C ServerApp] Bad config encountered during initialization: The 'port' trait of a ServerApp"
            " instance expected an int"
        ),
        ended(
            trace("traitlets.traitlets.TraitError: The 'port' trait of a ServerApp instance expected an int")
        ),
    ),
    case(
        "unknown option",
        "argument",
        "--no-browsr",
        "c.Spawner.args",
        ended("jupyter-server: error: unrecognized arguments: --no-browsr", 2),
        ended("[C ServerApp] Bad config encountered during initialization: Unrecognized flag: '--no-browsr'"),
        ended("Error: No such option: --no-browsr", 2),
        ended("my-server: unrecognized option '--no-browsr'", 2),
    ),
    case(
        "file of the command line missing",
        "config-missing",
        "/srv/start.ipynb",
        "c.Spawner.args",
        ended("[C ServerApp] No such file or directory: /srv/start.ipynb"),
    ),
    case(
        "root",
        "root-refused",
        "refuses to run as root",
        "--allow-root",
        ended("Running as root is not recommended. Use --allow-root to bypass."),
    ),
    case(
        "locale",
        "locale",
        "locale",
        "LANG=C.UTF-8",
        ended(trace("locale.Error: unsupported locale setting")),
        ended(
            "RuntimeError: Click will abort further execution because Python 3 was configured to use ASCII"
            " as encoding"
        ),
        ended("bash: warning: setlocale: LC_ALL: cannot change locale (xx_XX.UTF-8)"),
    ),
    case("goes to the background", "ended-early", "went to the background", "exec", ended("", 0)),
)
