"""What carrel-sudo-helper does for a hub's account, and what it refuses to do for whoever took that over."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from carrel.lib.process_table import find, look
from carrel.spawners import sudo_helper
from carrel.spawners.environment import ServerFacts, labels, server_environment
from tests.rigs import processes
from tests.rigs.poll import until
from tests.rigs.sudo import SudoSite, sudo_site

RUN = {"hub": "a-hub", "server": 7, "generation": 2}
SLEEP = ["/bin/sleep", "60"]
START: Mapping[str, Any] = {"action": "start", **RUN, "command": SLEEP, "environment": {}}


@pytest.fixture(scope="module")
def site() -> Iterator[SudoSite]:
    with sudo_site() as site:
        site.allow(
            ["/bin/sleep"], ["/bin/sh", "-c", "env > env; sleep 60"], arguments=["60"], environment=["MY_*"]
        )
        yield site


@pytest.fixture
def server(site: SudoSite) -> Iterator[dict[str, Any]]:
    """A server that the helper has started."""
    answer = site.ask(START)
    assert answer["ok"], answer
    yield {**RUN, "pid": answer["pid"], "start_time": answer["start_time"]}
    processes.end([answer["pid"]])


def refused(answer: Mapping[str, Any]) -> str:
    assert answer["ok"] is False, answer
    return str(answer["error"])


def test_it_names_every_variable_of_the_contract_and_the_same_labels() -> None:
    facts = ServerFacts(
        user_name="a", server_name="b", prefix="/", listen_url="x", api_url="x", hub_base_url="/hub/",
        root_dir="x", default_url="x", debug=True, admin_access=True, disable_user_config=True,
        mem_limit=1, mem_guarantee=1, cpu_limit=1, cpu_guarantee=1,
        cert_paths={"keyfile": "x", "certfile": "x", "cafile": "x"},
    )  # fmt: skip
    assert server_environment(facts).keys() <= sudo_helper.ENVIRONMENT
    assert sudo_helper.labels_of(RUN) == labels("a-hub", 7, 2)


@pytest.mark.parametrize(
    ("environments", "state"), [([{}, {}, {"A": "1"}], "R"), ([{}], "Z"), ([{}], ""), ([{"A": "1"}], "S")]
)
def test_a_start_is_over_when_the_server_is_known_by_its_labels_or_has_ended(
    monkeypatch: pytest.MonkeyPatch, environments: list[dict[str, str]], state: str
) -> None:
    """Else whoever looks at once finds a process that is none of the hub's, and takes the server for dead."""
    left = list(environments)
    monkeypatch.setattr(sudo_helper, "environ_of", lambda pid: left.pop(0))
    monkeypatch.setattr(sudo_helper, "look", lambda pid: {"state": state} if state else None)
    sudo_helper.wait_until_known(7, limit=600)
    assert left == []


@pytest.mark.real
def test_a_server_has_its_owners_rights_and_is_named_as_the_hub_names_processes(
    site: SudoSite, server: dict[str, Any]
) -> None:
    account, pid = pwd.getpwnam(site.user), server["pid"]
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"Uid:\t{account.pw_uid}\t{account.pw_uid}\t{account.pw_uid}" in status
    assert f"Gid:\t{account.pw_gid}\t{account.pw_gid}\t{account.pw_gid}" in status
    found = find(pid)
    assert found is not None
    assert found.start_time == server["start_time"]
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == account.pw_dir
    log = f"{account.pw_dir}/.local/state/carrel/a-hub-7.log"
    # The libraries that it opens at first are none that it was given.
    until(lambda: opened_by(pid) == {"0": "/dev/null", "1": log, "2": log}, "nothing else to be open")
    assert Path(log).owner() == site.user
    environment = processes.environment(pid)
    assert environment == {
        "PATH": sudo_helper.POLICY["path"], "HOME": account.pw_dir, "USER": site.user, "LOGNAME": site.user,
        "SHELL": account.pw_shell, **labels("a-hub", 7, 2), "CARREL_PID": str(pid),
    }  # fmt: skip


def opened_by(pid: int) -> dict[str, str]:
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[name] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


@pytest.mark.real
def test_nothing_secret_is_on_a_command_line(site: SudoSite) -> None:
    answer = site.ask({**START, "environment": {"JUPYTERHUB_API_TOKEN": "very-secret", "MY_OWN": "1"}})
    try:
        assert processes.environment(answer["pid"])["JUPYTERHUB_API_TOKEN"] == "very-secret"
        assert Path(f"/proc/{answer['pid']}/cmdline").read_bytes() == b"/bin/sleep\x0060\0"
    finally:
        processes.end([answer["pid"]])


