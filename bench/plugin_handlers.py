"""What Tornado handlers of plug-ins cost in the hub, beside its own pages and beside JupyterHub.

`python -m bench.plugin_handlers [ROUNDS]` prints one table. It needs what `make plug-ins` installs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measures import connection, start_up
from tests.plugins.environment import ENVIRONMENT, carrel_with_plugins
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.systems import CHP, System

REQUESTS = 2000
WITHOUT = """
c.JupyterHub.authenticator_class = 'dummy'
"""
WITH = f"""{WITHOUT}
from jupyterhub.handlers import BaseHandler

class Small(BaseHandler):
    def get(self):
        self.finish('hello')

class Page(BaseHandler):
    async def get(self):
        page = dict(status_code=200, status_message='Fine', message='')
        self.finish(await self.render_template('error.html', **page))

c.JupyterHub.extra_handlers = [('/small', Small), ('/page', Page)]
"""
PAGES = {
    "plug-in, 5 bytes": "/hub/small",
    "plug-in, a template": "/hub/page",
    "the hub's redirect": "/hub/home",
    "the hub's log-in page": "/hub/login",
}


def systems() -> Iterator[System]:
    """Yield the hubs that are compared, both in the plug-ins' environment."""
    yield carrel_with_plugins()
    program = (str(ENVIRONMENT / "bin" / "jupyterhub"),)
    proxy = f"c.ConfigurableHTTPProxy.command = [{str(CHP)!r}]"
    path = {"PATH": carrel_with_plugins().environment["PATH"]}
    yield System("jupyterhub 6.1", program, proxy, path, is_carrel=False)


def measure(system: System) -> dict[str, float]:
    """Return milliseconds of the hub's CPU for its start with and without handlers, and for each page."""
    found = {}
    with tempfile.TemporaryDirectory() as place:
        bare = HubProcess(system, Path(place), WITHOUT)
        try:
            found["start without"] = start_up(bare)["start_cpu"] * 1000
        finally:
            bare.clean_up()
    with tempfile.TemporaryDirectory() as place:
        hub = HubProcess(system, Path(place), WITH)
        try:
            found["start with"] = start_up(hub)["start_cpu"] * 1000
            with connection(hub) as ask:
                for name, path in PAGES.items():
                    found[name] = _cost(hub, lambda path=path: ask("GET", path, "")) * 1000
        finally:
            hub.clean_up()
    return found


def _cost(hub: HubProcess, ask: object) -> float:
    assert callable(ask)
    for _ in range(REQUESTS // 10):
        ask()
    before = processes.cpu_seconds(hub.pid)
    for _ in range(REQUESTS):
        ask()
    return (processes.cpu_seconds(hub.pid) - before) / REQUESTS


def main() -> None:
    """Print the medians over rounds, in which the hubs take turns."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    chosen = list(systems())
    found: dict[str, list[dict[str, float]]] = {system.name: [] for system in chosen}
    for _ in range(rounds):
        for system in chosen:
            found[system.name].append(measure(system))
    ours, theirs = (
        {name: statistics.median(each[name] for each in runs) for name in runs[0]} for runs in found.values()
    )
    print("| CPU of the hub, ms | Carrel | JupyterHub 6.1 | ratio |\n|---|---|---|---|")
    for name, value in ours.items():
        print(f"| {name} | {value:.3g} | {theirs[name]:.3g} | 1/{theirs[name] / value:.1f} |")


if __name__ == "__main__":
    main()
