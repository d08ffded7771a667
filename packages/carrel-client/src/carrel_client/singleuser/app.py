"""The Jupyter server application that a hub starts for a user."""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_path
from jupyter_server.serverapp import ServerApp
from jupyter_server.serverapp import aliases as server_aliases
from jupyter_server.serverapp import flags as server_flags
from jupyter_server.utils import JupyterServerAuthWarning
from traitlets import Dict, Instance, default
from traitlets.config import Config

from carrel_client import __version__
from carrel_client.auth import pages
from carrel_client.auth.cookies import Cookies
from carrel_client.auth.flow import Logins
from carrel_client.auth.login import UsedStates
from carrel_client.auth.visitors import Visitors
from carrel_client.singleuser.activity import ActivityReporter
from carrel_client.singleuser.environment import HubEnvironment
from carrel_client.singleuser.hub import ServerHubClient, meet
from carrel_client.singleuser.page_config import hub_settings, page_config_hook
from carrel_client.singleuser.settings import (
    WIRE_VERSION,
    HubHeaders,
    default_headers,
    hub_rules,
    hub_wishes,
    without_user_paths,
)

try:
    from jupyterlab.labapp import LabApp
except ImportError:
    LabApp = None


class SingleUserServer(ServerApp):
    """Jupyter Server, with JupyterLab where it is installed, for one user of a hub."""

    description = "A notebook server that a hub starts for one of its users."
    version = __version__
    examples = ""
    aliases = Dict({**server_aliases, **(LabApp.aliases if LabApp else {})})
    flags = Dict({**server_flags, **(LabApp.flags if LabApp else {})})
    classes = [*ServerApp.classes, *([LabApp] if LabApp else [])]  # noqa: RUF012
    subcommands: dict[str, Any] = {}  # noqa: RUF012

    environment = Instance(HubEnvironment)
    no_browser_open_file = True
    hub: ServerHubClient
    visitors: Visitors
    cookies: Cookies
    logins: Logins
    _reporting: asyncio.Task[None] | None = None

    @default("cookie_secret")
    def _new_cookie_secret(self) -> bytes:
        # Never from a file: a new start logs every browser in anew, and nobody can have read it.
        return os.urandom(32)

    @property
    def server_name(self) -> str:
        """Return this server's name among its user's, '' for the default one; the front ends ask for it."""
        return self.environment.server_name

    @property
    def config_file_paths(self) -> list[str]:
        """Return the directories of configuration, without the user's own where the hub wants that."""
        paths = list(super().config_file_paths)
        if not self.environment.disable_user_config:
            return paths
        return without_user_paths(paths, str(Path.home()), os.getcwd())

    def load_config_file(self, *args: Any, **kwargs: Any) -> None:
        """Read the configuration files, and put what the hub wishes over them."""
        super().load_config_file(*args, **kwargs)
        self.update_config(hub_wishes(self.environment))
        if self.environment.disable_user_config:
            extensions = without_user_paths(jupyter_path("labextensions"), str(Path.home()))
            self.update_config(Config({"LabApp": {"labextensions_path": extensions}}))

    def find_server_extensions(self) -> None:
        """Find the enabled extensions; JupyterLab is always one when it is installed."""
        super().find_server_extensions()
        if LabApp is not None:
            self.jpserver_extensions[LabApp.get_extension_package()] = True

    def init_server_extensions(self) -> None:
        """Link the extensions; neither they nor any configuration file change the hub's rules."""
        rules = hub_rules(self.environment)
        self.update_config(rules)
        super().init_server_extensions()
        self.update_config(rules)

    def init_configurables(self) -> None:
        """Make the parts that the identity provider asks, then all of Jupyter's own."""
        # After all configuration: neither a file nor an option fixes the secret.
        self.cookie_secret = os.urandom(32)
        environment = self.environment
        self.hub = ServerHubClient(environment)
        self.visitors = Visitors(self.hub.visitor, self.io_loop.time, self.log)
        self.cookies = Cookies(environment, self.cookie_secret)
        self.logins = Logins(
            settings=environment,
            hub=self.hub,
            visitors=self.visitors,
            cookies=self.cookies,
            refuse=lambda visitor: pages.no_access(visitor.name, environment.user, environment.hub_url),
            now=self.io_loop.time,
            log=self.log,
            used=UsedStates(),
        )
        super().init_configurables()

    def init_webapp(self) -> None:
        """Make the web application, with the hub's headers and what its pages know of the hub."""
        given = self.tornado_settings
        hook = page_config_hook(self.environment, given.get("page_config_hook"))
        headers = default_headers(given.get("headers", {}))
        given.update(hub_settings(self.environment), page_config_hook=hook, headers=headers)
        super().init_webapp()
        self.web_app.add_transform(HubHeaders)

    def init_signal(self) -> None:
        """Stop cleanly on SIGINT as on SIGTERM: a hub sends either, and nobody is there to be asked."""
        super().init_signal()
        signal.signal(signal.SIGINT, self._signal_stop)

    def load_server_extensions(self) -> None:
        """Load the extensions."""
        with warnings.catch_warnings():
            if not self.environment.debug:
                # They warn of endpoints without a rule of their own: here those need a log-in like any other.
                warnings.simplefilter("ignore", JupyterServerAuthWarning)
            super().load_server_extensions()

    def init_httpserver(self) -> None:
        """Make the HTTP server once the hub has answered; without an answer, exit with status 1."""
        try:
            version = self.io_loop.run_sync(lambda: meet(self.hub, self.log))
        except (TimeoutError, RuntimeError):
            if not self._stopping:
                raise
            self.exit(0)
        if version is None:
            self.log.critical("No hub answers at %s: is its address right, and does it run?", self._api_url)
            self.exit(1)
        self._compare(version)
        super().init_httpserver()

    def start_app(self) -> None:
        """Announce the server and start to report its activity."""
        super().start_app()
        if self.environment.activity_url and self.environment.activity_interval:
            self.io_loop.add_callback(self._start_reporting)

    async def cleanup_extensions(self) -> None:
        """Stop reporting, then do the same for the extensions."""
        if self._reporting is not None:
            self._reporting.cancel()
        await super().cleanup_extensions()

    @property
    def _api_url(self) -> str:
        return self.environment.api_url

    def _compare(self, version: str) -> None:
        if version.partition(".")[0] == WIRE_VERSION.partition(".")[0]:
            self.log.info("The hub at %s speaks version %s", self._api_url, version)
        else:
            self.log.warning(
                "The hub at %s speaks version %s, this server %s; what one of them lacks will not work",
                self._api_url,
                version or "unknown",
                WIRE_VERSION,
            )

    def _start_reporting(self) -> None:
        environment = self.environment
        last_activity = self.web_app.last_activity
        reporter = ActivityReporter(
            self.hub.report_activity, last_activity, environment.activity_interval, self.log
        )
        self._reporting = asyncio.get_running_loop().create_task(reporter.run())