@pytest.mark.real
def test_a_server_is_found_polled_measured_and_stopped(site: SudoSite, server: dict[str, Any]) -> None:
    assert site.ask({"action": "poll", **server})["alive"] is True
    (seen,) = site.ask({"action": "find", "hub": "a-hub"})["servers"]
    assert (seen["server"], seen["generation"], seen["pid"]) == ("7", "2", server["pid"])
    assert site.ask({"action": "find", "hub": "another"})["servers"] == []
    assert site.ask({"action": "usage", **RUN})["memory"] > 10_000
    assert site.ask({"action": "signal", **server, "signal": "TERM"})["alive"] is True
    until(lambda: not processes.is_alive(server["pid"]), "the server to end")
    assert site.ask({"action": "poll", **server})["alive"] is False
    assert site.ask({"action": "signal", **server, "signal": "KILL"})["alive"] is False
    assert site.ask({"action": "forget", "hub": "a-hub", "server": 7})["ok"]
    assert site.ask({"action": "logs", "hub": "a-hub", "server": 7, "lines": 5})["log"] == ""


REFUSED: Mapping[str, tuple[Any, str]] = {
    "another command": ({**START, "command": ["/bin/cat", "/etc/passwd"]}, "commands do not have '/bin/cat'"),
    "a relative path": ({**START, "command": ["../bin/sleep", "60"]}, "commands do not have"),
    "a path that leads there": ({**START, "command": ["/bin/../bin/sleep", "60"]}, "commands do not have"),
    "a shell": ({**START, "command": ["/bin/sh", "-c", "id"]}, "commands do not have '/bin/sh'"),
    "another argument": ({**START, "command": ["/bin/sleep", "61"]}, "arguments do not allow '61'"),
    "metacharacters": ({**START, "command": ["/bin/sleep", "60; id"]}, "arguments do not allow"),
    "an empty command": ({**START, "command": []}, "command has to be"),
    "a command that is text": ({**START, "command": "/bin/sleep 60"}, "command has to be"),
    "a zero byte": ({**START, "command": ["/bin/sleep", "60\0"]}, "command has to be"),
    "LD_PRELOAD": ({**START, "environment": {"LD_PRELOAD": "/tmp/x.so"}}, "does not allow 'LD_PRELOAD'"),
    "PYTHONPATH": ({**START, "environment": {"PYTHONPATH": "/tmp"}}, "does not allow 'PYTHONPATH'"),
    "PATH": ({**START, "environment": {"PATH": "/tmp"}}, "does not allow 'PATH'"),
    "another program": (
        {**START, "environment": {"JUPYTERHUB_SINGLEUSER_APP": "x.Y"}},
        "does not allow 'JUPYTERHUB_SINGLEUSER_APP'",
    ),
    "labels of its own": ({**START, "environment": {"CARREL_HUB_ID": "x"}}, "does not allow 'CARREL_HUB_ID'"),
    "a variable in a variable": ({**START, "environment": {"TZ=x\nA": "y"}}, "environment has to be"),
    "a number as variable": ({**START, "environment": {"TZ": 1}}, "environment has to be"),
    "a path as hub": ({**START, "hub": "../../x"}, "hub has to be"),
    "a path as server": ({"action": "logs", "hub": "x", "server": "../x", "lines": 1}, "server has to be"),
    "a negative pid": ({"action": "poll", **RUN, "pid": -1, "start_time": "1"}, "pid has to be"),
    "true as pid": ({"action": "poll", **RUN, "pid": True, "start_time": "1"}, "pid has to be"),
    "another signal": (
        {"action": "signal", **RUN, "pid": 1, "start_time": "1", "signal": "STOP"},
        "signal has to be",
    ),
    "another action": ({"action": "read", "path": "/etc/shadow"}, "action has to be one of"),
    "no action": ([], "no JSON object"),
    "something more": ({"action": "check", "as": "root"}, "takes exactly"),
    "something less": ({"action": "find"}, "takes exactly"),
    "no JSON": ("{", "not JSON"),
    "a deep hole": ("[" * 100_000, "not JSON"),
    "a megabyte": (json.dumps({**START, "environment": {"TZ": "x" * 2**20}}), "larger than"),
}  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("name", REFUSED)
def test_hostile_requests_are_refused_and_nothing_starts(site: SudoSite, name: str) -> None:
    request, words = REFUSED[name]
    assert words in refused(site.ask(request))
    assert site.ask({"action": "find", "hub": "a-hub"})["servers"] == []


@pytest.mark.real
@pytest.mark.parametrize(
    "change", [{"start_time": "1@x"}, {"server": 8}, {"generation": 3}, {"hub": "another"}]
)
def test_only_the_very_server_gets_a_signal(
    site: SudoSite, server: dict[str, Any], change: Mapping[str, Any]
) -> None:
    for name in ("INT", "TERM", "KILL"):
        assert site.ask({"action": "signal", **server, **change, "signal": name})["alive"] is False
    assert processes.is_alive(server["pid"])


