#!/usr/bin/python3 -I
"""carrel-sudo-helper: what a hub that is not root may do as the people whose notebook servers it runs.

    sudo -n -u USER /usr/local/libexec/carrel-sudo-helper /etc/carrel/sudo.json

Reads one JSON object from standard input, does one thing with the rights of USER, and writes one JSON object.
It never runs as root, and it trusts its caller with nothing but the following:

    start    runs a command that the policy file allows, in a session of its own, in USER's home
    signal   sends INT or TERM to a server that `start` has started, or KILL to it and its process group
    poll     tells whether such a server lives
    find     lists such servers
    usage    tells how much memory and processor time one uses
    logs     returns the end of what one has written
    forget   removes what one has written
    check    does nothing and says so

A server is known by three labels in its environment, which only its owner and root can read. A request that
is not exactly right is refused, and nothing is done. This file needs Python 3.9 and imports nothing of
Carrel's: it is read, and installed, alone.
"""

from __future__ import annotations

import fnmatch
import grp
import json
import os
import pwd
import re
import signal
import stat
import sys
import time
from collections.abc import Callable
from typing import Any

VERSION = 1
LARGEST_REQUEST = 256 * 1024
LARGEST_LOG = 256 * 1024
LONGEST_RUN = 15
LABELS = {"hub": "CARREL_HUB_ID", "server": "CARREL_SERVER_ID", "generation": "CARREL_GENERATION"}
PID_LABEL = "CARREL_PID"
#: What a hub may say to a server. None of these makes a program load code; a policy may add to them.
ENVIRONMENT = frozenset(
    """
    JPY_API_TOKEN JUPYTERHUB_ACTIVITY_URL JUPYTERHUB_ADMIN_ACCESS JUPYTERHUB_API_TOKEN JUPYTERHUB_API_URL
    JUPYTERHUB_BASE_URL JUPYTERHUB_CLIENT_ID JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED JUPYTERHUB_COOKIE_OPTIONS
    JUPYTERHUB_DEBUG JUPYTERHUB_DEFAULT_URL JUPYTERHUB_DISABLE_USER_CONFIG JUPYTERHUB_HOST
    JUPYTERHUB_OAUTH_ACCESS_SCOPES JUPYTERHUB_OAUTH_CALLBACK_URL JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES
    JUPYTERHUB_OAUTH_SCOPES JUPYTERHUB_PUBLIC_HUB_URL JUPYTERHUB_PUBLIC_URL JUPYTERHUB_ROOT_DIR
    JUPYTERHUB_SERVER_NAME JUPYTERHUB_SERVICE_PREFIX JUPYTERHUB_SERVICE_URL JUPYTERHUB_SSL_CERTFILE
    JUPYTERHUB_SSL_CLIENT_CA JUPYTERHUB_SSL_KEYFILE JUPYTERHUB_USER
    CPU_GUARANTEE CPU_LIMIT MEM_GUARANTEE MEM_LIMIT LANG LC_ALL TZ
    """.split()  # noqa: SIM905 - read like this, it is one list
)
#: What an administrator may write into a policy, with what stands there otherwise.
POLICY: dict[str, Any] = {
    "commands": [],
    "arguments": [],
    "environment": [],
    "group": "",
    "lowest_uid": 1000,
    "path": "/usr/local/bin:/usr/bin:/bin",
    "umask": "022",
}


class Refused(Exception):
    """The request is not done; the text says why."""


def main() -> None:
    """Answer one request."""
    # Whatever happens, nobody waits for longer than this, and nothing is left half done for longer.
    signal.alarm(LONGEST_RUN)
    try:
        answer = {"ok": True, **work(sys.argv[1:], sys.stdin.buffer.read(LARGEST_REQUEST + 1))}
    except Refused as error:
        answer = {"ok": False, "error": str(error)}
    except OSError as error:
        what = f" ({error.filename})" if error.filename else ""
        answer = {"ok": False, "error": f"{error.strerror}{what}"}
    print(json.dumps(answer))


def work(words: list[str], text: bytes) -> dict[str, object]:
    """Do what a request asks; return what there is to say of it."""
    if len(words) != 1 or not words[0].startswith("/"):
        raise Refused("carrel-sudo-helper takes one argument: the full path of its policy")
    policy = read_policy(words[0])
    account = own_account(policy)
    if len(text) > LARGEST_REQUEST:
        raise Refused(f"the request is larger than {LARGEST_REQUEST} bytes")
    try:
        request = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("the request is not JSON") from None
    if not isinstance(request, dict):
        raise Refused("the request is no JSON object")
    action = request.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        raise Refused(f"the action has to be one of {', '.join(ACTIONS)}")
    fields, do = ACTIONS[action]
    if set(request) != {"action", *fields}:
        raise Refused(f"{action} takes exactly: {', '.join(fields) or 'nothing'}")
    for name in fields:
        FIELDS[name](name, request[name])
    return do(request, account, policy)


