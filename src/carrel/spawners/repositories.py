"""Servers that are started from a Git repository: what is allowed, what gets it ready, and how far it is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from traitlets import Bool, Float, Integer, List, TraitError, Unicode
from traitlets.config import Config, Configurable

from carrel.domain.errors import Invalid
from carrel.domain.repositories import Repository, RepositoryRules, read_prefix, read_repository
from carrel.spawners.errors import StartError
from carrel.spawners.traits import ByteSpecification, Command

OPTION = "repository"
"""Where the options of a server keep the repository that a link has named."""
_LINE = re.compile(r"\[repository (?:(?P<progress>\d{1,2})%|(?P<ready>ready))\] (?P<message>.{1,400})")
_LONGEST_LINE = 64 * 1024
_MOST_STEPS = 150


class _Prefix(Unicode[str, Any]):
    """A prefix of repositories' addresses."""

    info_text = "the beginning of an address, such as https://github.com/our-school"

    def validate(self, obj: Any, value: Any) -> str:
        text = str(super().validate(obj, value))
        try:
            return read_prefix(text)
        except Invalid as error:
            raise TraitError(f"{self.name}: {error}") from None


class Repositories(Configurable):
    """What servers may be started from, and what getting it ready may take."""

    allowed: Any = List(
        _Prefix(),
        help="The beginnings of addresses of repositories that servers may start from: a host (github.com)"
        " or more (https://git.example.org/class, ssh://git@git.example.org/class); '*' is every host"
        " by https. Empty allows none. Their code runs with the rights of the user who opens them.",
    ).tag(config=True)
    timeout = Integer(
        600, min=1, help="How long fetching a repository and building its environment may take, in seconds."
    ).tag(config=True)
    max_size: Any = ByteSpecification(
        2 * 2**30, help="The largest that a working copy may be, and an environment (2G)."
    ).tag(config=True)
    submodules = Bool(False, help="Fetch the submodules of repositories, too.").tag(config=True)
    directory = Unicode(
        "repositories", help="Where working copies are made, below the user's home directory."
    ).tag(config=True)
    keep_days = Float(
        30.0, min=0, help="After how many days without use an environment of the user's cache is removed."
    ).tag(config=True)
    packages: Any = List(
        Unicode(),
        ["ipykernel", "pip"],
        help="What every environment has beside what the repository asks for.",
    ).tag(config=True)
    page = Unicode(
        "lab/tree/{path}",
        help="The page of the server that shows a path of the repository; {path} is expanded.",
    ).tag(config=True)
    command: Any = Command(
        None,
        allow_none=True,
        help="The program that gets a repository ready where the server runs; it belongs to carrel-client."
        " None is the hub's own Python's, and carrel-repository in containers.",
    ).tag(config=True)

    @property
    def rules(self) -> RepositoryRules:
        """Return which repositories are allowed."""
        return RepositoryRules(tuple(self.allowed))

    def page_of(self, repository: Repository) -> str:
        """Return the page that shows what a repository was opened for, below the server's own address."""
        return self.page.replace("{path}", repository.quoted_path)

    def words(self, repository: Repository, program: Sequence[str]) -> list[str]:
        """Return the command line that gets a repository ready and then runs what follows it.

        `program` is what does so where the settings name none.
        """
        options = {
            "repo": repository.repo,
            "ref": repository.ref,
            "path": repository.path,
            "directory": self.directory,
            "seconds": self.timeout,
            "largest": self.max_size,
            "keep-days": self.keep_days,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        words += [f"--package={each}" for each in self.packages]
        return [*(self.command or program), *words, *(["--submodules"] if self.submodules else []), "--"]


def repositories_of(config: Config | None) -> Repositories:
    """Return what the configuration says of repositories."""
    return Repositories(config=config if config is not None else Config())


def choose_repository(spawner: Any, options: Mapping[str, Any]) -> None:
    """Let a start be from the repository that was chosen, if any, and have the time for it.

    Raises Invalid for one that is not allowed, StartError for a driver that does not put `preparation` before
    its command.
    """
    settings = repositories_of(spawner.config)
    chosen = chosen_repository(settings, options, spawner.repository)
    if chosen is None:
        return
    if not spawner.opens_repositories:
        raise StartError(f"{type(spawner).__name__} does not start servers from repositories.")
    spawner.repository = chosen.as_option()
    spawner.start_timeout += settings.timeout


def preparation(spawner: Any) -> list[str]:
    """Return the words that stand before a spawner's command; none without a repository."""
    settings = repositories_of(spawner.config)
    chosen = chosen_repository(settings, {}, spawner.repository)
    return settings.words(chosen, spawner.repository_program) if chosen is not None else []


def chosen_repository(settings: Repositories, options: Mapping[str, Any], own: object) -> Repository | None:
    """Return the repository that a start is from: that of its options, else the driver's `own`, if any.

    Raises Invalid for one that is not allowed, whoever has named it. A field of a deployer's form that
    happens to have the same name is left alone.
    """
    named = options.get(OPTION)
    wanted = named if isinstance(named, Mapping) else own
    return read_repository(wanted, settings.rules) if wanted else None


async def follow(output: AsyncIterator[bytes], tell: Callable[[int, str], None]) -> None:
    """Return when a server's output says that its repository is ready, or when the output ends.

    `tell` is given each step meanwhile, in percent and words. What stands there is the user's to write.
    """
    rest, told = b"", 0
    async for data in output:
        *lines, rest = (rest[-_LONGEST_LINE:] + data).split(b"\n")
        for line in lines:
            match = _LINE.match(line.decode(errors="replace"))
            if match is not None and match["ready"]:
                return
            if match is not None and told < _MOST_STEPS:
                told += 1
                tell(int(match["progress"]), match["message"].rstrip())
