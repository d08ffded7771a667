"""Configurations in the style of real ones: what is said of each, and a hub that lets people in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from carrel.config.names import NOT_USED
from carrel.config.schema import Problem, setting_fields
from tests.config.samples import Sample, all_samples
from tests.plugins.environment import carrel_with_plugins, need_plugins
from tests.rigs.accounts import Account, temporary_account
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.places import ROOT
from tests.rigs.systems import System, carrel, free_port

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
SAMPLES = all_samples()
NAMES = ROOT / "src" / "carrel" / "compat" / "names" / "jupyterhub"
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=[sample.name for sample in SAMPLES])


class SampleHub(HubProcess):
    """A hub with a sample as it is; ports and what does not exist here are said on the command line."""

    def __init__(self, sample: Sample, directory: Path) -> None:
        super().__init__(system(sample), directory, "", name=sample.file_name, base_url=sample.base_url)
        options = (
            f"--JupyterHub.bind_url=http://127.0.0.1:{self.ports.public}{sample.base_url}",
            f"--JupyterHub.hub_port={self.ports.hub}",
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{self.ports.proxy_api}",
            *(option.replace("HUB_PORT", str(self.ports.hub)) for option in sample.options),
        )
        own = self.system
        environ = {**own.environment, **variables(sample)}
        self.system = System(own.name, (*own.command, *options), environment=environ)
        self._sample = sample

    def write_config(self) -> None:
        self._sample.install(self.directory)


def system(sample: Sample) -> System:
    return carrel_with_plugins() if "plug-ins" in sample.needs else carrel()


def variables(sample: Sample) -> dict[str, str]:
    return {name: value.replace("FREE_PORT", str(free_port())) for name, value in sample.environ.items()}


def need_all(sample: Sample) -> None:
    for what in sample.needs:
        if what == "plug-ins":
            need_plugins()
        elif what in ("handlers", "apihandlers", "orm"):
            present = (NAMES / what).exists() or (NAMES / f"{what}.py").exists()
            need(present, f"Carrel's own jupyterhub.{what}")
        else:
            need(what in setting_fields(), f"the setting {what}")


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    need(os.geteuid() == 0, "root, who makes accounts")
    with temporary_account() as made:
        yield made


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `carrel check-config` says of each sample as it stands, with a process for each environment."""
    base = tmp_path_factory.mktemp("checked")
    found: dict[str, Any] = {}
    for wanted, program in ((False, carrel()), (True, carrel_with_plugins())):
        plan = {}
        for sample in SAMPLES:
            if ("plug-ins" in sample.needs) is wanted and Path(program.command[0]).exists():
                sample.install(base / sample.name)
                (base / sample.name / "userlist").write_text("ada admin\nbob\n")
                where = str(base / sample.name)
                plan[sample.name] = {
                    "directory": where,
                    "file": sample.file_name,
                    "environ": variables(sample),
                }
        (base / "plan.json").write_text(json.dumps(plan))
        path = os.pathsep.join([program.environment["PATH"], str(Path(sys.executable).parent)])
        done = subprocess.run(
            [program.command[0], "-m", "tests.config.check_samples", str(base / "plan.json")],
            cwd=ROOT,
            env={"PATH": path, "PYTHONPATH": f"{ROOT}/src:{ROOT}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        found |= json.loads(done.stdout)
    return found


@every_sample
def test_what_is_said_of_a_sample(sample: Sample, reports: dict[str, Any]) -> None:
    need_all(sample)
    status, report = reports[sample.name]["status"], reports[sample.name]["report"]
    if sample.broken:
        (problem,) = report["problems"]
        assert str(Problem(problem["setting"], problem["message"], problem["location"])) == sample.broken
        assert status == 2
        return
    said = [
        f"{'error' if each['fatal'] else each['kind'] or 'warning'} {each['setting']}".strip()
        for each in report["problems"]
        if not is_yet_to_come(f"{each['setting']}: {each['message']}")
    ]
    assert sorted(said) == sorted(sample.check), json.dumps(report["problems"], indent=1)
    assert status == (2 if any(line.startswith("error") for line in said) else 0)
    assert [each["setting"] for each in report["settings"] if not each["effect"]] == []
    assert [each["setting"] for each in report["settings"] if not each["location"]] == []


@every_sample
def test_a_sample_starts_and_lets_people_in(
    sample: Sample, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    need_all(sample)
    hub = SampleHub(sample, tmp_path)
    who = request.getfixturevalue("account") if sample.login == "account" else None
    hub.directory.mkdir(exist_ok=True)
    (tmp_path / "userlist").write_text(f"{who.name} admin\n" if who else "")
    if sample.broken:
        hub.launch()
        assert hub.wait(60) == 3
        assert hub.log.splitlines()[-1] == f"carrel: {sample.broken}"
        return
    with hub:
        name, _, password = (who.name, "", who.password) if who else sample.login.partition(":")
        if password:
            visitor = hub.visitor()
            assert visitor.log_in(name, password).status == 302, hub.log[-3000:]
            assert re.search(rf"\b{re.escape(name)}\b", visitor.get("hub/home").text)
        elif sample.login != "none":
            page = hub.visitor().follow("hub/login")
            assert page.status == 200, hub.log[-3000:]
            words = {"page": 'type="password"', "any": ""}.get(sample.login, sample.login)
            assert words in page.text
        told = [line for line in warnings(hub.log) if not is_of_the_machine(line)]
        assert [line for line in told if not is_yet_to_come(line)] == list(sample.warns)
        waiting = [name for name in NOT_USED if re.search(rf"\.{name}\b|'{name}'", sample.text)]
        assert {name for name in waiting if not any(f"JupyterHub.{name}: " in line for line in told)} == set()


def is_yet_to_come(message: str) -> bool:
    """Tell whether a warning is about what the next release may do: it stands in no list."""
    return "not used by this version" in message and "JupyterHub." in message


def is_of_the_machine(message: str) -> bool:
    """Tell whether a warning says how busy the machine was, and nothing of the configuration."""
    return re.fullmatch(r"The event loop was held up for [\d.]+ seconds", message) is not None


def warnings(log: str) -> list[str]:
    """Return what a start warns of, without what stands before the message."""
    return [found[1] for line in log.splitlines() if (found := re.match(r"\[[WEC] [^\]]*\] (.*)", line))]