# What the administrator allows


def read_policy(path: str) -> dict[str, Any]:
    """Return the policy; refuse one that anybody but root can change."""
    require_safe(path)
    try:
        with open(path, "rb") as file:
            written = json.loads(file.read(LARGEST_REQUEST))
    except ValueError:
        raise Refused(f"{path} is not JSON") from None
    if not isinstance(written, dict) or not set(written) <= set(POLICY):
        raise Refused(f"{path} has to be an object with some of {', '.join(POLICY)}")
    policy: dict[str, Any] = {**POLICY, **written}
    commands = policy["commands"]
    if not isinstance(commands, list) or not commands or not all(map(is_command, commands)):
        raise Refused(f'{path}: commands has to be a list like [["/opt/carrel/bin/carrel-singleuser"]]')
    for name in ("arguments", "environment"):
        if not is_words(policy[name]):
            raise Refused(f"{path}: {name} has to be a list of texts")
    for name in ("group", "path", "umask"):
        if not isinstance(policy[name], str):
            raise Refused(f"{path}: {name} has to be text")
    if not isinstance(policy["lowest_uid"], int) or not re.fullmatch("[0-7]{3,4}", policy["umask"]):
        raise Refused(f'{path}: lowest_uid has to be a number, umask a text like "027"')
    return policy


def require_safe(path: str) -> None:
    """Refuse a file that somebody other than root could change or replace, on whatever way leads there."""
    os.stat(path)
    require_safe_way(os.path.realpath(path))
    require_safe_way(os.path.abspath(path))


def require_safe_way(place: str) -> None:
    """Refuse a path of which a part, or what a link in it names, is not root's alone."""
    while place != "/":
        found = os.lstat(place)
        loose = found.st_mode & 0o022 and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX)
        if stat.S_ISLNK(found.st_mode):
            loose = False
            require_safe_way(os.path.normpath(os.path.join(os.path.dirname(place), os.readlink(place))))
        if found.st_uid != 0 or loose:
            raise Refused(f"{place} has to be root's, and not writable by others (chown root, chmod go-w)")
        place = os.path.dirname(place)


def own_account(policy: dict[str, Any]) -> pwd.struct_passwd:
    """Return whom this runs as; refuse root, accounts of the system and those outside the group."""
    if len({*os.getresuid()}) != 1:
        raise Refused("the real, effective and saved user differ: call it by sudo -u, not setuid")
    try:
        account = pwd.getpwuid(os.getuid())
    except KeyError:
        raise Refused(f"the user {os.getuid()} has no account") from None
    if account.pw_uid == 0 or account.pw_uid < policy["lowest_uid"]:
        raise Refused(f"{account.pw_name} is an account of the system (lowest_uid)")
    group = policy["group"]
    try:
        # Not those that this process has: sudo -P keeps the caller's.
        groups = os.getgrouplist(account.pw_name, account.pw_gid)
        allowed = not group or grp.getgrnam(group).gr_gid in groups
    except KeyError:
        raise Refused(f"there is no group called {group}") from None
    if not allowed:
        raise Refused(f"{account.pw_name} is not in the group {group}")
    return account


def is_words(value: object) -> bool:
    """Tell whether this is a list of texts that a command line can hold."""
    return isinstance(value, list) and all(isinstance(word, str) and "\0" not in word for word in value)


def is_name(value: str) -> bool:
    """Tell whether a variable can be called so."""
    return re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", value) is not None


def is_command(value: object) -> bool:
    """Tell whether these are the words of a command with a full path."""
    return isinstance(value, list) and is_words(value) and "".join(value[:1]).startswith("/")


# What a request may say


def check_number(name: str, value: object) -> None:
    """Refuse what is no positive number; true is none."""
    if type(value) is not int or not 0 < value < 2**53:
        raise Refused(f"{name} has to be a positive number")


def check_text(name: str, value: object) -> None:
    """Refuse what is no short word."""
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z0-9_@.-]{1,80}", value):
        raise Refused(f"{name} has to be a word of letters, digits and _@.-")


def check_words(name: str, value: object) -> None:
    """Refuse what is no command line."""
    if not is_words(value) or not value:
        raise Refused(f"{name} has to be a list of texts")


def check_environment(name: str, value: object) -> None:
    """Refuse what are no variables."""
    if not isinstance(value, dict) or not is_words([*value, *value.values()]) or not all(map(is_name, value)):
        raise Refused(f"{name} has to be an object of texts")


FIELDS: dict[str, Callable[[str, object], None]] = {
    **dict.fromkeys(("server", "generation", "pid", "lines"), check_number),
    **dict.fromkeys(("hub", "start_time", "signal"), check_text),
    "command": check_words,
    "environment": check_environment,
}


