"""What the hub knows by itself, and what is said when nothing is known."""

from __future__ import annotations

from carrel.domain.causes.rule import End, Stage
from carrel.domain.failures import Evidence
from tests.domain.failures.case import case, ended, late, raised, ran, refused, silent, step, trace

HINT = "Install it, or set c.Spawner.cmd."

CASES = (
    case(
        "hub restarted",
        "lost",
        "hub was restarted",
        "Start it again",
        Evidence(stage=Stage.START, end=End.LOST, log="Address already in use"),
    ),
    case(
        "ended while the hub was restarted",
        "lost",
        "ended before it answered, and the hub was restarted meanwhile: bye",
        "Start it again",
        ended("hi\nbye\n", 0, away="yes"),
        ended("hi\nbye\n", 0, Stage.START, away="yes"),
    ),
    case(
        "ended with a status while the hub was restarted",
        "exit",
        "ended with status 3 before it answered: bye",
        "Try again",
        ended("hi\nbye\n", 3, away="yes"),
    ),
    case(
        "pre_spawn_hook raises",
        "hook-error",
        "pre_spawn_hook did not let the server start: no course",
        "hub's log",
        step(Stage.HOOK, "pre_spawn_hook", "no course"),
        step(Stage.HOOK, "pre_spawn_hook", "no course\nsecond line", "TraitError"),
    ),
    case(
        "pre_spawn_start of the authenticator raises",
        "hook-error",
        "pre_spawn_start did not let the server start: PAM",
        "pre_spawn_start",
        step(Stage.HOOK, "pre_spawn_start", "PAM session refused", "PAMError"),
    ),
    case(
        "auth_state_hook raises",
        "auth-state",
        "log-in could not be handed to the server: 'access_token'",
        "Log out and in again",
        step(Stage.HOOK, "auth_state_hook", "'access_token'", "KeyError"),
    ),
    case(
        "hook hangs",
        "hook-timeout",
        "pre_spawn_hook did not finish within 60 seconds",
        "start_timeout",
        late(stage=Stage.HOOK, step="pre_spawn_hook"),
        late(stage=Stage.OPTIONS, step="pre_spawn_hook"),
    ),
    case(
        "deployer's own words",
        "refused",
        "Servers are closed on Sundays.",
        "administrator",
        step(Stage.HOOK, "pre_spawn_hook", "internal", told="Servers are closed on Sundays."),
        step(Stage.START, "start()", "internal", "SpawnException", told="Servers are closed on Sundays."),
    ),
    case(
        "options refused",
        "options-refused",
        "options could not be applied: mem must be under 8G",
        "Choose others",
        step(Stage.OPTIONS, "apply_user_options", "mem must be under 8G"),
    ),
    case(
        "cannot be stopped",
        "stop-error",
        "cannot be stopped: permission denied",
        "keeps trying",
        step(Stage.STOP, "stop()", "permission denied", "OSError"),
    ),
    case(
        "all starts of a kind fail",
        "circuit-open",
        "kind (DockerSpawner: big) fail to start one after the other, the last with cause image-missing.",
        "possible in 42 seconds",
        refused("circuit", 42, kind="DockerSpawner: big", last="image-missing"),
    ),
    case(
        "too many starts", "too-many-starting", "are starting now", "in 45 seconds", refused("starting", 45)
    ),
    case("too many servers", "too-many-active", "as may be", "few minutes", refused("active", 120)),
    case(
        "its turn does not come",
        "no-turn",
        "its turn within 300 seconds",
        "later",
        late(stage=Stage.WAITING, limit=300),
    ),
    case(
        "more devices than there are",
        "no-such-device",
        "2 of the 1 there are of gpu",
        "c.Carrel.device_pools",
        Evidence(
            stage=Stage.WAITING,
            end=End.REFUSED,
            facts={"refusal": "devices", "reason": "2 of the 1 there are of gpu"},
        ),
    ),
    case(
        "its turn does not come in the queue of the back end",
        "queue-timeout",
        "in the queue for 3600 seconds",
        "c.Spawner.queue_timeout",
        Evidence(stage=Stage.START, end=End.LATE, limit=3600, facts={"queued": "yes"}),
    ),
    case(
        "stops answering",
        "silent",
        "not answered for 30 seconds",
        "Start it again",
        Evidence(stage=Stage.RUNNING, end=End.SILENT, limit=30),
    ),
    case(
        "driver cancels itself",
        "cancelled",
        "broken off",
        "Start it again",
        raised("", "CancelledError"),
        raised("The call cancelled itself", "CancelledItself"),
    ),
    case(
        "setting of a wrong type",
        "bad-setting",
        "The 'start_timeout' trait",
        "configuration",
        raised(
            "The 'start_timeout' trait of a KubeSpawner instance expected an int, not the str 'soon'.",
            "TraitError",
        ),
    ),
    case(
        "start() returns nothing",
        "no-port",
        "did not say where it listens",
        "(ip, port)",
        raised("MySpawner.start() did not say on which port the server listens", "ValueError"),
    ),
    case(
        "start() returns nonsense",
        "no-address",
        "did not say where the server listens: MySpawner.start() returned",
        "(ip, port)",
        raised("MySpawner.start() returned 42, not (ip, port) or a URL", "ValueError"),
        raised("MySpawner.start() returned ('h', 0), which is no address and port", "ValueError"),
        raised("MySpawner.start() returned 'h:80', which is no http:// or https:// URL", "ValueError"),
    ),
    case(
        "start() raises",
        "start-error",
        "could not be started: no room",
        "Try again",
        raised("no room\nTraceback…"),
        raised("no room", hint="Try again after six."),
    ),
    case(
        "start() raises without a word",
        "start-error",
        "started: ValueError",
        "Try again",
        raised("", "ValueError"),
    ),
    case("start() hangs", "timeout", "did not start within 60 seconds", "start_timeout", late()),
    case(
        "deadline passed",
        "timeout",
        "did not start in time",
        "Try again",
        late(limit=None),
        late(stage=Stage.READY, limit=None),
    ),
    case(
        "no route",
        "no-route",
        "could not set its route",
        "proxy runs",
        raised("the proxy answered 500", "ProxyError"),
        raised("no answer from http://127.0.0.1:8001 (connection refused)", "Unreachable"),
    ),
    case("does not answer", "no-answer", "did not answer at http://127.0.0.1:8888", "http_timeout", silent()),
    case(
        "ends before it answers",
        "exit",
        "ended with status 3 before it answered: bye",
        "Try again",
        ended("hi\nbye\n", 3),
    ),
    case("ends later", "exit", "ended with status 3: bye", "Try again", ran("hi\nbye\n", 3)),
    case("ends with nothing to say", "exit", "exit status is 0 or not known", "Start it again", ran("", 0)),
    case(
        "shut down from its own menu",
        "shut-down",
        "shut down from within",
        "when you need it",
        ran(
            "[I 12:00 ServerApp] Shutting down on /api/shutdown request.\n[I 12:00 ServerApp] Shutting"
            " down 3 extensions",
            0,
        ),
    ),
    case(
        "culls itself",
        "idle",
        "nothing was done in it",
        "when you need it",
        ran("[I 12:00:00 ServerApp] No kernels for 3605 seconds; shutting down.", 0),
        ran("[I ServerApp] No kernels or terminals for 3605 seconds; shutting down.", 0),
    ),
    case(
        "wrong base_url",
        "wrong-base-url",
        "answers at / and not below /user/ada/",
        "JUPYTERHUB_SERVICE_PREFIX",
        silent(elsewhere="/"),
        silent("jupyterhub version 6.1.1 != jupyterhub-singleuser version 4.0.2.", elsewhere="/"),
    ),
    case(
        "another program on the port",
        "port-taken",
        "Another program (nginx, process 77) listens on port 8888",
        "another port",
        silent(other="nginx, process 77"),
    ),
    case(
        "versions apart",
        "version-skew",
        "the hub has 6.1.1, the server 3.1.0",
        "same major version",
        ended(
            "jupyterhub version 6.1.1 != jupyterhub-singleuser version 3.1.0. This could cause failure to"
            " authenticate"
            " and result in redirect loops!\n" + trace("KeyError: 'scopes'")
        ),
    ),
    case(
        "versions of Carrel apart",
        "version-skew",
        "the hub has 6.1.1, the server 5.0.0",
        "carrel-client",
        silent(
            "The hub at http://h/hub/api speaks version 6.1.1, this server 5.0.0; what one of them lacks"
            " will not work"
        ),
    ),
    case(
        "command not found by the driver",
        "command-missing",
        "The command ",
        "c.Spawner.cmd",
        raised(
            "The command jupyterhub-singleuser was not found on the PATH /usr/bin.", "StartError", hint=HINT
        ),
        raised("The command /opt/x does not exist or is not executable.", "StartError", hint=HINT),
    ),
    case(
        "no account",
        "no-account",
        "account",
        "create_system_users",
        raised("There is no account called ada.", "StartError", hint="Set create_system_users."),
        raised("'getpwnam(): name not found: 'ada''", "KeyError"),
        raised("user ada does not exist", "RuntimeError"),
    ),
    case(
        "hub not root",
        "not-root",
        "",
        "root",
        raised(
            "The hub is not root, so it cannot start a server for ada.", "StartError", hint="Run it as root."
        ),
        raised("Exception occurred in preexec_fn.", "SubprocessError"),
        raised("[Errno 1] setuid failed: Operation not permitted", "OSError"),
    ),
    case(
        "no command",
        "no-command",
        "no command to start",
        "c.Spawner.cmd",
        raised("There is no command to start.", "StartError", hint="Set c.Spawner.cmd."),
    ),
    case(
        "home cannot be made",
        "directory-not-made",
        "/srv/ada cannot be made",
        "make the directory",
        raised("The directory /srv/ada cannot be made: Permission denied.", "StartError"),
    ),
    case(
        "sudo refuses",
        "sudo-refused",
        "sudo did not let",
        "NOPASSWD",
        raised("sudo: a password is required"),
        ended("Sorry, user hub is not allowed to execute '/opt/mediator' as ada on host."),
        ended("sudo: a terminal is required to read the password; either use the -S option"),
    ),
    case(
        "repository with wrong requirements",
        "repository",
        "requirements.txt line 3: no such package tinypk.",
        "Correct requirements.txt",
        ended(
            "[repository 55%] Building the environment of requirements.txt\n"
            "  Using Python 3.11.7 environment at: /home/ada/.cache/carrel/environments/55cd\n"
            "  error: No solution found when resolving dependencies\n"
            "  cause: Because tinypk was not found in the package registry and you require tinypk, we can\n"
            "[repository failed] requirements.txt line 3: no such package tinypk.\n"
            "[repository hint] Correct requirements.txt in the repository, or ask its author to."
        ),
    ),
    case(
        "repository that is not there",
        "repository",
        "There is no repository at https://github.com/x/y.",
        "author of the repository",
        ended(
            "  remote: Repository not found.\n  fatal: repository 'https://github.com/x/y/' not found\n"
            "[repository failed] There is no repository at https://github.com/x/y."
        ),
    ),
    case(
        "nothing there that gets repositories ready",
        "repository-program-missing",
        "gets repositories ready is not installed",
        "carrel-client[repositories]",
        ended("/usr/bin/python3: No module named carrel_client.repository"),
        ended("/bin/sh: 1: exec: carrel-repository: not found", 127),
    ),
    case(
        "an image without what gets repositories ready",
        "repository-program-missing",
        "The image has no program that gets repositories ready.",
        "pip install 'carrel-client[repositories]'",
        ended("[FATAL tini (7)] exec carrel-repository failed: No such file or directory", 127),
        raised(
            "failed to create task for container: OCI runtime create failed: unable to start container"
            ' process: exec: "carrel-repository": executable file not found in $PATH: unknown',
            "EngineError",
        ),
        raised("crun: executable file `carrel-repository` not found in $PATH: No such file", "EngineError"),
    ),
)
