"""Configurations in the style of real ones, each with what is expected of it at its end.

Lines that begin with `#:` say, each as often as it takes:
`login` - `NAME:PASSWORD`, `account` for one of this machine's, `page` for the form alone, `none` for no page,
`any` for a hub that answers, or words of the log-in page;
`options` - what is added to the command line, because the real place does not exist here;
`environ` - variables; `files` - what stands beside it, of `configs/files`; `base_url`;
`needs` - `plug-ins`, or what Carrel must have to read it;
`warns` - warnings of a start; `check` - kind and setting of each point of `carrel check-config`;
`broken` - the only line that either command prints.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent / "configs"


@dataclass(frozen=True, slots=True)
class Sample:
    """One configuration."""

    path: Path
    text: str
    login: str
    options: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[str] = ()
    needs: Sequence[str] = ()
    warns: Sequence[str] = ()
    check: Sequence[str] = ()
    broken: str = ""
    base_url: str = "/"

    @property
    def name(self) -> str:
        """Its name among the samples."""
        return self.path.stem

    @property
    def file_name(self) -> str:
        """What it is called in the hub's directory."""
        return f"jupyterhub_config{self.path.suffix}"

    def install(self, directory: Path) -> None:
        """Write it and what stands beside it into a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        # What is expected would be found in the file, such as a password that it takes from elsewhere.
        kept = [line for line in self.text.splitlines(keepends=True) if not line.startswith("#: ")]
        (directory / self.file_name).write_text("".join(kept))
        for name in self.files:
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(HERE / "files" / name, target)


def all_samples() -> list[Sample]:
    """Return all of them, by name."""
    return [_read(path) for path in sorted(HERE.iterdir()) if path.suffix in (".py", ".json")]


def _read(path: Path) -> Sample:
    text = path.read_text()
    aside = path.with_suffix(".expected")
    found: dict[str, list[str]] = {}
    for name, value in _expectations(aside.read_text() if aside.exists() else text):
        found.setdefault(name, []).append(value)
    words = {
        name: shlex.split(" ".join(found.get(name, ()))) for name in ("options", "environ", "files", "needs")
    }
    return Sample(
        path=path,
        text=text,
        login="".join(found.get("login", ["none"])),
        options=words["options"],
        environ=dict(word.split("=", 1) for word in words["environ"]),
        files=words["files"],
        needs=words["needs"],
        warns=found.get("warns", ()),
        check=found.get("check", ()),
        broken="".join(found.get("broken", ())),
        base_url="".join(found.get("base_url", ["/"])),
    )


def _expectations(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.startswith("#: "):
            name, _, value = line[3:].partition(" = ")
            yield name.strip(), value.strip()