# What it does


def start(request: dict[str, Any], account: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, object]:
    """Start a server and return its pid and start time."""
    command = allowed_command(request["command"], policy)
    environment = {
        "PATH": policy["path"],
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell or "/bin/sh",
        **allowed_environment(request["environment"], policy),
        **labels_of(request),
    }
    log = log_path(request, account)
    output = open_log(log)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        become_server(command, environment, account.pw_dir, int(policy["umask"], 8), output, writing)
    os.close(writing)
    with os.fdopen(reading) as trouble:
        said = trouble.read()
    if said:
        os.waitpid(pid, 0)
        raise Refused(f"{command[0]} cannot be started: {said}")
    wait_until_known(pid)
    seen = look(pid)
    return {"pid": pid, "start_time": seen["start_time"] if seen else "", "log": log}


def wait_until_known(pid: int, limit: float = 1.0) -> None:
    """Return when the server can be known by its labels or has ended, or after `limit` seconds.

    The kernel says that a program runs a moment before its environment can be read.
    """
    until = time.monotonic() + limit
    while not environ_of(pid) and time.monotonic() < until:
        seen = look(pid)
        if seen is None or seen["state"] == "Z":
            return
        time.sleep(0.002)


def allowed_command(given: list[str], policy: dict[str, Any]) -> list[str]:
    """Return the command with its full path; refuse one that the policy does not have."""
    for allowed in policy["commands"]:
        short = [os.path.basename(allowed[0]), *allowed[1:]]
        if given[: len(allowed)] in (allowed, short):
            further = given[len(allowed) :]
            for word in further:
                if not matches(word, policy["arguments"]):
                    raise Refused(f"the policy's arguments do not allow {word!r:.80}")
            return [*allowed, *further]
    raise Refused(f"the policy's commands do not have {given[0]!r:.80}")


def allowed_environment(given: dict[str, str], policy: dict[str, Any]) -> dict[str, str]:
    """Return the variables; refuse one that the policy does not have."""
    for name in given:
        if name not in ENVIRONMENT and not matches(name, policy["environment"]):
            raise Refused(f"the policy's environment does not allow {name!r:.80}")
    return given


def matches(word: str, patterns: list[str]) -> bool:
    """Tell whether one of the patterns, in which * stands for anything, is this word."""
    return any(fnmatch.fnmatchcase(word, pattern) for pattern in patterns)


