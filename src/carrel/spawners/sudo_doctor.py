"""Whether sudo, the helper, its policy and the accounts are as SudoSpawner needs them, and what to change."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from carrel.lib.findings import Finding, doubt, fine, unknown, wrong
from carrel.spawners import sudo_helper
from carrel.spawners.errors import StartError
from carrel.spawners.sudo_helper_call import Helper

_PROBE = "CARREL_PROBE"
#: The directories of neither are on every machine.
_INSTALL = "mkdir -p {1} && carrel doctor sudo --helper > {0} && chown root:root {0} && chmod 755 {0}"
_POLICY = "mkdir -p {1} && carrel doctor sudo --policy > {0} && chown root:root {0} && chmod 644 {0}"
_RULE = "As root: visudo -f /etc/sudoers.d/carrel, and paste what `carrel doctor sudo --rule` prints."
_LIMIT = 30.0


def rule_text(helper: Helper, account: str, group: str) -> str:
    """Return what belongs into a file of /etc/sudoers.d."""
    # Defaults for a command take no arguments; the rule has them, so that no other policy can be named.
    return (
        f"# /etc/sudoers.d/carrel: the hub's account may run one program as members of {group}.\n"
        f"Defaults!{helper.path} env_reset, !setenv, !requiretty\n"
        f"{account} ALL=(%{group}) NOPASSWD: NOSETENV: {helper.path} {helper.policy}\n"
    )


def policy_text(command: Sequence[str], group: str) -> str:
    """Return a policy that lets members of `group` run one command without further arguments."""
    directories = [str(Path(command[0]).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    policy = {
        **sudo_helper.POLICY,
        "commands": [list(command)],
        "group": group,
        "path": os.pathsep.join(dict.fromkeys(directories)),
    }
    return json.dumps(policy, indent=2) + "\n"


def helper_text() -> str:
    """Return the helper's program."""
    return Path(sudo_helper.__file__).read_text()


def examine(helper: Helper, user: str = "") -> Iterator[Finding]:
    """Yield what is found, `user` being somebody whose servers are to be started; changes nothing."""
    yield from _machine()
    yield from _helper_file(helper)
    try:
        policy = sudo_helper.read_policy(helper.policy)
    except (sudo_helper.Refused, OSError) as error:
        yield wrong(f"The policy {helper.policy} cannot be used: {error}", _as_root(_POLICY, helper.policy))
        return
    yield from _policy(helper, policy)
    yield from _people(policy, user)
    user = user or next(iter(_members(policy["group"])), "")
    yield from _calls(helper, user)
    yield from surroundings(helper)


# The machine and the files


def _machine() -> Iterator[Finding]:
    if shutil.which("sudo") is None:
        yield wrong("sudo is not installed", "Install the package sudo.")
    if not Path("/proc/self/stat").exists():
        yield wrong("There is no /proc here", "SudoSpawner needs Linux.")


def _as_root(command: str, path: str) -> str:
    return "As root: " + command.format(path, Path(path).parent)


def _helper_file(helper: Helper) -> Iterator[Finding]:
    path, install = Path(helper.path), _as_root(_INSTALL, helper.path)
    try:
        sudo_helper.require_safe(helper.path)
        if path.stat().st_mode & 0o005 != 0o005:
            yield wrong(f"Not everybody may read and run {path}", f"As root: chmod 755 {path}")
            return
        text = path.read_text()
    except FileNotFoundError:
        yield wrong(f"The helper {path} is not there", install)
        return
    except (sudo_helper.Refused, OSError) as error:
        yield wrong(f"The helper can be changed by others than root, or not be read: {error}", install)
        return
    interpreter = text.partition("\n")[0].removeprefix("#!").split()[:1]
    if not interpreter or not os.access(interpreter[0], os.X_OK):
        yield wrong(
            f"The first line of {path} names no program of this machine", "Name a Python 3.9 or newer."
        )
    elif text.partition("\n")[2] != helper_text().partition("\n")[2]:
        yield doubt(f"The helper {path} is of another version than the hub", install)
    else:
        yield fine(f"The helper {path} is root's, and of this version")


def _policy(helper: Helper, policy: dict[str, Any]) -> Iterator[Finding]:
    yield fine(f"The policy {helper.policy} is root's, and can be read")
    for command in policy["commands"]:
        yield _command(command[0])
    for name in policy["path"].split(os.pathsep):
        trouble = _trouble(name)
        if trouble:
            yield wrong(
                f"Servers would find programs in {name}: {trouble}",
                f"Take it out of path in {helper.policy}.",
            )
    wide = [each for each in policy["arguments"] if each.startswith("*")]
    if wide:
        text = f"The policy allows any argument ({', '.join(wide)}), and with it any program"
        yield doubt(text, f"Name in {helper.policy} the arguments that are needed.")
    loading = [
        name
        for name in (
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "JUPYTER_CONFIG_DIR",
            "BASH_ENV",
        )
        if sudo_helper.matches(name, policy["environment"])
    ]
    if loading:
        text = f"The policy allows variables that make programs load code: {', '.join(loading)}"
        yield doubt(text, f"Take them out of environment in {helper.policy}.")


def _command(program: str) -> Finding:
    if not os.access(program, os.X_OK):
        return wrong(
            f"The command {program} is not there, or cannot be run", "Correct commands in the policy."
        )
    trouble = _trouble(program) or _trouble(str(Path(program).resolve().parent.parent / "lib"))
    if trouble:
        return wrong(
            f"Others than root can change what the command {program} is: {trouble}", "Have root own it."
        )
    return fine(f"The command {program} is root's")


