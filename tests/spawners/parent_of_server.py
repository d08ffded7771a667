"""A hub in small: starts one server, prints its checkpoint and waits to be killed."""

import asyncio
import json
import signal
import sys

from traitlets.config import Config

from carrel.spawners.run import Run, make_spawner
from carrel.spawners.simple import SimpleLocalProcessSpawner
from carrel.spawners.views import HubView, UserView


async def main() -> None:
    command, place, hub_id = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
    config = Config()
    config.Spawner.cmd = command
    config.SimpleLocalProcessSpawner.home_dir_template = place + "/{username}"
    run = Run(
        user=UserView(id=1, name="alice", base_url="/"),
        hub=HubView(api_url="http://127.0.0.1:8081/hub/api", hub_id=hub_id),
        server_id=7,
        generation=2,
        log_directory=place,
    )
    driver = make_spawner(SimpleLocalProcessSpawner, run, config)
    await driver.start()
    print(json.dumps(driver.get_state()), flush=True)
    signal.pause()


asyncio.run(main())
