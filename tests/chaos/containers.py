"""A site whose servers are containers of the tests' own Docker engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.site import Run, Site
from tests.rigs.docker_engine import IMAGE, Engine, docker_engine
from tests.rigs.hub import HubProcess

#: The stub writes its pid down: it has to be the one by which the diary finds it.
_CONFIG = """
c.JupyterHub.spawner_class = 'docker'
c.DockerSpawner.client_kwargs = {{'base_url': {socket!r}}}
c.DockerSpawner.image = {image!r}
c.DockerSpawner.cmd = ['python', '-S', '-I', '/stub/{stub.name}']
c.DockerSpawner.args = []
c.DockerSpawner.volumes = {{'{diary.parent}': '{diary.parent}', '{stub.parent}': '/stub'}}
c.DockerSpawner.extra_create_kwargs = {{'user': 'root'}}
c.DockerSpawner.extra_host_config = {{'pid_mode': 'host'}}
c.DockerSpawner.remove = True
c.DockerSpawner.stop_timeout = 5
"""


@contextmanager
def containers() -> Iterator[Site]:
    """Yield the site; its engine ends with the block."""
    with docker_engine() as engine:
        yield site_of(engine)


def site_of(engine: Engine) -> Site:
    """Return the site of a running engine."""

    def config(diary: Path, stub: Path) -> str:
        return _CONFIG.format(socket=engine.socket, image=IMAGE, diary=diary, stub=stub)

    def live_runs(hub: HubProcess) -> Iterator[Run]:
        marks = '{{.Label "carrel.server-id"}} {{.Label "carrel.generation"}}'
        for line in engine.run("ps", "--format", marks).splitlines():
            server_id, generation = line.split()
            yield int(server_id), int(generation)

    return Site(config, live_runs)