def become_server(
    command: list[str], environment: dict[str, str], home: str, umask: int, output: int, writing: int
) -> None:
    """Turn this child into the server; whoever waits at the pipe hears why it could not be."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.umask(umask)
        try:
            os.chdir(home)
        except OSError:
            os.chdir("/")
        # Python's descriptors close on exec; those of others need not.
        os.closerange(3, writing)
        os.closerange(writing + 1, 65536)
        # It would go off in the server; until now it ends a child that hangs as it ends its parent.
        signal.alarm(0)
        os.execve(command[0], command, {**environment, PID_LABEL: str(os.getpid())})  # noqa: S606
    except OSError as error:
        os.write(writing, str(error.strerror).encode())
    finally:
        os._exit(126)


def send(request: dict[str, Any], account: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, object]:
    """Send a signal to a server, KILL to what is left of its group too; tell whether it was there."""
    name = request["signal"]
    if name not in ("INT", "TERM", "KILL"):
        raise Refused("signal has to be INT, TERM or KILL")
    pid, there = request["pid"], lives(request)
    try:
        if name != "KILL":
            if there:
                os.kill(pid, getattr(signal, f"SIG{name}"))
        elif there or is_left(request):
            os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        there = False
    return {"alive": there}


def poll(request: dict[str, Any], account: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, object]:
    """Tell whether a server lives."""
    return {"alive": lives(request)}


def find(request: dict[str, Any], account: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, object]:
    """Return the servers of a hub."""
    return {
        "servers": [
            {
                "server": seen["labels"][LABELS["server"]],
                "generation": seen["labels"][LABELS["generation"]],
                "url": seen["labels"].get("JUPYTERHUB_SERVICE_URL", ""),
                "pid": seen["pid"],
                "start_time": seen["start_time"],
            }
            for seen in labelled({LABELS["hub"]: request["hub"]})
            if all(name in seen["labels"] for name in LABELS.values())
            and seen["labels"].get(PID_LABEL) == str(seen["pid"])
        ]
    }


def usage(request: dict[str, Any], account: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, object]:
    """Return bytes of memory and seconds of processor time of a server and of what it has started."""
    memory, ticks = 0, 0
    for seen in labelled(labels_of(request)):
        ticks += seen["ticks"]
        try:
            with open(f"/proc/{seen['pid']}/smaps_rollup") as file:
                memory += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
        except OSError:
            continue
    return {"memory": memory, "cpu": ticks / os.sysconf("SC_CLK_TCK")}


def logs(request: dict[str, Any], account: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, object]:
    """Return the last lines of a server's log."""
    try:
        descriptor = os.open(log_path(request, account), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return {"log": ""}
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused("the log is no file")
        begin = max(0, os.fstat(descriptor).st_size - LARGEST_LOG)
        file.seek(begin)
        found = file.read(LARGEST_LOG).decode(errors="replace").splitlines()
    # The first line is half a line then, and a secret in it may not be known as one.
    whole = found[1:] if begin and len(found) > 1 else found
    return {"log": "\n".join(whole[-request["lines"] :])}


def forget(request: dict[str, Any], account: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, object]:
    """Remove a server's logs."""
    path = log_path(request, account)
    for name in (path, f"{path}.1"):
        if os.path.lexists(name):
            os.unlink(name)
    return {}


def check(request: dict[str, Any], account: pwd.struct_passwd, policy: dict[str, Any]) -> dict[str, object]:
    """Return who this runs as, and the names of the variables that sudo has let through."""
    return {"version": VERSION, "user": account.pw_name, "environment": sorted(os.environ)}


# What runs


def labels_of(request: dict[str, Any]) -> dict[str, str]:
    """Return the labels of the server that a request is about."""
    return {label: str(request[field]) for field, label in LABELS.items()}


def lives(request: dict[str, Any]) -> bool:
    """Tell whether a server runs under this pid: this account's, started then, with these labels."""
    seen = look(request["pid"])
    if seen is None or seen["start_time"] != request["start_time"] or seen["state"] == "Z":
        return False
    if seen["group"] != request["pid"]:
        return False
    found = environ_of(request["pid"])
    return all(found.get(name) == value for name, value in labels_of(request).items())


def is_left(request: dict[str, Any]) -> bool:
    """Tell whether the process group of a server that has ended is still there."""
    seen = look(request["pid"])
    # A number is not used again while a group has it.
    if seen is not None and seen["start_time"] != request["start_time"]:
        return False
    return any(seen["group"] == request["pid"] for seen in labelled(labels_of(request)))


def labelled(labels: dict[str, str]) -> list[dict[str, Any]]:
    """Return this account's processes with these labels."""
    found = []
    for name in os.listdir("/proc"):
        environment = environ_of(int(name)) if name.isdecimal() else {}
        if environment and all(environment.get(key) == value for key, value in labels.items()):
            seen = look(int(name))
            if seen is not None and seen["state"] != "Z":
                found.append({**seen, "labels": environment})
    return found


def look(pid: int) -> dict[str, Any] | None:
    """Return what /proc says of a process of this account, None for no or another's process."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            text = file.read()
            uid = os.fstat(file.fileno()).st_uid
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read(8)
    except OSError:
        return None
    if uid != os.getuid():
        return None
    # The name in brackets may hold anything, brackets too.
    field = text[text.rindex(")") + 2 :].split()
    return {
        "pid": pid,
        "state": field[0],
        "group": int(field[2]),
        "ticks": int(field[11]) + int(field[12]),
        "start_time": f"{field[19]}@{boot}",
    }


def environ_of(pid: int) -> dict[str, str]:
    """Return the environment of a process, empty for one of another account."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            if os.fstat(file.fileno()).st_uid != os.getuid():
                return {}
            entries = file.read().split(b"\0")
    except OSError:
        return {}
    pairs = (entry.decode(errors="surrogateescape").partition("=") for entry in entries if entry)
    return {key: value for key, _, value in pairs}


# What a server writes


def log_path(request: dict[str, Any], account: pwd.struct_passwd) -> str:
    """Return where a server's log is; nothing in it is the caller's to choose but two checked words."""
    return f"{account.pw_dir}/.local/state/carrel/{request['hub'].replace('.', '_')}-{request['server']}.log"


def open_log(path: str) -> int:
    """Return a descriptor of a new, empty log; the last run's is set aside."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    if os.path.lexists(path):
        os.replace(path, f"{path}.1")
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)


RUN = ("hub", "server", "generation")
ACTIONS: dict[str, tuple[tuple[str, ...], Callable[..., dict[str, object]]]] = {
    "start": ((*RUN, "command", "environment"), start),
    "signal": ((*RUN, "pid", "start_time", "signal"), send),
    "poll": ((*RUN, "pid", "start_time"), poll),
    "find": (("hub",), find),
    "usage": (RUN, usage),
    "logs": (("hub", "server", "lines"), logs),
    "forget": (("hub", "server"), forget),
    "check": ((), check),
}

if __name__ == "__main__":
    main()
