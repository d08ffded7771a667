"""Starting a server of one's own from a Git repository that a link names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.profiles import list_profiles
from carrel.core.servers import ask_to_start, ask_to_stop, find_servers, wait_until_settled
from carrel.domain.errors import Conflict, Invalid
from carrel.domain.names import full_name, server_prefix, server_slug
from carrel.domain.profile_options import RepositoryRule
from carrel.domain.profiles import OPTIONS, PROFILE, select
from carrel.domain.repositories import Repository, read_repository, split_text
from carrel.domain.servers import Server
from carrel.spawners.repositories import OPTION, repositories_of

#: How long somebody waits for their server to stop before they are asked to come again, in seconds.
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What a link comes to for one user."""

    repository: Repository
    options: Mapping[str, Any]
    """The options of a server that is started so."""
    server_name: str
    """Which of the user's servers it is for."""
    server: Server | None
    """That one as it is, None when it was never there."""
    aim: str
    """The page that shows the repository, once the server is there."""

    @property
    def is_open(self) -> bool:
        """Tell whether a server is there, or on its way, that was started from this very place."""
        server = self.server
        on_its_way = server is not None and (server.ready or server.pending == "spawn")
        return on_its_way and server is not None and _is_from(server, self.repository)

    @property
    def is_busy(self) -> bool:
        """Tell whether the server that it would be for does something else."""
        return self.server is not None and self.server.active and not self.is_open


async def look_at_launch(ctx: HubContext, caller: Caller, asked: Mapping[str, object]) -> Launch:
    """Return what starting from a repository would mean for the caller; changes nothing.

    `asked` is {repo, ref, path} as somebody else may have written it. Raises Invalid with the field that is
    wrong, or when servers here are not started from repositories.
    """
    caller.require("start:servers", user=caller.user.name, server=full_name(caller.user.name, ""))
    settings = repositories_of(ctx.settings.plugins)
    repository = read_repository(asked, settings.rules)
    options = await _options(ctx, caller, repository)
    servers = await find_servers(ctx, caller.user)
    name = _server_name(ctx, servers, repository)
    server = next((each for each in servers if each.name == name), None)
    prefix = server_prefix(ctx.settings.base_url, caller.user.name, name)
    return Launch(repository, options, name, server, prefix + settings.page_of(repository))


async def launch(
    ctx: HubContext, caller: Caller, asked: Mapping[str, object], *, stop_first: bool = False
) -> tuple[Launch, Server]:
    """Record that the caller wants a server from a repository; return what it comes to, and its row.

    May be repeated: what is open or on its way already is returned as it is. Raises what `look_at_launch` and
    `ask_to_start` raise, and Conflict when the server that it would be for does something else, or is still
    stopping when it was to `stop_first`.
    """
    found = await look_at_launch(ctx, caller, asked)
    if found.is_open and found.server is not None:
        return found, found.server
    if found.is_busy:
        if not stop_first or found.server is None:
            raise Conflict("Your server is running something else.")
        await ask_to_stop(ctx, caller, caller.user.name, found.server_name)
        at_rest = await wait_until_settled(ctx, found.server, _STOP_SECONDS)
        if at_rest is not None and at_rest.active:
            raise Conflict("Your server is still stopping. Try again in a moment.")
    shown = found.repository.name if found.server_name else ""
    server = await ask_to_start(
        ctx, caller, caller.user.name, found.server_name, found.options, display_name=shown
    )
    return found, server


async def _options(ctx: HubContext, caller: Caller, repository: Repository) -> Mapping[str, Any]:
    """Return the options of a start from a repository: of the first profile that takes one, or of their own.

    Raises Invalid when the caller's servers are not started from repositories.
    """
    if not ctx.profiles.in_use:
        if ctx.spawner_class.opens_repositories:
            return {OPTION: repository.as_option()}
        raise Invalid("Servers of this hub cannot be started from repositories.", field="repo")
    refused = "None of the profiles that you may choose opens repositories."
    for profile in await list_profiles(ctx, caller, caller.user.name):
        option = next((each for each in profile.options if isinstance(each.rule, RepositoryRule)), None)
        if option is None:
            continue
        wanted = {PROFILE: profile.id, OPTIONS: {option.name: repository.text}}
        try:
            return select([profile], wanted).user_options
        except Invalid as error:
            refused = str(error)
    raise Invalid(refused, field="repo")


def _server_name(ctx: HubContext, servers: list[Server], repository: Repository) -> str:
    """Return which server it is for: one that was started from there before, else a new or the only one."""
    if not ctx.settings.allow_named_servers:
        return ""
    same = [each for each in servers if repository.repo in {repo for repo, _ in _chosen(each)}]
    exact = [each for each in same if _is_from(each, repository)]
    for each in (*exact, *(each for each in same if not each.active)):
        return each.name
    return server_slug(repository.name, {each.name for each in servers})


def _is_from(server: Server, repository: Repository) -> bool:
    return (repository.repo, repository.ref) in _chosen(server)


def _chosen(server: Server) -> set[tuple[str, str]]:
    """Return the repositories and refs that the options of a server name, by themselves or in a profile."""
    options = server.user_options
    within = options.get(OPTIONS)
    named = [options.get(OPTION), *(within.values() if isinstance(within, Mapping) else ())]
    found = [split_text(each) if isinstance(each, str) else each for each in named]
    return {(str(each.get("repo")), str(each.get("ref"))) for each in found if isinstance(each, Mapping)}
