"""SudoSpawner, called by the account of a hub on a real sudo."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from carrel.lib.process_table import environ_of, running
from carrel.spawners import sudo
from carrel.spawners.begun import BegunRuns
from carrel.spawners.environment import HUB_LABEL
from carrel.spawners.errors import StartError
from carrel.spawners.run import make_spawner
from carrel.spawners.sudo import SudoSpawner
from carrel.spawners.sudo_helper_call import Helper, HelperRefused, NoAnswer
from carrel.testing.clock import FakeClock
from carrel.testing.conformance.spawner import Case, SpawnerConformance
from tests.rigs import processes
from tests.rigs.poll import until
from tests.rigs.sudo import SudoSite, put_hub_before_sudo, sudo_site
from tests.spawners.rig import STUB, hub_view, report_of, run_of

pytestmark = pytest.mark.real
#: Stands in for what gets a repository ready.
PREPARE = '#!/bin/sh\nwhile [ "$1" != -- ]; do echo "$1"; shift; done; shift; exec "$@"\n'
MODES = {Case.HEALTHY: "serve", Case.BROKEN: "nowhere", Case.DYING: "die"}


@pytest.fixture(scope="module")
def site() -> Iterator[SudoSite]:
    with sudo_site() as site:
        script = site.place / STUB.name
        script.write_text(STUB.read_text())
        program = ["/usr/bin/python3", "-S", str(script)]
        prepare = site.place / "prepare"
        prepare.write_text(PREPARE)
        prepare.chmod(0o755)
        names = ("repo", "ref", "path", "directory", "seconds", "largest", "keep-days", "package")
        words = ["serve", "die", "parent", "stubborn", *(f"--{name}=*" for name in names), "--", *program]
        site.allow(program, ["/nowhere/at/all"], [str(prepare)], arguments=words)
        yield site


@pytest.fixture(autouse=True)
def _called_by_the_hub(site: SudoSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{put_hub_before_sudo(site)}{os.pathsep}{os.environ['PATH']}")


def command(site: SudoSite, mode: str) -> list[str]:
    if mode == "nowhere":
        return ["/nowhere/at/all"]
    return ["/usr/bin/python3", "-S", str(site.place / STUB.name), mode]


def make(
    site: SudoSite,
    logs: Path,
    mode: str = "serve",
    state: Mapping[str, Any] | None = None,
    user: str = "",
    **settings: Any,
) -> SudoSpawner:
    config = Config()
    config.Spawner.cmd = command(site, mode)
    config.SudoSpawner.helper_path = str(site.helper)
    config.SudoSpawner.policy_file = str(site.policy)
    for name, value in settings.items():
        config.SudoSpawner[name] = value
    run = run_of(user or site.user, state=state or {}, log_directory=str(logs))
    return make_spawner(SudoSpawner, run, config)


def labelled() -> list[int]:
    return [pid for pid in running() if environ_of(pid).get(HUB_LABEL) == hub_view().hub_id]


class TestSudo(SpawnerConformance):
    @pytest.fixture(autouse=True)
    def _place(self, site: SudoSite, tmp_path: Path) -> None:
        self.site, self.logs = site, tmp_path / "logs"

    def make(self, case: Case = Case.HEALTHY, state: Mapping[str, Any] | None = None) -> SudoSpawner:
        return make(self.site, self.logs, MODES[case], state)

    def leftovers(self) -> list[str]:
        return [*map(str, labelled()), *map(str, BegunRuns(self.logs.with_name("begun")).all())]


class TestSudoWhereOthersAreHidden(TestSudo):
    """As with /proc mounted with hidepid: everything is asked of the helper."""

    @pytest.fixture(autouse=True)
    def _hide(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sudo, "_sees_others", lambda: False)


async def test_a_server_runs_as_its_owner_and_tells_what_it_uses(site: SudoSite, tmp_path: Path) -> None:
    driver = make(site, tmp_path / "logs", environment={"JUPYTERHUB_DEFAULT_URL": "/lab"})
    await driver.start()
    try:
        report = await report_of(driver)
        account = pwd.getpwnam(site.user)
        assert (report["uid"], report["gid"], report["cwd"]) == (
            account.pw_uid,
            account.pw_gid,
            account.pw_dir,
        )
        assert report["groups"] == sorted(os.getgrouplist(site.user, account.pw_gid))
        assert report["session"] == report["pid"] == driver.pid
        assert report["env"]["JUPYTERHUB_API_TOKEN"] == "a-token"
        assert report["env"]["JUPYTERHUB_DEFAULT_URL"] == "/lab"
        assert not {name for name in report["env"] if name.startswith("SUDO_")}
        usage = await driver.usage()
        assert usage is not None
        assert usage.memory
        assert usage.memory > 2**20
    finally:
        await driver.stop(now=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a third account")
async def test_an_account_that_was_quicker_to_take_the_port_is_not_the_server(
    site: SudoSite, tmp_path: Path
) -> None:
    driver = make(site, tmp_path / "logs")
    with socket.socket() as squatter:
        os.fchown(squatter.fileno(), pwd.getpwnam("nobody").pw_uid, -1)
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        driver.server.ip, driver.server.port = squatter.getsockname()
        assert not await driver.is_reached()
    await driver.start()
    try:
        await report_of(driver)
        assert await driver.is_reached()
    finally:
        await driver.stop(now=True)


async def test_an_answer_without_end_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A user may have taken the helper's place.
    (tmp_path / "sudo").write_text("#!/bin/sh\nexec cat /dev/zero\n")
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(NoAnswer, match="more than 4 MiB"):
        await Helper("/helper", "/policy").ask("ada", "check")


async def test_what_is_left_of_the_group_ends_with_the_server(site: SudoSite, tmp_path: Path) -> None:
    driver = make(site, tmp_path / "logs", "parent")
    await driver.start()
    await report_of(driver)
    assert len(labelled()) == 2
    await driver.stop()
    until(lambda: not labelled(), "the group to be gone")


async def test_one_that_heeds_no_signal_is_killed(site: SudoSite, tmp_path: Path) -> None:
    driver = make(site, tmp_path / "logs", "stubborn", interrupt_timeout=0, term_timeout=0)
    await driver.start()
    await report_of(driver)
    await driver.stop()
    assert await driver.poll() == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cmd": ["/bin/sh"]}, "commands do not have '/bin/sh'"),
        ({"args": ["--ServerApp.root_dir=/"]}, "arguments do not allow '--ServerApp.root_dir=/'"),
        ({"environment": {"LD_PRELOAD": "/tmp/x.so"}}, "environment does not allow 'LD_PRELOAD'"),
        ({"mem_limit": "1G"}, "cannot enforce mem_limit"),
        ({"user": "nobody-at-all"}, "no account called nobody-at-all"),
        ({"user": "#0"}, "no account called #0"),
        ({"user": "root"}, "sudo: a password is required"),
        ({"helper_path": "/usr/bin/env"}, "sudo: a password is required"),
    ],
    ids=str,
)
async def test_what_is_not_allowed_is_named_and_leaves_nothing(
    site: SudoSite, tmp_path: Path, change: Mapping[str, Any], words: str
) -> None:
    driver = make(site, tmp_path / "logs", **change)
    with pytest.raises(StartError) as caught:
        await driver.start()
    assert words in str(caught.value)
    assert caught.value.hint
    assert labelled() == []
    assert BegunRuns(tmp_path / "begun").all() == []


async def test_a_server_whose_checkpoint_was_lost_is_found_by_its_note(
    site: SudoSite, tmp_path: Path
) -> None:
    started = make(site, tmp_path / "logs")
    await started.start()
    try:
        seeker = make(site, tmp_path / "logs", user="root")
        assert await seeker.find_orphans(known=[(7, 2)]) == []
        (orphan,) = await seeker.find_orphans(known=[])
        assert (orphan.server_id, orphan.generation, orphan.user_name) == (7, 2, site.user)
        adopter = make(site, tmp_path / "logs")
        assert await adopter.recognize(orphan)
        assert adopter.get_state() == started.get_state()
        await adopter.stop()
        assert await started.poll() == 0
        assert await seeker.find_orphans(known=[]) == []
    finally:
        await started.stop(now=True)


async def test_a_note_of_which_nothing_came_is_dropped_after_a_while(site: SudoSite, tmp_path: Path) -> None:
    runs = BegunRuns(tmp_path / "begun")
    runs.add(7, 2, site.user)
    runs.add(8, 1, "an-account-that-is-gone")
    since = max(run.since for run in runs.all())
    seeker = make(site, tmp_path / "logs")
    seeker.clock = FakeClock(since + 30)
    assert await seeker.find_orphans(known=[]) == []
    assert len(runs.all()) == 2
    seeker.clock = FakeClock(since + 90)
    assert await seeker.find_orphans(known=[]) == []
    assert runs.all() == []


async def test_not_to_know_is_not_to_have_none(site: SudoSite, tmp_path: Path) -> None:
    BegunRuns(tmp_path / "begun").add(7, 2, site.user)
    driver = make(site, tmp_path / "logs", helper_path="/usr/bin/env")
    (orphan,) = await driver.find_orphans(known=[])
    with pytest.raises(HelperRefused):
        await driver.recognize(orphan)


async def test_a_cancelled_start_leaves_nothing(site: SudoSite, tmp_path: Path) -> None:
    driver = make(site, tmp_path / "logs")
    start = asyncio.create_task(driver.start())
    while not BegunRuns(tmp_path / "begun").all():
        await asyncio.sleep(0.001)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert labelled() == []


async def test_a_pid_alone_is_nobody(site: SudoSite, tmp_path: Path) -> None:
    driver = make(site, tmp_path / "logs")
    await driver.start()
    try:
        stranger = make(site, tmp_path / "logs", state={"pid": driver.pid, "start_time": "1@elsewhere"})
        assert await stranger.poll() == 0
        await stranger.stop(now=True)
        assert processes.is_alive(driver.pid)
    finally:
        processes.end([driver.pid])


async def test_a_repository_is_got_ready_before_the_command(site: SudoSite, tmp_path: Path) -> None:
    repository = {"repo": "https://git.example/x", "ref": "", "path": ""}
    driver = make(site, tmp_path, repository=repository)
    driver.config.Repositories.allowed = ["git.example"]
    driver.config.Repositories.command = [str(site.place / "prepare")]
    await driver.run_apply_user_options({})
    before = driver.http_timeout
    await driver.start()
    try:
        await report_of(driver)
        assert "--repo=https://git.example/x" in await driver.logs()
        assert driver.get_state()["preparing"]
        assert driver.http_timeout == before + 600
        later = make(site, tmp_path, state=driver.get_state())
        assert later.http_timeout == before + 600
    finally:
        await driver.stop(now=True)
