"""Requests made from the API's own description: no 5xx, no status and no answer that it does not describe."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.places import CACHE
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
PROGRAM = CACHE / "schemathesis-4" / "bin" / "schemathesis"
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
#: Left out everywhere: the end of the hub, its move to another data plane, and pages for people.
_NEVER = ("shutdown", "move_proxy", "authorize", "confirm")
#: Left out where the names are given: what would take away whom the others are about.
_LASTING = ("delete_user", "delete_group", "change_user", "revoke_token")
_NAMES = {"name": "ada", "owner": "ada", "group": "class", "server": "lab", "service": "culler"}
_CONFIG = "c.JupyterHub.allow_named_servers = True\n"
_SEED = 20261126


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who asks; with `named` always about ada and her class, else about whatever comes."""

    who: str
    examples: int
    named: bool = False
    scopes: list[str] = field(default_factory=list)
    phases: str = "examples,fuzzing"

    def __str__(self) -> str:
        return f"{self.who}{', about ada' if self.named else ''}"


_READER = ["users", "list:users", "read:servers", "tokens", "read:roles:users"]
_TUTOR = ["groups", "list:users", "servers"]
_EDGES = "examples,coverage,fuzzing"
ASKERS = (
    Asker("admin", 8, phases=_EDGES),
    Asker("admin", 8, named=True, phases=f"{_EDGES},stateful"),
    Asker("ada", 4),
    Asker("reader", 4, named=True, scopes=[f"{scope}!user=ada" for scope in _READER]),
    Asker("tutor", 4, named=True, scopes=[f"{scope}!group=class" for scope in _TUTOR]),
    Asker("nobody", 2),
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with ada, who is in class."""
    need(PROGRAM.exists(), "schemathesis")
    directory = tmp_path_factory.mktemp("schemathesis")
    with HubProcess(carrel(), directory, class_config(directory, STUB) + _CONFIG) as running:
        assert running.visitor().log_in("admin", PASSWORD).location
        admin = running.token("admin")
        for path, body in (
            ("users", {"usernames": ["ada"]}),
            ("groups", {"groups": ["class"], "users": ["ada"]}),
        ):
            assert running.api("POST", path, token=admin, body=json.dumps(body).encode()).status == 201
        yield running


def _headers(hub: HubProcess, asker: Asker) -> list[str]:
    if asker.who == "nobody":
        return []
    token = hub.token("ada" if asker.who == "ada" else "admin")
    if asker.scopes:
        body = json.dumps({"scopes": asker.scopes}).encode()
        token = hub.api("POST", "users/admin/tokens", token=token, body=body).json()["token"]
    return ["--header", f"Authorization: token {token}"]


@pytest.mark.parametrize("asker", ASKERS, ids=str)
def test_answers_are_as_described(hub: HubProcess, tmp_path: Path, asker: Asker) -> None:
    names = "".join(f'"path.{part}" = "{name}"\n' for part, name in _NAMES.items()) if asker.named else ""
    config = tmp_path / "schemathesis.toml"
    config.write_text(f"[parameters]\n{names}")
    left_out = (*_NEVER, *(_LASTING if asker.named else ()))
    command = [
        *(str(PROGRAM), "--config-file", str(config), "run", f"{hub.hub_api_url}/openapi.json"),
        *("--seed", str(_SEED), "--max-examples", str(asker.examples), "--checks", ",".join(_CHECKS)),
        *("--phases", asker.phases, "--continue-on-failure", "--warnings", "off"),
        # The same handlers at other addresses.
        *("--exclude-operation-id-regex", r"_\d$"),
        *(word for name in left_out for word in ("--exclude-operation-id", name)),
        *_headers(hub, asker),
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert "No issues found" in run.stdout
    assert "] Request" not in hub.log
