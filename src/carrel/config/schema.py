"""The hub's own settings: one typed, frozen class with the default and the help text of each.

Names are JupyterHub's (`c.JupyterHub.<name>`). Settings of spawners, authenticators and proxies live on their
traitlets classes; `Settings.plugins` carries them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets.config import Config

from carrel.lib.redaction import redact

#: Sections of the configuration that hold the hub's own settings; the later one wins.
HUB_SECTIONS = ("Application", "JupyterHub", "Carrel")

#: Says what the names of metrics begin with, as it does to JupyterHub.
PREFIX_VARIABLE = "JUPYTERHUB_METRICS_PREFIX"


def setting(default: Any, help: str) -> Any:  # noqa: A002 - the word that traitlets uses
    """Return a dataclass field with its help text; a list, dict or set default is copied."""
    if isinstance(default, list | dict | set):
        return field(default_factory=lambda: type(default)(default), metadata={"help": help})
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """What `jupyterhub_config.py` and the command line say, checked and complete.

    Its `repr` shows no secret and is fit for a log.
    """

    # Public side
    ip: str = setting("", "The address that the proxy listens on; empty means all.")
    port: int = setting(8000, "The port that the proxy listens on.")
    base_url: str = setting(
        "/", "The path below which everything is served; it begins and ends with a slash."
    )
    bind_url: str = setting(
        "", "Address, port and base URL of the public side in one; it wins over the three."
    )
    ssl_key: str = setting("", "The file of the public side's TLS key (PEM). It may stand in ssl_cert, too.")
    ssl_cert: str = setting(
        "", "The file of the public side's TLS certificate with its chain (PEM); with it HTTPS is served."
    )

    subdomain_host: str = setting(
        "",
        "The hub's public address, such as https://hub.example.org, when every user and every service is to "
        "have a host of their own below it (ada.hub.example.org).",
    )
    subdomain_hook: Any = setting(
        "idna",
        "How those hosts are called: 'idna', 'legacy' as before JupyterHub 5, or a callable that takes name, "
        "domain and kind ('user' or 'service') and returns a host name.",
    )
    trusted_downstream_ips: list[str] = setting(
        [],
        "Addresses or networks (10.0.0.0/8) of proxies before the hub on other machines: what they say in "
        "X-Forwarded-For and -Proto is believed. Of this machine all are, and the proxy that the hub steers.",
    )
    forwarded_host_header: str = setting(
        "",
        "The header, such as X-Forwarded-Host, in which such a proxy gives the public host when it sends "
        "another one as Host.",
    )

    # The hub's own listener
    hub_ip: str = setting("127.0.0.1", "The address that the hub listens on, for the proxy and the servers.")
    hub_port: int = setting(8081, "The port that the hub listens on.")
    hub_bind_url: str = setting(
        "",
        "Address and port of the hub in one; it wins over the two. http+unix://%2Frun%2Fhub.sock is a socket "
        "in the file system, for the proxy; servers reach the hub at hub_connect_url or the public address.",
    )
    hub_socket_mode: int = setting(0o600, "The permissions of that socket.")
    hub_connect_ip: str = setting(
        "", "The host name or address by which servers and the proxy reach the hub."
    )
    hub_connect_port: int = setting(
        0, "The port by which they do; 0 means hub_port. Old: hub_connect_url says it, too."
    )
    hub_connect_url: str = setting(
        "", "Where servers and the proxy reach the hub, scheme to port; it wins over hub_connect_ip."
    )
    hub_routespec: str = setting(
        "",
        "What the proxy sends to the hub when no server and no service has it: a path that begins with the "
        "base URL. Empty means all; /hub/ leaves the rest to somebody else's routes.",
    )

    node: str = setting(
        "",
        "The name of this machine among those whose hubs share a database; empty means its host name and "
        "machine id. Only hubs of the same name look after each other's local processes.",
    )

    # Storage and secrets
    db_url: str = setting("sqlite:///carrel.sqlite", "The database: sqlite:///FILE or postgresql://…")
    db_kwargs: dict[str, Any] = setting(
        {},
        "What SQLAlchemy would be told of the database. Read are pool_size and max_overflow (together: how "
        "many connections to PostgreSQL a hub has), connect_args (PostgreSQL's parameters) and echo.",
    )
    debug_db: bool = setting(False, "Log every statement that the database is sent, without its values.")
    reset_db: bool = setting(
        False, "Delete users, tokens, groups, servers and all else in the database at every start of the hub."
    )
    cookie_secret: bytes = setting(
        b"", "32 bytes that sign cookies (bytes, or hex text). Overrides cookie_secret_file."
    )
    cookie_secret_file: str = setting(
        "jupyterhub_cookie_secret",
        "The file that holds the cookie secret; made when missing, readable by its owner only.",
    )
    cookie_max_age_days: float = setting(14.0, "How long a log-in lasts, in days.")
    cookie_host_prefix_enabled: bool = setting(
        False,
        "Begin the names of log-in cookies with __Host-, so that no other host of the domain can set them. "
        "Needs HTTPS. Browsers then send them to users' servers, too: have a host for each (subdomain_host).",
    )
    tornado_settings: dict[str, Any] = setting(
        {},
        "Of Tornado's settings these: headers of every reply, a Content-Security-Policy among them; "
        "cookie_options and xsrf_cookie_kwargs (SameSite, Secure, Domain, Partitioned); slow_spawn_timeout "
        "and slow_stop_timeout.",
    )
    token_expires_in_max_seconds: int = setting(
        0,
        "How long a token that somebody asks for may live, in seconds, and how long it lives when nothing is "
        "said; 0 means without end.",
    )

    # Who and what
    authenticator_class: Any = setting(
        "pam", "The Authenticator: a class, a dotted name or an entry point's name."
    )
    spawner_class: Any = setting(
        "localprocess", "The Spawner: a class, a dotted name or an entry point's name."
    )
    proxy_class: Any = setting("carrel", "The Proxy: a class, a dotted name or an entry point's name.")

    # Who may do what
    load_groups: dict[str, Any] = setting(
        {},
        "Groups and their members: a dictionary of names, each with {'users': [...], 'properties': {...}}. "
        "Groups and members are added at start, never removed.",
    )
    load_roles: list[dict[str, Any]] = setting(
        [],
        "Roles: dictionaries with name, description, scopes, and the users, groups and services that have "
        "them. At start they are made so; roles that stand here no more go.",
    )
    custom_scopes: dict[str, Any] = setting(
        {},
        "Scopes of services' own: a dictionary of names that begin with custom:, each with a description "
        "and, if it brings others along, their names as subscopes.",
    )
    extra_user_scopes: set[str] = setting(set(), "Scopes that every user has beside their usual ones.")

    # Services
    services: list[dict[str, Any]] = setting(
        [],
        "Services: dictionaries with name, url, command, api_token and others "
        "(docs/how-to/services.md names all). They are there while they stand here.",
    )
    service_tokens: dict[str, str] = setting(
        {}, "API tokens of services: a dictionary of tokens, each with the name of the service that has it."
    )
    api_tokens: dict[str, str] = setting(
        {},
        "API tokens of users: a dictionary of tokens, each with the user's name. Old: services have tokens"
        " of their own, and `carrel token NAME` makes tokens for users.",
    )
    service_check_interval: float = setting(
        60.0, "How often it is looked whether services with a url answer, in seconds; 0 means only at start."
    )

    # Signing in elsewhere with accounts of this hub
    public_url: str = setting(
        "",
        "The address that browsers use, such as https://hub.example.org/, with the base URL if there is one. "
        "Other applications need it to be always the same. Unset, it is taken from the request.",
    )
    oauth_clients: list[dict[str, Any]] = setting(
        [],
        "Applications that sign their users in with accounts of this hub: dictionaries with client_id, "
        "client_secret (or public: True), redirect_uris, name, allowed_scopes, access_scopes and confirm.",
    )
    oauth_require_pkce: bool = setting(
        False, "Refuse servers and services whose log-in comes without a proof (PKCE) of who asked for it."
    )
    oauth_token_expires_in: float = setting(
        0.0,
        "How long the tokens are good that servers and services get at a log-in, in seconds; 0 means as long "
        "as cookie_max_age_days says.",
    )
    oauth_access_token_expires_in: float = setting(
        3600.0, "How long access tokens of applications in oauth_clients are good, in seconds."
    )
    oauth_refresh_token_expires_in: float = setting(
        30 * 86400.0,
        "How long applications in oauth_clients may stay away before their users have to log in again, in "
        "seconds. What they were given ends with the log-in, unless they may ask for offline_access.",
    )

    # Behaviour
    cleanup_servers: bool | None = setting(
        None, "Stop users' servers when the hub stops. Unset: on Ctrl-C yes, on SIGTERM no."
    )
    cleanup_proxy: bool | None = setting(
        None, "Stop the data plane when the hub stops. Unset: on Ctrl-C yes, on SIGTERM no."
    )
    redirect_to_server: bool = setting(
        True, "After log-in go to the user's server rather than to the home page."
    )
    default_url: Any = setting(
        "", "Where a visit to the hub's root leads: a path, or a callable that takes the handler."
    )
    user_redirect_hook: Any = setting(
        None,
        "A callable that says where /hub/user-redirect/PATH leads: it takes the path, the request, the user "
        "and the base URL, and returns a URL, or None for the user's own server. It may be a coroutine.",
    )
    concurrent_spawn_limit: int = setting(
        100, "How many starts run at once, on each hub; further ones wait their turn. 0 means no limit."
    )
    spawn_queue_timeout: float = setting(
        600.0, "How long a start may wait for its turn before it fails, in seconds; 0 means any time."
    )
    device_pools: dict[str, Any] = setting(
        {},
        "Devices that a server may have to itself, by kind: a list of their names, or how many there are "
        "({'gpu': ['0', '1'], 'matlab': 3}). c.Spawner.devices asks for them; who gets none waits in a line.",
    )
    device_environment: dict[str, str] = setting(
        {},
        "The variables that tell servers which devices they have, by kind ({'gpu': 'CUDA_VISIBLE_DEVICES'}); "
        "empty for those that have none.",
    )
    spawn_throttle_retry_range: tuple[float, float] | None = setting(
        None,
        "When it is set, such as (30, 60), starts beyond concurrent_spawn_limit are refused with status 429, "
        "and told to come back after a time in this range, in seconds. Unset, they wait their turn.",
    )
    active_server_limit: int = setting(
        0, "How many servers may be active in all; further starts are refused with status 429. 0: any number."
    )
    allow_named_servers: bool = setting(
        False, "Let users have further servers with names, beside the one without."
    )
    named_server_limit_per_user: Any = setting(
        0,
        "How many named servers a user may have, 0 for any number; or a callable that takes an object with "
        "the asking user as `current_user`, and returns the number.",
    )
    default_server_name: str = setting(
        "",
        "The named server that /hub/user-redirect leads to, where there are named servers; empty means the "
        "one without a name.",
    )
    allow_existing_invalid_named_servers: str = setting(
        "allow-start",
        "What may be done with servers whose names are from before the present rule: 'allow-start', "
        "'allow-delete' for stopping and removing alone, or 'autorename': those that do not run get "
        "new names at the hub's start, and pages go on showing the old ones.",
    )
    api_page_default_limit: int = setting(
        50, "How many entries a page of the API's lists has when the request does not say."
    )
    api_page_max_limit: int = setting(
        200, "How many entries a page of the API's lists has at most, and how many a list without pages has."
    )
    use_legacy_stopped_server_status_code: bool = setting(
        False,
        "Answer requests for a server that does not run with 503, as JupyterHub did before 2.0, not 424.",
    )
    implicit_spawn_seconds: float = setting(
        0.0,
        "Start a server when somebody visits it who may do so and stays on the page that says that it does "
        "not run, after so many seconds. 0: only when they ask for it.",
    )
    shutdown_on_logout: bool = setting(False, "Stop somebody's servers when they log out.")
    admin_access: bool = setting(
        False,
        "Tell servers of JupyterHub 1 that administrators may open them. Administrators reach others' "
        "servers by the role admin, whatever this says; load_roles can give people less.",
    )
    trust_user_provided_tokens: bool = setting(
        False, "Say nothing about tokens in the configuration that are short enough to be guessed."
    )
    activity_resolution: float = setting(
        30.0, "Activity is written when it moves by at least this many seconds."
    )
    last_activity_interval: float = setting(
        300.0, "How often the proxy is asked for the servers' last activity, in seconds."
    )
    slow_spawn_timeout: float = setting(
        10.0, "How long the API waits for a start before it answers 202, in seconds."
    )
    slow_stop_timeout: float = setting(
        10.0, "How long the API waits for a stop before it answers 202, in seconds."
    )

    authenticate_prometheus: bool = setting(
        True,
        "Show /hub/metrics only to who has the scope read:metrics. Off: to everybody who can ask.",
    )
    active_user_window: int = setting(
        1800, "Of how many seconds the metric recently_active_users tells who was active in them."
    )
    metrics_prefix: str = setting(
        "jupyterhub",
        "What the names of metrics begin with. Unset: what the variable JUPYTERHUB_METRICS_PREFIX says.",
    )

    # Looks
    template_paths: list[str] = setting([], "Directories searched for templates before Carrel's own.")
    template_vars: dict[str, Any] = setting({}, "Extra variables for templates.")
    jinja_environment_options: dict[str, Any] = setting(
        {}, "Further options of the Jinja environment of templates. Values are always escaped."
    )
    logo_file: str = setting("", "The image shown on every page; empty means Carrel's own.")
    data_files_path: str = setting(
        "", "A directory whose `static/` holds files of the deployer's, served at /hub/static/."
    )

    # Plug-ins
    extra_handlers: list[Any] = setting(
        [], "Tornado handlers to serve below /hub/: (pattern, class), or (pattern, class, arguments)."
    )

    # The process
    log_level: int | str = setting("INFO", "DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    log_format: str = setting(
        "",
        "How lines of the log look, in the notation of Python's logging: '%(levelname)s %(message)s'. Empty "
        "means as Carrel's own.",
    )
    log_datefmt: str = setting("", "How dates look in the log: '%Y-%m-%d %H:%M:%S'.")
    extra_log_file: str = setting("", "A file that the log is written to as well.")
    extra_log_handlers: list[Any] = setting([], "Objects of logging.Handler that get the log as well.")
    logging_config: dict[str, Any] = setting(
        {},
        "Given to logging.config.dictConfig, with a handler and a formatter called console. The hub's logger "
        "is 'carrel'; 'JupyterHub' means the same.",
    )
    pid_file: str = setting("", "Where to write the hub's process id.")
    server_log_size: int = setting(
        16 * 1024 * 1024,
        "How much the hub keeps of what a server writes, in bytes; as much again of what came before that.",
    )
    runtime_dir: str = setting(
        "carrel-run", "Where the hub and the data plane keep their state and the servers' logs."
    )

    # Not settings, but what the loader found
    directory: Path = field(default_factory=Path.cwd)
    """Where relative paths begin."""
    config_file: str = ""
    plugins: Config = field(default_factory=Config)
    """Everything for traitlets classes, as it was written."""
    written: Mapping[str, Any] = field(default_factory=dict)
    """The hub's settings that somebody set, under their names as written (`JupyterHub.port`), with what they
    wrote: to be shown only after `redact`."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Where a setting was written: `JupyterHub.port` to `jupyterhub_config.py:12`."""

    def resolve(self, path: str) -> Path:
        """Return a path of the configuration as an absolute one."""
        return self.directory / Path(path).expanduser()

    def written_as(self, name: str) -> str:
        """Return a setting of the hub as it was written (`Carrel.NAME`), else `JupyterHub.NAME`."""
        named = (f"{section}.{name}" for section in reversed(HUB_SECTIONS))
        return next((each for each in named if each in self.written), f"JupyterHub.{name}")

    def place(self, name: str) -> str:
        """Return where a setting of the hub was written, as far as that is known."""
        places = (self.locations.get(f"{section}.{name}") for section in reversed(HUB_SECTIONS))
        return next((place for place in places if place), "")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={text}" for name, text in printable(self).items())
        return f"Settings({shown})"


