"""`carrel doctor`: what is printed and returned; and its check of sudo, run as a hub's account."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from carrel.cli.doctor import Check, Wish, doctor
from carrel.cli.main import main
from carrel.config.arguments import BadArguments
from carrel.config.schema import Settings
from carrel.lib.findings import Finding, doubt, fine, unknown, wrong
from carrel.spawners import sudo_doctor
from carrel.spawners.sudo_helper_call import Helper
from tests.plugins.environment import PublicEnvironment, public_environment
from tests.rigs.sudo import SudoSite, sudo_site

real = pytest.mark.real
STATES = [fine("well"), doubt("so so", "mend it"), unknown("dark", "light it")]


def check(*findings: Finding) -> dict[str, Check]:
    def examine(settings: Settings, wish: Wish) -> Sequence[Finding]:
        return [fine(f"asked for {wish.user or 'nobody'}"), *findings]

    return {"house": Check(examine, lambda _, wish: f"{wish.prints} {wish.account} {wish.group}\n")}


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_findings_are_printed_and_what_is_wrong_makes_the_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert doctor(["house", "ada"], check(*STATES)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok       asked for ada",
        "ok       well",
        "warning  so so",
        "         → mend it",
        "unknown  dark",
        "         → light it",
    ]
    assert doctor(["house"], check(wrong("broken", "mend it"), *STATES)) == 1


def test_what_makes_helper_and_policy_makes_their_directories(tmp_path: Path) -> None:
    program, policy = tmp_path / "libexec" / "helper", tmp_path / "etc" / "sudo.json"
    examined = sudo_doctor.examine(Helper(str(program), str(policy)))
    found = [each.advice for each in examined if "mkdir" in each.advice]
    for file, advice in zip((program, policy), found, strict=True):
        assert f"mkdir -p {file.parent} && " in advice
        assert f"> {file} && " in advice


def test_texts_are_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.py").write_text("c.JupyterHub.port = 9000")
    assert (
        doctor(["house", "--rule", "--account", "rhea", "-f", "other.py", "--group", "pupils"], check()) == 0
    )
    assert capsys.readouterr().out == "--rule rhea pupils\n"


def test_what_cannot_be_examined_is_refused_with_what_can() -> None:
    with pytest.raises(BadArguments, match="one of: house"):
        doctor(["garden"], check())
    with pytest.raises(BadArguments, match="one user"):
        doctor(["house", "ada", "eve"], check())
    assert main(["doctor", "--help"]) == 0
    assert main(["doctor"]) == 2


def test_the_helper_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "sudo", "--helper"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("#!/usr/bin/python3 -I\n")
    assert "import carrel" not in text
    assert "from carrel" not in text


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("etc/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n", "KillUserProcesses"),
        ("sys/fs/selinux/enforce", "1", "SELinux enforces"),
    ],
)
def test_what_may_end_or_forbid_servers_is_said(tmp_path: Path, file: str, text: str, words: str) -> None:
    helper = Helper(sys.executable, "/nowhere")
    assert list(sudo_doctor.surroundings(helper, tmp_path)) == []
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    (finding,) = sudo_doctor.surroundings(helper, tmp_path)
    assert words in finding.text
    assert finding.advice


class Doctor:
    """Runs the check as the hub's account."""

    def __init__(self, site: SudoSite, python: Path) -> None:
        self.site, self.python = site, python
        self.config = site.place / "jupyterhub_config.py"
        self.config.write_text(
            "c.JupyterHub.spawner_class = 'carrel.spawners.sudo.SudoSpawner'\n"
            "c.Spawner.cmd = ['/bin/sleep']\n"
            f"c.SudoSpawner.helper_path = {str(site.helper)!r}\n"
            f"c.SudoSpawner.policy_file = {str(site.policy)!r}\n"
        )

    def ask(self, *words: str, account: str = "") -> tuple[int, str]:
        """Return the exit code and what was printed."""
        command = [str(self.python), "-m", "carrel", "doctor", "sudo", *words, "-f", str(self.config)]
        done = subprocess.run(
            self.site.as_hub(*command) if account != "root" else command,
            capture_output=True, text=True, check=False, timeout=60, cwd="/",
            env={**os.environ, "HOME": f"/home/{self.site.hub}"},
        )  # fmt: skip
        assert done.stderr == ""
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def environment() -> Iterator[PublicEnvironment]:
    with public_environment() as environment:
        yield environment


