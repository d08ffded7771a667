"""What the hub itself knows to be the cause, and what is said when nothing is known."""

from __future__ import annotations

from carrel.domain.causes.rule import BEFORE_ANSWER, End, Rule, Stage

_ADMIN = "Show this page to the administrator."
_AGAIN = "Try again; if it fails again, show this page to the administrator."
_RAISED = frozenset({End.RAISED})
_ENDED = frozenset({End.ENDED})

REFUSALS = (
    Rule(
        "stop-error",
        "The server cannot be stopped: {text}",
        "The hub keeps trying. If this stays, show this page to the administrator.",
        stages={Stage.STOP},
    ),
    Rule(
        "circuit-open",
        "Servers of this kind ({kind}) fail to start one after the other, the last with cause {last}.",
        "The next try is possible in {limit} seconds. An administrator can try at any time.",
        ends={End.REFUSED},
        facts={"refusal": "circuit"},
    ),
    Rule(
        "too-many-starting",
        "Too many servers are starting now.",
        "Try again in {limit} seconds.",
        ends={End.REFUSED},
        facts={"refusal": "starting"},
    ),
    Rule(
        "too-many-active",
        "As many servers are active as may be.",
        "Try again in a few minutes.",
        ends={End.REFUSED},
        facts={"refusal": "active"},
    ),
    Rule(
        "no-such-device",
        "The server cannot have the devices that it asks for: {reason}.",
        "Choose another; the administrator can change c.Carrel.device_pools or c.Spawner.devices.",
        ends={End.REFUSED},
        facts={"refusal": "devices"},
    ),
    Rule(
        "no-turn",
        "So many servers are starting that this one did not get its turn within {limit} seconds.",
        "Try again later.",
        stages={Stage.WAITING},
        ends={End.LATE},
    ),
)

CERTAIN = (
    Rule("lost", "The hub was restarted while the server started.", "Start it again.", ends={End.LOST}),
    Rule("refused", "{told}", "Ask the administrator what this means.", ends=_RAISED, facts={"told": ".+"}),
    Rule(
        "cancelled",
        "The start was broken off before the server answered.",
        "Start it again.",
        ends=_RAISED,
        error="CancelledError|CancelledItself",
    ),
    Rule(
        "auth-state",
        "What the hub knows of your log-in could not be handed to the server: {text}",
        "Log out and in again; if it fails again, the administrator has to look at"
        " c.Spawner.auth_state_hook.",
        stages={Stage.HOOK},
        ends=_RAISED,
        facts={"step": "auth_state_hook"},
    ),
    Rule(
        "hook-error",
        "This hub's {step} did not let the server start: {text}",
        "The administrator has to look at what {step} does; its traceback is in the hub's log.",
        stages={Stage.HOOK},
        ends=_RAISED,
    ),
    Rule(
        "hook-timeout",
        "This hub's {step} did not finish within {limit} seconds.",
        "Try again; the administrator may have to look at what {step} waits for, or raise"
        " c.Spawner.start_timeout.",
        stages={Stage.HOOK, Stage.OPTIONS},
        ends={End.LATE},
    ),
    Rule(
        "options-refused",
        "The chosen options could not be applied: {text}",
        "Choose others, or leave them out.",
        stages={Stage.OPTIONS},
        ends=_RAISED,
    ),
    Rule(
        "bad-setting",
        "A setting of the spawner has a value that it does not take: {text}",
        "The administrator has to correct it in the hub's configuration and restart the hub.",
        stages={Stage.START},
        ends=_RAISED,
        error="TraitError",
    ),
    Rule(
        "no-port",
        "The spawner started something and did not say where it listens.",
        "The administrator has to let start() of the spawner return (ip, port) or a URL.",
        says=r"did not say on which port",
        stages={Stage.START},
        ends=_RAISED,
    ),
    Rule(
        "no-address",
        "The spawner did not say where the server listens: {text}",
        "The administrator has to let start() of the spawner return (ip, port) or a URL.",
        says=r"\.start\(\) returned .{0,80}, (?:not \(ip, port\)|which is no )",
        stages={Stage.START},
        ends=_RAISED,
        error="ValueError",
    ),
    Rule(
        "no-route",
        "The server runs, but the hub could not set its route in the proxy: {text}",
        "Try again; the administrator has to see whether the proxy runs.",
        error="ProxyError|Unreachable|TokenRefused|BadTarget",
        ends=_RAISED,
    ),
    Rule(
        "wrong-base-url",
        "The server answers at {elsewhere} and not below {prefix}, where the hub expects it.",
        "Its base URL has to be JUPYTERHUB_SERVICE_PREFIX: remove base_url from its configuration and its"
        " command line, or start it by jupyterhub-singleuser or carrel-singleuser.",
        facts={"elsewhere": ".+"},
    ),
    Rule(
        "port-taken",
        "Another program ({other}) listens on port {port}, where the server should.",
        "Try again: it gets another port, unless c.Spawner.port fixes one.",
        stages={Stage.READY},
        facts={"other": ".+"},
    ),
)