def setting_fields() -> dict[str, Any]:
    """Return the dataclass fields that are settings, by name, in the order of the schema."""
    return {each.name: each for each in fields(Settings) if "help" in each.metadata}


def printable(settings: Settings) -> dict[str, str]:
    """Return every setting as text that may be shown: no cookie secret, no database password."""
    shown = {name: repr(getattr(settings, name)) for name in setting_fields()}
    shown["cookie_secret"] = "'<set>'" if settings.cookie_secret else "b''"
    shown["services"] = repr([redact("service", dict(each)) for each in settings.services])
    for name in ("service_tokens", "api_tokens"):
        shown[name] = repr(dict.fromkeys(["***"] if getattr(settings, name) else [], "***"))
    shown["db_kwargs"] = repr(redact("settings", settings.db_kwargs))
    shown["db_url"] = repr(without_password(settings.db_url))
    shown["logging_config"] = repr(redact("settings", settings.logging_config))
    shown["tornado_settings"] = repr(redact("settings", settings.tornado_settings))
    shown["oauth_clients"] = repr(redact("oauth_clients", settings.oauth_clients))
    return shown


def without_password(url: str) -> str:
    """Return a database URL with its password, and passwords in its query, replaced by stars."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "<unreadable URL>"
    credentials, at, host = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    netloc = f"{user}{colon}{'***' if colon else ''}{at}{host}"
    query = "***" if "password" in parts.query.lower() else parts.query
    if (netloc, query) == (parts.netloc, parts.query):
        return url
    return f"{parts.scheme}://{netloc}{parts.path}{'?' if query else ''}{query}"


#: The sorts of problems: old names, unknown names, what is set and does nothing, what lets people or secrets
#: out, and settings that do not go together.
KINDS = ("deprecated", "unknown", "unused", "unsafe", "contradiction")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong or doubtful in the configuration, for people."""

    setting: str
    """`JupyterHub.port`; empty when the whole file is meant."""
    message: str
    """What is wrong and what would be right, in one sentence."""
    location: str = ""
    """`jupyterhub_config.py:12`, when it is known."""
    fatal: bool = True
    kind: str = ""
    """What sort of trouble it is, one of KINDS; empty for a value that cannot be."""

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        name = f"{self.setting}: " if self.setting else ""
        return f"{where}{name}{self.message}"


class BadConfig(Exception):
    """The configuration cannot be used; `problems` holds all that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
