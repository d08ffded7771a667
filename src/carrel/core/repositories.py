"""Starting a server of one's own from a Git repository that a link names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import ask_to_start, find_servers
from carrel.domain.errors import Conflict, Invalid
from carrel.domain.names import full_name, server_prefix, server_slug
from carrel.domain.repositories import Repository, read_repository
from carrel.domain.servers import Server
from carrel.spawners.repositories import OPTION, repositories_of


@dataclass(frozen=True, slots=True)
class Launch:
    """What a link comes to for one user."""

    repository: Repository
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
    if not ctx.spawner_class.opens_repositories:
        raise Invalid("Servers of this hub cannot be started from repositories.", field="repo")
    servers = await find_servers(ctx, caller.user)
    name = _server_name(ctx, servers, repository)
    server = next((each for each in servers if each.name == name), None)
    prefix = server_prefix(ctx.settings.base_url, caller.user.name, name)
    return Launch(repository, name, server, prefix + settings.page_of(repository))


async def launch(ctx: HubContext, caller: Caller, asked: Mapping[str, object]) -> tuple[Launch, Server]:
    """Record that the caller wants a server from a repository; return what it comes to, and its row.

    May be repeated: what is open or on its way already is returned as it is. Raises what `look_at_launch` and
    `ask_to_start` raise, and Conflict when the server that it would be for does something else.
    """
    found = await look_at_launch(ctx, caller, asked)
    if found.is_open and found.server is not None:
        return found, found.server
    if found.is_busy:
        raise Conflict("Your server is running something else. Stop it first.")
    options = {OPTION: found.repository.as_option()}
    shown = found.repository.name if found.server_name else ""
    server = await ask_to_start(ctx, caller, caller.user.name, found.server_name, options, display_name=shown)
    return found, server


def _server_name(ctx: HubContext, servers: list[Server], repository: Repository) -> str:
    """Return which server it is for: one that was started from there before, else a new or the only one."""
    if not ctx.settings.allow_named_servers:
        return ""
    same = [each for each in servers if _chosen(each).get("repo") == repository.repo]
    exact = [each for each in same if _is_from(each, repository)]
    for each in (*exact, *(each for each in same if not each.active)):
        return each.name
    return server_slug(repository.name, {each.name for each in servers})


def _is_from(server: Server, repository: Repository) -> bool:
    chosen = _chosen(server)
    return (chosen.get("repo"), chosen.get("ref")) == (repository.repo, repository.ref)


def _chosen(server: Server) -> Mapping[str, Any]:
    chosen = server.user_options.get(OPTION)
    return chosen if isinstance(chosen, Mapping) else {}