def _trouble(path: str) -> str:
    """Return what is wrong with who may change a file, empty when nothing is or it is not there."""
    try:
        sudo_helper.require_safe(path)
    except sudo_helper.Refused as error:
        return str(error)
    except OSError:
        pass
    return ""


# The people


def _people(policy: dict[str, Any], user: str) -> Iterator[Finding]:
    group, members = policy["group"], _members(policy["group"])
    if not group:
        text = (
            f"The policy names no group: everybody with a uid of {policy['lowest_uid']} or more may be chosen"
        )
        yield doubt(text, "Set group to that of the hub's users.")
    elif not members:
        yield wrong(
            f"The group {group} does not exist, or nobody is in it",
            f"groupadd {group}; usermod -aG {group} USER",
        )
    else:
        yield fine(f"The group {group} has {len(members)} members")
    if user:
        yield from _person(policy, user)


def _person(policy: dict[str, Any], user: str) -> Iterator[Finding]:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        yield wrong(f"There is no account called {user}", "Create it, or name another user.")
        return
    if account.pw_uid < policy["lowest_uid"]:
        yield wrong(
            f"{user} has a uid below {policy['lowest_uid']}", "Accounts of the system get no servers."
        )
    elif policy["group"] and user not in _members(policy["group"]):
        yield wrong(f"{user} is not in the group {policy['group']}", f"usermod -aG {policy['group']} {user}")
    else:
        yield fine(f"{user} may have servers")


def _members(group: str) -> list[str]:
    try:
        entry = grp.getgrnam(group)
    except (KeyError, ValueError):
        return []
    return sorted({*entry.gr_mem, *(one.pw_name for one in pwd.getpwall() if one.pw_gid == entry.gr_gid)})


# What sudo says


def _calls(helper: Helper, user: str) -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield unknown(
            "Root may do everything", "Run this as the hub's account: sudo -u HUB carrel doctor sudo"
        )
    elif not user:
        yield unknown("Nobody is known to try it with", "Name one: carrel doctor sudo USER")
    elif (refusal := _refusal(helper, user)) is not None:
        yield refusal
    else:
        yield fine(f"sudo lets {_own_name()} run the helper as {user} without a password")
        yield from _trial(helper, user)


def _refusal(helper: Helper, user: str) -> Finding | None:
    sudo, *words = helper.command(user)
    done = subprocess.run(
        [sudo, "-l", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        # A hub has no terminal: one that sudo asks for must be missing here too.
        start_new_session=True,
    )
    if done.returncode == 0:
        return None
    said = done.stderr.strip() or "it is not allowed"
    return wrong(f"sudo does not let {_own_name()} run the helper as {user}: {said}", _RULE)


def _trial(helper: Helper, user: str) -> Iterator[Finding]:
    probing = replace(helper, env={_PROBE: "1"})
    try:
        answer = asyncio.run(probing.ask(user, "check"))
    except StartError as error:
        if "must have a tty" in str(error):
            # The list of what is allowed can be had without one.
            yield wrong(f"sudo wants a terminal (requiretty): {error}", f"Defaults!{helper.path} !requiretty")
        else:
            yield wrong(f"A harmless request as {user} failed: {error}", error.hint)
        return
    if answer["user"] != user:
        yield wrong(f"The helper ran as {answer['user']}, not as {user}", "Look at runas_default in sudoers.")
    if answer["version"] != sudo_helper.VERSION:
        yield wrong("The helper speaks another version than the hub", _as_root(_INSTALL, helper.path))
    yield fine(f"A harmless request was answered as {user}")
    if _PROBE in answer["environment"]:
        text = (
            "sudo hands the hub's variables on (env_reset is off); servers do not get them, other commands do"
        )
        yield doubt(text, f"Defaults!{helper.path} env_reset")
    else:
        yield fine("sudo hands none of the hub's variables on (env_reset)")
    yield fine(
        "secure_path does not matter: the helper is called by its full path, and servers get the policy's"
    )


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


# What else may end or forbid servers


def surroundings(helper: Helper, root: Path = Path("/")) -> Iterator[Finding]:
    """Yield what else of this machine may end or forbid servers; `root` is where its files are."""
    if _text(root / "sys/fs/selinux/enforce").strip() == "1":
        yield _selinux(helper.path)
    files = [root / "etc/systemd/logind.conf", *sorted((root / "etc/systemd/logind.conf.d").glob("*.conf"))]
    values = [
        found for file in files for found in re.findall(r"(?m)^KillUserProcesses\s*=\s*(\S+)", _text(file))
    ]
    if values and values[-1].lower() in ("yes", "true", "1", "on"):
        yield doubt(
            "logind ends the processes of sessions that are over (KillUserProcesses), perhaps servers too",
            f"Defaults!{helper.path} !pam_session, or KillUserProcesses=no in /etc/systemd/logind.conf",
        )


def _selinux(path: str) -> Finding:
    try:
        label = os.getxattr(path, "security.selinux").decode(errors="replace").strip("\0")
    except OSError as error:
        return unknown(
            f"SELinux enforces, and the label of {path} cannot be read: {error.strerror}", "ls -Z " + path
        )
    if ":bin_t:" in f"{label}:":
        return fine(f"SELinux enforces, and {path} is labelled as a program ({label})")
    return wrong(
        f"SELinux enforces, and {path} is labelled {label}",
        f"As root: semanage fcontext -a -t bin_t {path} && restorecon -v {path}; ausearch -m AVC"
        " -ts recent shows what was denied.",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