GENERAL = (
    Rule(
        "shut-down",
        "The server was shut down from within, or by itself.",
        "Start it again when you need it.",
        says=r"Shutting down on /api/shutdown request|Shutdown confirmed",
        stages={Stage.RUNNING},
        ends=_ENDED,
    ),
    Rule(
        "version-skew",
        "The server and the hub are of versions that do not work together: the hub has {hub}, the server"
        " {own}.",
        "Install the same major version of jupyterhub beside the server as the hub speaks, or carrel-client.",
        says=r"jupyterhub version (?P<hub>\S+) != jupyterhub-singleuser version (?P<own>[\w.+-]*\w)",
        stages={Stage.READY},
    ),
    Rule(
        "version-skew",
        "The server and the hub are of versions that do not work together: the hub has {hub}, the server"
        " {own}.",
        "Install the version of carrel-client beside the server that belongs to the hub.",
        says=r"hub at \S+ speaks version (?P<hub>\S+), this server (?P<own>[^\s;]+);",
        stages={Stage.READY},
    ),
    Rule(
        "queue-timeout",
        "The server waited in the queue for {limit} seconds, and its turn did not come.",
        "Ask for less, or choose another queue; the administrator can raise c.Spawner.queue_timeout.",
        ends={End.LATE},
        facts={"queued": "yes", "limit": ".+"},
    ),
    Rule(
        "timeout",
        "The server did not start within {limit} seconds.",
        "Try again; if the machine is only slow, the administrator can raise c.Spawner.start_timeout.",
        ends={End.LATE},
        facts={"limit": ".+"},
    ),
    Rule("timeout", "The server did not start in time.", _AGAIN, ends={End.LATE}),
    Rule(
        "silent",
        "The server has not answered for {limit} seconds.",
        "Start it again; if it was busy for so long, the administrator has to look at its machine.",
        stages={Stage.RUNNING},
        ends={End.SILENT},
    ),
    Rule(
        "no-answer",
        "The server did not answer at {url} within {limit} seconds.",
        "Try again; if it only needs longer, the administrator can raise c.Spawner.http_timeout.",
        ends={End.SILENT},
    ),
    Rule("start-error", "The server could not be started: {text}", "{driver_hint}", ends=_RAISED),
    Rule(
        "exit",
        "The server ended with status {status} before it answered{said}.",
        _AGAIN,
        ends=_ENDED,
        stages=BEFORE_ANSWER,
    ),
    Rule(
        "exit",
        "The server ended by itself; its exit status is 0 or not known{said}.",
        "Start it again; if it was not you who ended it, show this page to the administrator.",
        ends=_ENDED,
        status={0},
    ),
    Rule("exit", "The server ended with status {status}{said}.", _AGAIN, ends=_ENDED),
    Rule("unknown", "The server failed, and nothing says why.", _ADMIN),
)