@pytest.fixture
def sudo(environment: PublicEnvironment) -> Iterator[Doctor]:
    """A site made of what the doctor prints."""
    with sudo_site() as site:
        doctor = Doctor(site, environment.python)
        (code, rule) = doctor.ask("--rule", "--group", site.group)
        assert code == 0
        site.write_rules(rule)
        site.policy.write_text(doctor.ask("--policy", "--group", site.group)[1])
        site.helper.write_text(doctor.ask("--helper")[1])
        yield doctor


@real
def test_what_it_prints_is_all_that_is_needed(sudo: Doctor) -> None:
    code, text = sudo.ask(sudo.site.user)
    assert code == 0, text
    assert {line.split()[0] for line in text.splitlines()} == {"ok"}, text
    assert f"A harmless request was answered as {sudo.site.user}" in text
    assert sudo.ask()[0] == 0, "a member of the group is tried"
    code, text = sudo.ask(sudo.site.user, account="root")
    assert (code, "unknown  Root may do everything" in text) == (0, True)


@real
def test_each_mistake_is_named_with_what_to_change(sudo: Doctor) -> None:
    site = sudo.site
    helper, policy = site.helper.read_text(), site.policy.read_text()

    def wrong(*words: str, user: str = site.user) -> None:
        code, text = sudo.ask(user)
        assert code == 1, text
        lines = text.splitlines()
        at = next(at for at, line in enumerate(lines) if line.startswith("wrong"))
        for word in words:
            assert word in f"{lines[at]} {lines[at + 1]}", text

    wrong("not in the group", f"usermod -aG {site.group}", user=site.stranger)
    wrong("no account called", user="nobody-at-all")
    site.write_rules("# nothing")
    wrong("sudo does not let", "password is required", "carrel doctor sudo --rule")
    site.write_rules(f"Defaults!{site.helper} requiretty", site.rule())
    wrong("requiretty", f"Defaults!{site.helper} !requiretty")
    site.write_rules(site.rule())
    site.helper.chmod(0o775)
    wrong("changed by others than root", "chmod go-w", "carrel doctor sudo --helper")
    site.helper.chmod(0o700)
    wrong("Not everybody may read", "chmod 755")
    site.helper.unlink()
    wrong("is not there", "carrel doctor sudo --helper")
    site.helper.write_text(helper)
    site.helper.chmod(0o755)
    site.policy.write_text("{")
    wrong("is not JSON", "carrel doctor sudo --policy")
    site.policy.write_text(policy.replace("/bin/sleep", f"/home/{site.hub}/program"))
    wrong("is not there, or cannot be run")
    program = Path(f"/home/{site.hub}/program")
    program.symlink_to("/bin/sleep")
    site.allow([str(program)])
    wrong("Others than root can change what the command", "Have root own it")
    site.allow(["/bin/sleep"], path=f"/home/{site.hub}:/usr/bin")
    wrong("Servers would find programs in", "Take it out of path")


@real
def test_what_is_unwise_is_said_and_no_mistake(sudo: Doctor) -> None:
    site = sudo.site
    site.write_rules(f"Defaults!{site.helper} !env_reset", site.rule())
    site.allow(["/bin/sleep"], group="", arguments=["*"], environment=["PYTHON*"])
    site.helper.write_text(site.helper.read_text() + "\n")
    code, text = sudo.ask(site.user)
    assert code == 0, text
    doubts = [line for line in text.splitlines() if line.startswith("warning")]
    for words in ("another version", "any argument", "PYTHONPATH", "names no group", "env_reset is off"):
        assert sum(words in line for line in doubts) == 1, text
