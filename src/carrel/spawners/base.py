"""The public Spawner class: JupyterHub's settings, attributes and methods, and the optional methods of ours.

A spawner belongs to one run of one server. What it sets on itself is there in later calls, for as long as
the hub's process lives; after a restart of the hub a new one is built, and knows only what `get_state()`
returned.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, ClassVar

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Float, Instance, Integer, List, Unicode, Union, default
from traitlets import Callable as CallableTrait

from carrel.domain.devices import environment_of
from carrel.domain.names import full_name
from carrel.lib.awaiting import resolve
from carrel.lib.net import join_host
from carrel.spawners.choices import Choices
from carrel.spawners.environment import ServerFacts, labels, server_environment
from carrel.spawners.imported import ImportedRun
from carrel.spawners.reports import Orphan, Usage, Waiting, exit_status
from carrel.spawners.repositories import preparation
from carrel.spawners.shared import Shared
from carrel.spawners.templates import expand
from carrel.spawners.traits import ByteSpecification, Command, setting
from carrel.spawners.views import ServerView

_log = logging.getLogger("carrel.spawners")


class Spawner(Choices):
    """Starts, polls and stops one server. A driver defines `start`, `stop` and `poll`."""

    # What the hub sets
    proxy_spec = Unicode()
    api_token = Unicode()
    oauth_client_id = Unicode()
    oauth_access_scopes: Any = List(Unicode())
    cookie_options: Any = Dict()
    cookie_host_prefix_enabled = Bool(False)
    user_options: Any = Dict()
    cert_paths: Any = Dict()
    internal_ssl = Bool(False)
    admin_access = Bool(False)
    lent_devices: Any = Dict()
    """The devices that a run has to itself, from its start on, by kind."""
    device_variables: Any = Dict()
    """The variable that tells a server of its devices, by kind."""
    log_directory = Unicode()
    state_saver: Any = AnyTrait()
    """An async function of the state, where `save_state` goes; the hub sets it. A driver inside another one
    may call it too: the hub asks its own driver for the state then."""
    shared: Any = Instance(Shared, ())
    """What all drivers of this hub have in common; the hub sets it and ends what is in it."""
    death_interval = Float(0.1)
    """How often `wait_for_death` looks at first, in seconds."""

    bound_to_node: ClassVar[bool] = False
    """True of a driver whose servers can only be reached from the machine that started them: of several hubs
    that share a database, one on that machine polls and stops them."""
    will_resume: bool = False
    """A driver whose server keeps its token over a stop sets it to True."""
    knows_death: bool = True
    """A driver whose `poll` cannot tell whether the server has ended sets it to False: then one counts as
    ended when three probes of its own address have failed in a row, over half a minute or more."""

    # What the configuration sets
    cmd: Any = setting(
        Command(["carrel-singleuser"], allow_none=True),
        "The command that starts a server.",
    )
    args: Any = setting(List(Unicode()), "Further words of the command.")
    ip = setting(Unicode("127.0.0.1"), "The address that a server listens on.")
    port = setting(Integer(0), "The port that a server listens on; 0 means any free one.")
    hub_connect_url: Any = setting(
        Unicode(None, allow_none=True), "Where servers reach the hub, when it is not where the hub says."
    )
    start_timeout = setting(Integer(60), "How long start() may take, in seconds.")
    queue_timeout: Any = setting(
        Integer(None, allow_none=True, min=0),
        "How long a start may wait in the queue of its back end, in seconds; 0 means as long as it takes."
        " start_timeout begins after it. Without a value waiting there is a part of start_timeout.",
    )
    http_timeout = setting(Integer(30), "How long a started server may take to answer, in seconds.")
    poll_interval = setting(Integer(30), "How often a server is looked at, in seconds.")
    poll_jitter = setting(Float(0.1, min=0), "By which part of it poll_interval varies.")
    consecutive_failure_limit = setting(
        Integer(0), "Stop the hub after so many failed starts in a row; 0 means never."
    )
    environment: Any = setting(
        Dict(), "Further variables: text, or a callable that takes the spawner. They win over the hub's."
    )
    env_keep: Any = setting(
        List(["JUPYTERHUB_SINGLEUSER_APP"]), "The hub's own variables that servers are given."
    )
    notebook_dir = setting(Unicode(), "The directory that a server shows; {username} is expanded.")
    default_url = setting(Unicode(), "The page that a server opens; {username} is expanded.")
    disable_user_config = setting(Bool(False), "Ignore the configuration files of users.")
    debug = setting(Bool(False), "Let servers log at DEBUG.")
    mem_limit: Any = setting(
        ByteSpecification(None, allow_none=True), "The most memory that a server may use (1G)."
    )
    mem_guarantee: Any = setting(
        ByteSpecification(None, allow_none=True), "The memory that a server is sure to get."
    )
    cpu_limit: Any = setting(Float(None, allow_none=True), "The most CPUs that a server may use.")
    cpu_guarantee: Any = setting(Float(None, allow_none=True), "The CPUs that a server is sure to get.")
    devices: Any = setting(
        Dict(), "The devices of c.Carrel.device_pools that a server has to itself: {'gpu': 1}."
    )
    pre_spawn_hook: Any = setting(CallableTrait(None, allow_none=True), "Called before a start (spawner).")
    post_stop_hook: Any = setting(CallableTrait(None, allow_none=True), "Called after a stop (spawner).")
    auth_state_hook: Any = setting(
        CallableTrait(None, allow_none=True), "Called before a start (spawner, auth_state)."
    )
    progress_ready_hook: Any = setting(
        CallableTrait(None, allow_none=True),
        "Called at its end (spawner, event); may change the event.",
    )
    oauth_client_allowed_scopes: Any = setting(
        Union([CallableTrait(), List()], default_value=[]),
        "What visitors may grant a server.",
    )
    oauth_roles: Any = setting(
        Union([CallableTrait(), List()], default_value=[]), "Deprecated: use oauth_client_allowed_scopes."
    )
    server_token_scopes: Any = setting(
        Union([List(), CallableTrait()], default_value=[]), "The scopes of a server's own token."
    )
    ssl_alt_names: Any = setting(List(Unicode()), "Further names in a server's certificate.")
    ssl_alt_names_include_local = setting(Bool(True), "Put the local names into a server's certificate.")

    _configurable: ClassVar[dict[str, Any]]
    _required: ClassVar[tuple[str, ...]] = ("start", "stop", "poll")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        missing = [name for name in Spawner._required if getattr(cls, name) is getattr(Spawner, name)]
        if missing:
            raise NotImplementedError(f"{cls.__name__} has to define {', '.join(f'{m}()' for m in missing)}")

    def traits(self, **metadata: Any) -> dict[str, Any]:
        """Return the traits with this metadata."""
        if metadata != {"config": True}:
            return super().traits(**metadata)
        # Every construction asks for these, and they are a third of its time: look them up once a class.
        cls = type(self)
        if "_configurable" not in cls.__dict__:
            cls._configurable = super().traits(config=True)
        return dict(cls._configurable)

    @default("log")
    def _default_log(self) -> logging.Logger:
        return _log

    @default("server")
    def _default_server(self) -> ServerView:
        return ServerView(base_url=self.user.server_url(self.name))

    @property
    def _log_name(self) -> str:
        return full_name(self.user.name, self.name) if self.name else str(self.user.name)

    # What a driver does

    def start(self) -> Any:
        """Start the server; return where it will listen: (ip, port), a URL, or None with `server.port` set.

        May be sync, async or a generator coroutine. What it raises ends the start, and is told to the owner.
        """
        raise NotImplementedError

    def stop(self, now: bool = False) -> Any:
        """End the server; `now` allows no time for a clean end. May be repeated, also when nothing runs."""
        raise NotImplementedError

    def poll(self) -> Any:
        """Return None while the server lives, its exit status when it has ended, 0 when that is unknown.

        Text tells that it has ended, too; an `ExitCode=` in it is the status. Raises whatever it likes when
        it cannot tell: unknown is not dead.
        """
        raise NotImplementedError

    async def poll_now(self) -> int | None:
        """Return what `poll` says, of whatever kind it is; raises ValueError for what says nothing."""
        return exit_status(await resolve(self.poll()))

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what an earlier spawner's `get_state` returned; JSON-like."""

    def get_state(self) -> dict[str, Any]:
        """Return all that a later spawner needs to poll and stop the server; JSON-like, no secrets."""
        return {}

    def clear_state(self) -> None:
        """Forget a server that has ended."""
        self.server.ip, self.server.port = "", 0

    async def rename(self, old_name: str, new_name: str) -> None:
        """Move what a server at rest keeps under its name; it is about to get another one.

        What is raised is told to whoever asked, and the server keeps its name. May be called the other way
        round when the new name turns out to be taken.
        """

    async def delete_forever(self) -> None:
        """Remove what a stopped server left behind; it is deleted. May be repeated."""

    async def wait_for_death(self, timeout: float = 10) -> bool:
        """Return True as soon as `poll` says that the server has ended, False after `timeout` seconds."""
        pause = self.death_interval
        try:
            async with asyncio.timeout(timeout):
                while await self.poll_now() is None:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)
        except TimeoutError:
            return False
        return True

    # What Carrel adds; a driver may leave these as they are

    async def save_state(self) -> None:
        """Keep `get_state()` now: after a crash of the hub the next one adopts or cleans up from here."""
        if self.state_saver is not None:
            await self.state_saver(self.get_state())

    async def logs(self, tail: int = 200) -> str:
        """Return the last lines that the server wrote, for its owner; empty when the driver cannot know."""
        return ""

    async def usage(self) -> Usage | None:
        """Return what the server uses now, None when the driver cannot know."""
        return None

    async def findings(self) -> Mapping[str, str]:
        """Return what the driver has seen of how its server ended, for whoever explains it to people.

        `oom` says that the kernel killed it for want of memory: `limit` for that of the server's own limit,
        `machine` for that of the machine. `forks` says how many processes it was not allowed.
        """
        return {}

    async def is_reached(self) -> bool:
        """Tell whether it is this server that answers, and no other account, as far as the driver knows."""
        return True

    async def queue_position(self) -> int | None:
        """Return how many wait before this server in the back end's own queue, None when it does not wait."""
        return None

    async def waiting(self) -> Waiting | None:
        """Return how a start stands in the back end's own queue, None when it does not wait.

        The hub asks every second while start() runs; a driver that knows more than a number says it here.
        """
        ahead = await self.queue_position()
        return None if ahead is None else Waiting(ahead)

    async def resume_start(self) -> Any:
        """Go on, from the checkpoint, with a start that the end of a hub has cut off.

        Returns what `start` returns, None when it cannot: then what is there is adopted or cleaned up. What
        it raises ends the start. The server's token is not known to it.
        """
        return None

    def heard(self, port: int) -> None:
        """Take up on which port the server says that it listens, while start() runs; may be repeated.

        It is the server's word: it must not say more, such as on which machine.
        """

    async def warm_up(self) -> None:
        """Get ready what starts will need. The hub calls it of a driver that is nobody's, when it runs.

        What is raised is logged, and nothing else comes of it.
        """

    async def find_orphans(self, known: Collection[tuple[int, int]]) -> list[Orphan]:
        """Return what runs of this hub's, besides the (server id, generation) pairs that are known."""
        return []

    async def recognize(self, orphan: Orphan) -> bool:
        """Take over what `find_orphans` reported, if it really is this run; tell whether it is.

        A driver whose marks are the users' to forge has to look at more than the mark. May be repeated.
        """
        self.load_state(orphan.state)
        return True

    # The environment and the command line

    @classmethod
    def adopt_imported(cls, state: Mapping[str, Any], run: ImportedRun) -> Mapping[str, Any] | None:
        """Return the checkpoint of a server that a JupyterHub has started, made of what its driver kept.

        None when the server is gone, or what is there is not it. By default what was kept is taken as it is,
        and the hub's first poll says what has become of it.
        """
        return state

    def leased_devices(self, kind: str) -> Sequence[str]:
        """Return the names of the devices of this kind that the server that is started has to itself."""
        return tuple(self.lent_devices.get(kind, ()))

    def run_labels(self) -> dict[str, str]:
        """Return the marks by which this run is found again."""
        return labels(self.hub.hub_id, self.server_id, self.generation)

    def get_env(self) -> dict[str, str]:
        """Return the server's variables: kept ones, then the hub's, then `environment`, then the labels."""
        env = {key: os.environ[key] for key in self.env_keep if key in os.environ}
        env |= server_environment(self._facts())
        env |= environment_of(self.device_variables, self.lent_devices)
        for key, value in self.environment.items():
            env[key] = str(value(self) if callable(value) else value)
        return env | self.run_labels()

    def _facts(self) -> ServerFacts:
        scheme = "https" if self.internal_ssl else "http"
        scopes = self.oauth_client_allowed_scopes
        return ServerFacts(
            user_name=self.user.name,
            server_name=self.name,
            prefix=self.server.base_url,
            listen_url=f"{scheme}://{join_host(self.ip, self.port)}{self.server.base_url}",
            api_url=self.hub_connect_url or self.hub.api_url,
            hub_base_url=self.hub.base_url,
            public_host=self.hub.public_host,
            server_host=self.user.host,
            public_url=self.hub.public_url,
            api_token=self.api_token,
            client_id=self.oauth_client_id,
            access_scopes=self.oauth_access_scopes,
            allowed_scopes=[] if callable(scopes) else scopes,
            cookie_options=self.cookie_options,
            cookie_host_prefix=self.cookie_host_prefix_enabled,
            root_dir=self.format_string(self.notebook_dir),
            default_url=self.format_string(self.default_url),
            debug=self.debug,
            admin_access=self.admin_access,
            disable_user_config=self.disable_user_config,
            mem_limit=self.mem_limit,
            mem_guarantee=self.mem_guarantee,
            cpu_limit=self.cpu_limit,
            cpu_guarantee=self.cpu_guarantee,
            cert_paths=self.cert_paths,
        )

    def get_args(self) -> list[str]:
        """Return what follows `cmd` on the command line."""
        return list(self.args)

    def get_argv(self) -> list[str]:
        """Return `get_args()`; drivers of old extended this method instead."""
        return self.get_args()

    def preparation(self) -> list[str]:
        """Return the words to put before the command, which get the repository ready; none without one."""
        return preparation(self)

    def template_namespace(self) -> dict[str, Any]:
        """Return the names that settings may use in braces."""
        return {"username": self.user.name, "servername": self.name, "base_url": self.server.base_url}

    def format_string(self, s: str) -> str:
        """Return `s` with `{username}` and the like expanded; raises ValueError for unknown names."""
        return expand(s, self.template_namespace())

    # Hooks

    def run_pre_spawn_hook(self) -> Any:
        """Call `pre_spawn_hook`; what comes back may be awaitable."""
        return self.pre_spawn_hook(self) if self.pre_spawn_hook else None

    async def run_post_stop_hook(self) -> None:
        """Call `post_stop_hook`; what it raises is logged, for a server that has ended stays ended."""
        if self.post_stop_hook:
            try:
                await resolve(self.post_stop_hook(self))
            except Exception:
                self.log.exception("post_stop_hook of %s failed", self._log_name)

    async def run_auth_state_hook(self, auth_state: Mapping[str, Any] | None) -> None:
        """Call `auth_state_hook` with what the authenticator keeps about the user."""
        if self.auth_state_hook:
            await resolve(self.auth_state_hook(self, auth_state))

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield events `{"progress": 0…100, "message": text}` while start() runs."""
        yield {"progress": 50, "message": "The server is starting"}
