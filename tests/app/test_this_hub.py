"""How a hub names itself and its machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from carrel.app.hubs import machine_name, this_hub
from carrel.domain.hubs import node_of
from carrel.testing.factories import some_settings


def test_a_machine_keeps_its_name_and_differs_from_others_of_that_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("8a6e\n")
    other.write_text("77ff\n")
    assert machine_name(one) == machine_name(one) != machine_name(other)
    assert machine_name(one).startswith(f"{socket.gethostname()}-")
    assert machine_name(tmp_path / "none") == socket.gethostname()


def test_a_process_has_a_name_of_its_own_on_the_machine_that_the_settings_name() -> None:
    settings = some_settings(node="rack 7")
    first, second = (this_hub(settings, "http://hub") for _ in range(2))
    assert first.owner != second.owner
    assert node_of(first.owner) == first.node == "rack 7"
    assert f"/{os.getpid()}-" in first.owner
