"""The environment that a repository asks for, built with uv (or conda, where it has to be)."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from carrel_client.repository.cache import Cache
from carrel_client.repository.checkout import WorkingCopy
from carrel_client.repository.plan import Plan
from carrel_client.repository.programs import ProgramFailed, Programs
from carrel_client.repository.report import Failed, Report
from carrel_client.repository.uv_errors import explained

_CONDAS = ("micromamba", "mamba", "conda")
_TOLD = re.compile(r"(?:Resolved|Prepared|Installed|Downloading|Building|Built|Creating)\b.*")
_INSTALL = "The administrator has to install it: pip install 'carrel-client[repositories]'."


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds environments for one working copy."""

    copy: WorkingCopy
    programs: Programs
    report: Report
    packages: Sequence[str]
    """What every environment has: the kernel."""

    def environment(self, plan: Plan, cache: Cache) -> Path:
        """Return the environment of a plan, as it was built before or as it is built now. Raises Failed."""
        uv = find_uv()
        known = [str(self.copy.directory), self.copy.commit, plan.fingerprint(), *self.packages]
        key = hashlib.sha256("\0".join([*known, sys.version.partition(" ")[0]]).encode()).hexdigest()[:32]
        self.report.step(f"Looking for the environment of {plan.file.name}", 50)

        def build(place: Path) -> None:
            self.report.step(f"Building the environment of {plan.file.name}", 55)
            _BUILDERS[plan.kind](self, uv, plan, place)
            self.report.step("Installing the kernel", 85)
            self._install(uv, plan, place, *self.packages)
            self._write_kernel(place)
            self.programs.check_size(place)

        return cache.get(key, build)

    def _from_requirements(self, uv: str, plan: Plan, place: Path) -> None:
        self._make(uv, plan, place)
        self._install(uv, plan, place, "-r", str(plan.file))

    def _from_project(self, uv: str, plan: Plan, place: Path) -> None:
        self._make(uv, plan, place)
        self._install(uv, plan, place, "-e", str(plan.file.parent))

    def _from_lock(self, uv: str, plan: Plan, place: Path) -> None:
        words = [uv, "sync", "--frozen", "--project", str(plan.file.parent)]
        self._run(words, plan, place, {"UV_PROJECT_ENVIRONMENT": str(place)})

    def _from_conda(self, uv: str, plan: Plan, place: Path) -> None:
        if plan.packages:
            self._with_conda(plan, place)
            return
        self._make(uv, plan, place)
        if plan.requirements:
            self._install(uv, plan, place, "--", *plan.requirements)

    def _with_conda(self, plan: Plan, place: Path) -> None:
        conda = next((found for name in _CONDAS if (found := shutil.which(name))), None)
        if conda is None:
            few = ", ".join(plan.packages[:3]) + (", …" if len(plan.packages) > 3 else "")
            raise Failed(
                f"{plan.file.name} asks for packages of conda ({few}), which is not installed here.",
                "Put them under pip: in that file, or ask the administrator to install micromamba.",
            )
        create = ["create"] if conda.endswith("micromamba") else ["env", "create"]
        yes = ["--yes"] if conda.endswith("micromamba") else []
        words = [conda, *create, *yes, "--prefix", str(place), "--file", str(plan.file)]
        self._run(words, plan, place, {})

    def _make(self, uv: str, plan: Plan, place: Path) -> None:
        python = ["--python", plan.python] if plan.python else []
        self._run([uv, "venv", "--quiet", *python, str(place)], plan, place, {})

    def _install(self, uv: str, plan: Plan, place: Path, *what: str) -> None:
        if what:
            python = str(place / "bin" / "python")
            self._run([uv, "pip", "install", "--python", python, *what], plan, place, {})

    def _run(self, words: Sequence[str], plan: Plan, place: Path, env: dict[str, str]) -> None:
        env |= {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "VIRTUAL_ENV": ""}
        try:
            self.programs.run(words, cwd=self.copy.directory, grows=place, env=env, heard=self._heard)
        except ProgramFailed as problem:
            self.report.quote(problem.output)
            raise explained(plan.file, problem.output) from None

    def _heard(self, line: str) -> None:
        if _TOLD.fullmatch(line):
            self.report.step(line)

    def _write_kernel(self, place: Path) -> None:
        """Make this environment's Python the kernel that notebooks ask for by the usual name."""
        python = place / "bin" / "python"
        kernel = {
            "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": f"Python 3 ({self.copy.directory.name})",
            "language": "python",
            "metadata": {"debugger": True},
        }
        directory = place / "share" / "jupyter" / "kernels" / "python3"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "kernel.json").write_text(json.dumps(kernel))


def find_uv() -> str:
    """Return where uv is: beside this program, or on the PATH. Raises Failed."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise Failed("uv is not installed where the server runs.", _INSTALL)
    return found


_Build = Callable[[Builder, str, Plan, Path], None]
_BUILDERS: dict[str, _Build] = {
    "requirements": Builder._from_requirements,
    "project": Builder._from_project,
    "lock": Builder._from_lock,
    "conda": Builder._from_conda,
}
