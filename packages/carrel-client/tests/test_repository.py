"""`carrel-repository` with real git over HTTP and real uv: what it makes, keeps, refuses and says."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from git_server import GitServer, git

from tests.rigs import processes
from tests.rigs.poll import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
SHOW = """
import importlib.util, json, os, sys
seen = {name: os.environ.get(name) for name in ("JUPYTER_PATH", "JUPYTERHUB_ROOT_DIR", "VIRTUAL_ENV", "PATH")}
print(json.dumps({"cwd": os.getcwd(), "python": sys.executable, **seen}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    made = GitServer(tmp_path_factory.mktemp("git"))
    made.fill_index()
    with made.running():
        yield made


@dataclass
class User:
    """Somebody with a home of their own, who starts servers from repositories."""

    server: GitServer
    home: Path
    uv_cache: Path

    def command(
        self, name: str, *options: str, command: tuple[str, ...] = (sys.executable, "-c", SHOW)
    ) -> list[str]:
        words = ["--repo", self.server.repo(name), "--package", "ipykernel", *options]
        return [sys.executable, "-P", "-m", "carrel_client.repository", *words, "--", *command]

    @property
    def env(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "UV_DEFAULT_INDEX": f"{self.server.url}/simple/",
            "UV_CACHE_DIR": str(self.uv_cache),
            "JUPYTERHUB_API_TOKEN": "a-secret-token",
        }

    def run(self, name: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(name, *options, **more),
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )

    def start(self, name: str, *options: str) -> dict[str, str]:
        """Return what a server sees that was started so."""
        done = self.run(name, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def refusal(self, name: str, *options: str, **more: Any) -> str:
        """Return why there is no server."""
        done = self.run(name, *options, **more)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return next(
            line.removeprefix("[repository failed] ")
            for line in done.stdout.splitlines()
            if line.startswith("[repository failed] ")
        )

    @property
    def environments(self) -> list[Path]:
        return sorted(path for path in (self.home / ".cache/carrel/environments").glob("*") if path.is_dir())


@pytest.fixture
def user(server: GitServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> User:
    (tmp_path / "home").mkdir()
    return User(server, tmp_path / "home", tmp_path_factory.getbasetemp() / "uv")


def test_a_repository_with_requirements_becomes_directory_and_kernel_of_the_server(
    server: GitServer, user: User
) -> None:
    server.commit("course", {"requirements.txt": "tinypkg>=1\n", "notebooks/start.ipynb": "{}"})
    done = user.run("course", "--path", "notebooks/start.ipynb")
    *lines, last = done.stdout.splitlines()
    seen, place = json.loads(last), user.home / "repositories/course"
    assert seen["cwd"] == seen["JUPYTERHUB_ROOT_DIR"] == str(place)
    assert (place / "notebooks/start.ipynb").read_text() == "{}"
    (environment,) = user.environments
    assert seen["python"] == sys.executable, "the command is the one that it was before"
    assert seen["VIRTUAL_ENV"] == str(environment)
    assert seen["PATH"].split(":")[0] == str(environment / "bin")
    assert seen["JUPYTER_PATH"] == str(environment / "share/jupyter")
    kernel = json.loads((environment / "share/jupyter/kernels/python3/kernel.json").read_text())
    ran = subprocess.run([*kernel["argv"][:3]], capture_output=True, text=True, check=True)
    assert ran.stdout == "kernel\n"
    assert kernel["display_name"] == "Python 3 (course)"
    show = [kernel["argv"][0], "-c", "import tinypkg; print(tinypkg.WORD)"]
    assert subprocess.check_output(show, text=True) == "tiny\n"
    assert lines[0].startswith("[repository 25%] Looking for the newest version in ")
    assert lines[-1] == f"[repository ready] {place}"
    assert "[repository 85%] Installing the kernel" in lines


def test_the_second_start_builds_nothing(server: GitServer, user: User) -> None:
    server.commit("again", {"requirements.txt": "tinypkg\n"})
    user.start("again")
    (place,) = user.environments
    made, asked = (place / "bin/python").lstat().st_ctime_ns, len(server.asked)
    user.start("again")
    assert user.environments == [place]
    assert (place / "bin/python").lstat().st_ctime_ns == made
    assert not [line for line in server.asked[asked:] if "/simple/" in line or "/wheels/" in line]


def test_two_at_once_build_one_environment(server: GitServer, user: User) -> None:
    server.commit("both", {"requirements.txt": "tinypkg\n"})
    starts = [
        subprocess.Popen(user.command("both"), env=user.env, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    seen = [json.loads(start.communicate(timeout=50)[0].splitlines()[-1]) for start in starts]
    assert len({each["VIRTUAL_ENV"] for each in seen}) == len(user.environments) == 1
    assert {each["cwd"] for each in seen} == {str(user.home / "repositories/both")}


def test_a_branch_a_tag_and_a_commit(server: GitServer, user: User) -> None:
    first = server.commit("refs", {"a": "1"})
    server.tag("refs", "v1")
    second = server.commit("refs", {"a": "2"}, branch="feature/x")
    place = user.home / "repositories/refs"
    for ref, commit in (("v1", first), ("feature/x", second), (first, first), ("", first)):
        assert user.start("refs", f"--ref={ref}")["cwd"] == str(place), "nothing was changed in it"
        assert git(place, "rev-parse", "HEAD") == commit
    assert user.refusal("refs", "--ref=nope") == "The repository has no branch or tag called nope."
    assert "no version" in user.refusal("refs", f"--ref={'0' * 40}")
    assert not [path for path in place.parent.iterdir() if path.name.startswith(".incoming")]


def test_what_the_user_changed_stays_and_the_new_commit_gets_a_directory_of_its_own(
    server: GitServer, user: User
) -> None:
    server.commit("work", {"a.ipynb": "theirs 1", "b": "1"})
    place = Path(user.start("work")["cwd"])
    (place / "a.ipynb").write_text("mine")
    assert user.start("work")["cwd"] == str(place), "the same commit is gone on with"
    commit = server.commit("work", {"a.ipynb": "theirs 2"})
    beside = Path(user.start("work")["cwd"])
    assert beside == place.parent / f"work-{commit[:8]}"
    assert (place / "a.ipynb").read_text() == "mine"
    assert (beside / "a.ipynb").read_text() == "theirs 2"
    assert user.start("work")["cwd"] == str(beside)


def test_own_commits_new_files_and_other_directories_are_in_nobodys_way(
    server: GitServer, user: User
) -> None:
    server.commit("mine", {".gitignore": "data\n", "a": "1"})
    place = Path(user.start("mine")["cwd"])
    # Nobody but git would know that the next commit has these, too.
    (place / "new.txt").write_text("mine")
    (place / "data").write_text("mine")
    server.commit("mine", {"new.txt": "theirs"})
    beside = Path(user.start("mine")["cwd"])
    assert beside != place
    assert (place / "new.txt").read_text() == "mine"
    assert (place / "data").read_text() == "mine"
    (place / "new.txt").unlink()
    git(place, "commit", "-q", "--allow-empty", "-m", "own work")
    own = git(place, "rev-parse", "HEAD")
    assert Path(user.start("mine")["cwd"]) == beside
    assert git(place, "rev-parse", "HEAD") == own
    (user.home / "repositories/plain").mkdir()
    (user.home / "repositories/plain/notes").write_text("mine")
    commit = server.commit("plain", {"notes": "theirs"})
    assert Path(user.start("plain")["cwd"]).name == f"plain-{commit[:8]}"
    assert (user.home / "repositories/plain/notes").read_text() == "mine"


@pytest.mark.parametrize(
    ("requirements", "reason"),
    [
        ("# x\n\ntinypkg\nno-such_package==3\n", "requirements.txt line 4: no such package no-such-package."),
        ("# x\ntinypkg==7\n", "requirements.txt line 2: there is no such version of tinypkg."),
        ("tinypkg\n\n!!a?\n", "requirements.txt line 3: this is no requirement that can be read."),
    ],
)
def test_requirements_that_cannot_be_had_are_named_with_their_line(
    server: GitServer, user: User, requirements: str, reason: str
) -> None:
    server.commit("wrong", {"requirements.txt": requirements})
    assert user.refusal("wrong") == reason
    assert user.environments == [], "nothing half made is left"


def test_projects_locks_and_environment_files(server: GitServer, user: User) -> None:
    project = (
        '[project]\nname = "own"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["tinypkg"]\n'
    )
    lock = (
        'version = 1\nrequires-python = ">=3.9"\n\n'
        '[[package]]\nname = "own"\nversion = "1"\nsource = { virtual = "." }\n'
    )
    locked = project.replace('["tinypkg"]', "[]")
    server.commit("locked", {"pyproject.toml": locked, "uv.lock": lock, "requirements.txt": "nope\n"})
    environment = "name: x\nchannels: [conda-forge]\ndependencies:\n- python\n- pip\n- pip:\n  - tinypkg\n"
    server.commit("conda", {"environment.yml": environment})
    server.commit("binder", {"binder/requirements.txt": "tinypkg\n", "requirements.txt": "no-such-package\n"})
    server.commit("tools", {"pyproject.toml": "[tool.ruff]\n"})
    for name in ("locked", "conda", "binder"):
        place = Path(user.start(name)["VIRTUAL_ENV"])
        assert (place / "share/jupyter/kernels/python3/kernel.json").exists(), name
        assert bool(list(place.glob("lib/*/site-packages/tinypkg.py"))) == (name != "locked"), name
    assert user.start("tools")["VIRTUAL_ENV"] is None
    server.commit("numpy", {"environment.yml": "dependencies:\n- numpy=1.26\n- python=3.11\n"})
    assert user.refusal("numpy", command=("sh",)).startswith(
        "environment.yml asks for packages of conda (numpy=1.26)"
    )
    server.commit("yaml", {"environment.yml": "dependencies:\n- [\n"})
    assert user.refusal("yaml") == "environment.yml line 3: this is no proper YAML."


def test_repositories_that_are_not_there(server: GitServer, user: User) -> None:
    assert user.refusal("absent") == f"There is no repository at {server.repo('absent')}."
    assert user.refusal("private/x") == "The repository is private, or does not exist."
    server.commit("there", {"a": "1"})
    assert user.refusal("moved/there").startswith("The repository has moved away")


def test_neither_hooks_nor_options_nor_other_protocols(server: GitServer, user: User, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    server.commit("plain2", {"a": "1"})
    template = tmp_path / "template/hooks"
    template.mkdir(parents=True)
    (template / "post-checkout").write_text(f"#!/bin/sh\ntouch {shlex.quote(str(mark))}\n")
    (template / "post-checkout").chmod(0o755)
    (user.home / ".gitconfig").write_text(
        f"[init]\ntemplateDir = {template.parent}\n[core]\nhooksPath = {template}\n"
    )
    user.start("plain2")
    for repo in (
        f"ext::touch {mark}",
        f"file://{server.root}/plain2.git",
        "--upload-pack=touch",
        str(server.root),
    ):
        words = [
            *user.command("plain2"),
        ]
        words[words.index("--repo") : words.index("--repo") + 2] = [f"--repo={repo}"]
        done = subprocess.run(words, env=user.env, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 1, repo
        assert "no repository that can be fetched" in done.stdout
    assert not mark.exists()


def test_limits_of_time_and_space(server: GitServer, user: User) -> None:
    server.commit("large", {"data": "".join(str(number) for number in range(300_000))})
    assert "larger than 1 MiB" in user.refusal("large", f"--largest={2**20}")
    server.commit("slow", {"a": "1", "requirements.txt": "tinypkg\n"})
    assert user.refusal("slow", "--seconds=0").startswith(
        "Getting the repository ready took longer than 0 seconds"
    )
    assert list((user.home / "repositories").glob("[!.]*")) == []


def test_a_build_does_not_see_the_servers_token_and_ends_with_it(
    server: GitServer, user: User, tmp_path: Path
) -> None:
    setup = (
        "import os, pathlib, time\n"
        "seen = str(os.getpid()) + ' ' + str(os.environ.get('JUPYTERHUB_API_TOKEN'))\n"
        f"pathlib.Path({str(tmp_path)!r}, 'seen').write_text(seen)\n"
        "time.sleep(600)\n"
    )
    backend = (
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
        '[project]\nname = "own"\nversion = "1"\n'
    )
    server.commit("builds", {"pyproject.toml": backend, "slow.py": setup})
    running = subprocess.Popen(
        user.command("builds"), env=user.env, stdout=subprocess.DEVNULL, start_new_session=True
    )
    until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text(), "the build to begin")
    pid, token = (tmp_path / "seen").read_text().split()
    assert token == "None"
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 143
    until(lambda: not processes.is_alive(int(pid)), "the build to end")
    assert user.environments == []


def test_environments_go_when_nobody_used_them_for_long(server: GitServer, user: User) -> None:
    server.commit("old", {"requirements.txt": "tinypkg\n"})
    user.start("old")
    (old,) = user.environments
    sleeper = subprocess.Popen(
        user.command("old", command=("sleep", "60")), env=user.env, stdout=subprocess.PIPE, text=True
    )
    assert sleeper.stdout is not None
    while not sleeper.stdout.readline().startswith("[repository ready]"):
        assert sleeper.poll() is None
    long_ago = (1.0, 1.0)
    os.utime(old / ".carrel-complete", long_ago)
    server.commit("new", {"requirements.txt": "tinypkg\n# more\n"})
    user.start("new")
    assert old in user.environments, "a server that runs still uses it"
    sleeper.kill()
    sleeper.wait()
    sleeper.stdout.close()
    os.utime(old / ".carrel-complete", long_ago)
    user.start("new")
    assert old not in user.environments
    assert len(user.environments) == 1
