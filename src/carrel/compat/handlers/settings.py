"""What handlers ask the hub for by short names."""

from __future__ import annotations

from typing import Any

from carrel.compat.handlers.visit import VisitMixin


class SettingsMixin(VisitMixin):
    """The application's settings, as attributes; each is what JupyterHub's handlers have under the name."""

    @property
    def log(self) -> Any:
        """The log of plug-ins."""
        return self.settings["log"]

    @property
    def config(self) -> Any:
        """The configuration of traitlets classes."""
        return self.settings["config"]

    @property
    def base_url(self) -> str:
        """The base URL, `/`."""
        return str(self.settings["base_url"])

    @property
    def hub(self) -> Any:
        """Where the hub is."""
        return self.settings["hub"]

    @property
    def app(self) -> Any:
        """The hub as a configurable."""
        return self.settings["app"]

    @property
    def authenticator(self) -> Any:
        """The authenticator."""
        return self.settings["authenticator"]

    @property
    def db(self) -> Any:
        """The database session of plug-ins."""
        return self.settings["db"]

    @property
    def statsd(self) -> Any:
        """Takes measurements and keeps none."""
        return self.settings["statsd"]

    @property
    def admin_users(self) -> Any:
        """The names of the configuration's administrators."""
        return self.authenticator.admin_users

    @property
    def default_url(self) -> Any:
        """Where a visit without an aim leads."""
        return self._ctx.settings.default_url

    @property
    def redirect_to_server(self) -> bool:
        """Whether people go to their server after the log-in."""
        return self._ctx.settings.redirect_to_server

    @property
    def allow_named_servers(self) -> bool:
        """Whether users may have servers with names."""
        return self._ctx.settings.allow_named_servers

    @property
    def cookie_max_age_days(self) -> float:
        """How long a log-in lasts, in days."""
        return self._ctx.settings.cookie_max_age_days
