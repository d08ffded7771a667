"""A working copy of a repository, for its user to work in: never one over another's changes."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from carrel_client.repository.locks import lock
from carrel_client.repository.programs import ProgramFailed, Programs
from carrel_client.repository.report import Failed, Report

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCHEMES = ("https", "http", "ssh")
#: Where the commit is noted that we have checked out: another HEAD is the user's own work.
_NOTE = "carrel-commit"
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Source:
    """What is wanted of which repository."""

    repo: str
    ref: str = ""
    submodules: bool = False

    def __post_init__(self) -> None:
        if urlsplit(self.repo).scheme not in _SCHEMES or self.ref.startswith("-"):
            raise Failed(f"{self.repo!r} at {self.ref!r} is no repository that can be fetched.")

    @property
    def name(self) -> str:
        """Return what its directory is called."""
        last = self.repo.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
        return re.sub(r"[^A-Za-z0-9._-]", "-", last).lstrip(".-") or "repository"


@dataclass(frozen=True, slots=True)
class WorkingCopy:
    """A directory in which a commit is checked out."""

    directory: Path
    commit: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """Fetches one source into directories below `base`."""

    source: Source
    base: Path
    programs: Programs
    report: Report

    def make(self) -> WorkingCopy:
        """Return a working copy of what is wanted. May be repeated, and by several processes at once.

        One that is there already is used when it has this commit, with the user's changes in it, and is moved
        on to it when nothing in it was changed; else there will be one more beside it. Raises Failed.
        """
        self.base.mkdir(parents=True, exist_ok=True)
        with self._locked():
            name, commit = self._resolve()
            for directory in self._candidates(commit):
                found = self._use(directory, name, commit)
                if found is not None:
                    return found
        raise Failed(
            f"There are too many working copies of {self.source.name} in {self.base}.",
            "Remove those that you do not need any more.",
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time work on the working copies of a directory."""
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
        descriptor = os.open(self.base / ".carrel-lock", flags, 0o600)
        try:
            lock(descriptor, self.programs.limits, self.report)
            yield
        finally:
            os.close(descriptor)

    def _candidates(self, commit: str) -> Iterator[Path]:
        yield self.base / self.source.name
        distinct = f"{self.source.name}-{commit[:8]}"
        yield self.base / distinct
        yield from (self.base / f"{distinct}-{number}" for number in range(2, _TRIES))

    def _use(self, directory: Path, name: str, commit: str) -> WorkingCopy | None:
        """Return the working copy in `directory`, made or moved as needed; None where nothing may be done."""
        if not os.path.lexists(directory):
            return self._clone(directory, name)
        if not self._is_same(directory):
            return None
        head = self._ask(directory, "rev-parse", "--verify", "-q", "HEAD")
        if head == commit:
            return WorkingCopy(directory, commit)
        unchanged = head == _noted(directory) and not self._ask(
            directory, "status", "--porcelain", "--untracked-files=no"
        )
        return self._move(directory, name) if unchanged else None

    def _is_same(self, directory: Path) -> bool:
        if directory.is_symlink() or not (directory / ".git").is_dir():
            return False
        try:
            return self._ask(directory, "config", "--get", "remote.origin.url") == self.source.repo
        except ProgramFailed:
            return False

    def _resolve(self) -> tuple[str, str]:
        """Return what to fetch, by its whole name, and the commit that it is now. Raises Failed."""
        ref = self.source.ref
        if _COMMIT.fullmatch(ref):
            return ref, ref
        self.report.step(f"Looking for {ref or 'the newest version'} in {self.source.repo}", 25)
        wanted = [ref, f"{ref}^{{}}"] if ref else ["HEAD"]
        answer = self._reach(self.base, "ls-remote", "--quiet", self.source.repo, *wanted)
        lines = (line.partition("\t") for line in answer.splitlines())
        found = {name: commit for commit, tab, name in lines if tab}
        if not ref and "HEAD" in found:
            return "HEAD", found["HEAD"]
        for name in (f"refs/heads/{ref}", f"refs/tags/{ref}", ref):
            if name in found:
                return name, found.get(f"{name}^{{}}", found[name])
        if not ref:
            raise Failed("The repository is empty.")
        raise Failed(
            f"The repository has no branch or tag called {ref}.",
            "Correct it, or give all 40 characters of a commit.",
        )

    def _clone(self, directory: Path, name: str) -> WorkingCopy:
        self.report.step(f"Fetching {self.source.repo}", 35)
        incoming = Path(tempfile.mkdtemp(prefix=".incoming-", dir=self.base))
        try:
            self._ask(incoming, "init", "--quiet", "--template=")
            self._ask(incoming, "remote", "add", "origin", self.source.repo)
            copy = self._fetch(incoming, name, weighed=incoming)
            self.programs.check_size(incoming)
            os.chmod(incoming, 0o777 & ~_umask())
            incoming.rename(directory)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return WorkingCopy(directory, copy.commit)

    def _move(self, directory: Path, name: str) -> WorkingCopy | None:
        self.report.step(f"Bringing {directory.name} up to date", 35)
        try:
            return self._fetch(directory, name, weighed=directory / ".git")
        except ProgramFailed as refused:
            # Something that git does not know stands where it would put a file.
            self.report.step(f"{directory.name} is left as it is")
            self.report.quote(refused.output)
            return None

    def _fetch(self, directory: Path, name: str, *, weighed: Path) -> WorkingCopy:
        """Fetch and check out, over nothing that is not of the commit before. Raises Failed, ProgramFailed.

        `weighed` is what has to keep within the limits meanwhile: what users put beside it is theirs.
        """
        fetch = ("fetch", "--quiet", "--no-tags", "--depth=1", "origin", name)
        self._reach(directory, *fetch, weighed=weighed)
        commit = self._ask(directory, "rev-parse", "--verify", "-q", "FETCH_HEAD^{commit}")
        checkout = ("checkout", "--quiet", "--no-overwrite-ignore", "--detach", commit)
        self._ask(directory, *checkout, weighed=weighed)
        if self.source.submodules:
            update = ("submodule", "update", "--quiet", "--init", "--recursive", "--depth=1")
            self._reach(directory, *update, weighed=weighed)
        (directory / ".git" / _NOTE).write_text(commit)
        return WorkingCopy(directory, commit)

    def _reach(self, directory: Path, *words: str, weighed: Path | None = None) -> str:
        """Run a git command that asks the other side. Raises Failed with what stands in the way."""
        try:
            return self._ask(directory, *words, weighed=weighed)
        except ProgramFailed as problem:
            self.report.quote(problem.output)
            raise _explained(self.source, problem.output) from None

    def _ask(self, directory: Path, *words: str, weighed: Path | None = None) -> str:
        scheme = urlsplit(self.source.repo).scheme
        settings = {
            "core.hooksPath": os.devnull,
            "core.fsmonitor": "false",
            "http.followRedirects": "false",
            "protocol.allow": "never",
            f"protocol.{scheme}.allow": "always",
            "submodule.recurse": "false",
            "gc.auto": "0",
            "filter.lfs.required": "false",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = ["git", *options, *words]
        try:
            return self.programs.run(command, cwd=directory, grows=weighed, env=_quiet(scheme)).strip()
        except FileNotFoundError:
            raise Failed(
                "git is not installed where the server runs.", "The administrator has to install it."
            ) from None


def _quiet(scheme: str) -> dict[str, str]:
    """Return the variables with which git asks nobody anything and speaks one protocol only."""
    return {
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }


def _noted(directory: Path) -> str:
    try:
        return (directory / ".git" / _NOTE).read_text()
    except OSError:
        return ""


_REASONS = (
    (
        r"Authentication failed|could not read Username|403|Permission denied|HTTP Basic",
        "The repository is private, or does not exist.",
        "Correct the address. To use a private one, store its credentials with git in a terminal first.",
    ),
    (
        r"not found|does not exist|returned error: 404",
        "There is no repository at {repo}.",
        "Correct the address.",
    ),
    (
        r"unable to update url base from redirection|error: 30[1278]|redirect",
        "The repository has moved away from {repo}.",
        "Use its new address.",
    ),
    (
        r"Could not resolve host|unable to access|Connection|timed out|unreachable",
        "{repo} cannot be reached.",
        "Try again later; if it fails again, tell the administrator.",
    ),
    (
        r"couldn't find remote ref|not our ref|no such remote ref|unadvertised object",
        "The repository has no version {ref}.",
        "Correct it: a branch, a tag, or all 40 characters of a commit.",
    ),
)


def _explained(source: Source, output: str) -> Failed:
    for pattern, message, hint in _REASONS:
        if re.search(pattern, output, re.IGNORECASE):
            return Failed(message.format(repo=source.repo, ref=source.ref), hint)
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "git does not say why")
    return Failed(f"The repository could not be fetched: {last}")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