@pytest.mark.real
def test_neither_the_owners_other_processes_nor_strangers_get_one(site: SudoSite) -> None:
    for user in (site.user, site.stranger):
        with subprocess.Popen(
            ["setpriv", f"--reuid={user}", "--clear-groups", "sleep", "60"], start_new_session=True
        ) as other:
            until(lambda: Path(f"/proc/{other.pid}").owner() == user, "it to be theirs")  # noqa: B023
            seen = look(other.pid)
            assert seen is not None
            named = {**RUN, "pid": other.pid, "start_time": seen.start_time}
            assert site.ask({"action": "poll", **named})["alive"] is False
            assert site.ask({"action": "signal", **named, "signal": "KILL"})["alive"] is False
            assert other.poll() is None
            other.kill()


@pytest.mark.real
def test_the_rest_of_a_group_is_killed_and_nobody_else(site: SudoSite) -> None:
    site.ask({**START, "command": ["/bin/sh", "-c", "env > env; sleep 60"]})
    (server,) = site.ask({"action": "find", "hub": "a-hub"})["servers"]
    until(
        lambda: "sleep 60" in map(processes.command_line, group_of(server["pid"])),
        "the shell to have started its last child",
    )
    os.kill(server["pid"], signal.SIGKILL)
    until(lambda: not processes.is_alive(server["pid"]), "the shell to be gone")
    named = {**RUN, "pid": server["pid"], "start_time": server["start_time"]}
    site.ask({"action": "signal", **named, "signal": "TERM"})
    assert len(group_of(server["pid"])) == 1
    site.ask({"action": "signal", **named, "signal": "KILL"})
    until(lambda: group_of(server["pid"]) == [], "the group to be gone")


def group_of(pid: int) -> list[int]:
    def belongs(other: int) -> bool:
        seen = look(other)
        return seen is not None and seen.group == pid and seen.state != "Z"

    return processes.find(belongs)


@pytest.mark.real
def test_other_accounts_and_other_programs_are_refused_by_sudo(site: SudoSite) -> None:
    for user, words in (
        ("root", [str(site.helper), str(site.policy)]),
        (site.stranger, [str(site.helper), str(site.policy)]),
        ("#0", [str(site.helper), str(site.policy)]),
        (site.user, [str(site.helper), "/tmp/mine.json"]),
        (site.user, [str(site.helper), str(site.policy), "--more"]),
        (site.user, ["/bin/sh"]),
    ):
        done = subprocess.run(
            site.as_hub("sudo", "-n", "-u", user, "--", *words),
            capture_output=True,
            text=True,
            check=False,
            input="{}",
        )
        assert done.returncode == 1
        assert "password is required" in done.stderr


@pytest.mark.real
def test_it_refuses_root_and_those_outside_the_group_even_where_sudo_allows_them(site: SudoSite) -> None:
    with_all = f"{site.hub} ALL=(ALL) NOPASSWD: {site.helper}"
    site.write_rules(with_all)
    try:
        assert "account of the system" in refused(site.ask({"action": "check"}, "root"))
        assert "account of the system" in refused(site.ask({"action": "check"}, "daemon"))
        assert "not in the group" in refused(site.ask({"action": "check"}, site.stranger))
    finally:
        site.write_rules(site.rule())


@pytest.mark.real
def test_a_policy_that_others_can_change_is_not_obeyed(site: SudoSite) -> None:
    site.policy.chmod(0o664)
    try:
        assert "not writable by others" in refused(site.ask({"action": "check"}))
    finally:
        site.policy.chmod(0o644)
    hub = pwd.getpwnam(site.hub)
    os.chown(site.place, hub.pw_uid, hub.pw_gid)
    try:
        assert "has to be root's" in refused(site.ask({"action": "check"}))
    finally:
        os.chown(site.place, 0, 0)


@pytest.mark.real
def test_a_policy_behind_a_link_that_others_can_change_is_not_obeyed(site: SudoSite) -> None:
    """What the link names now is root's; between the look and the reading it could be another."""
    link = Path(f"/home/{site.hub}/sudo.json")
    link.symlink_to(site.policy)
    site.write_rules(f"{site.hub} ALL=(%{site.group}) NOPASSWD: {site.helper} {link}")
    try:
        words = ["sudo", "-n", "-u", site.user, "--", str(site.helper), str(link)]
        done = subprocess.run(site.as_hub(*words), input="{}", capture_output=True, text=True, check=True)
        assert "has to be root's" in refused(json.loads(done.stdout))
    finally:
        site.write_rules(site.rule())
        link.unlink()


@pytest.mark.real
def test_a_log_that_is_no_file_is_not_read(site: SudoSite, server: dict[str, Any]) -> None:
    log = Path(f"/proc/{server['pid']}/fd/1").resolve()
    log.unlink()
    log.symlink_to("/etc/passwd")
    request = {"action": "logs", "hub": "a-hub", "server": 7, "lines": 5}
    assert "symbolic links" in refused(site.ask(request))
    log.unlink()
    os.mkfifo(log)
    os.chmod(log, 0o644)
    assert "no file" in refused(site.ask(request))
