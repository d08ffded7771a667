from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from traitlets import TraitError, default
from traitlets.config import Config

from carrel.spawners.base import Spawner
from carrel.spawners.errors import StartError
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.run import make_spawner
from carrel.spawners.simple import SimpleLocalProcessSpawner
from carrel.testing.fakes import FakeSpawner, FakeWorld
from tests.spawners.rig import run_of, user_view


def fake(config: Mapping[str, Any] | None = None, **run: Any) -> FakeSpawner:
    return make_spawner(FakeWorld().spawner_class(), run_of(**run), Config({"Spawner": Config(config or {})}))


def test_a_driver_without_its_methods_is_refused_where_it_is_written() -> None:
    with pytest.raises(NotImplementedError, match=r"Half has to define stop\(\), poll\(\)"):

        class Half(Spawner):
            def start(self) -> None:
                return None


def test_settings_come_from_every_class_of_the_driver() -> None:
    config = Config()
    config.Spawner.start_timeout = 11
    config.LocalProcessSpawner.term_timeout = 12
    config.SimpleLocalProcessSpawner.home_dir_template = "/srv/{username}"
    driver = make_spawner(SimpleLocalProcessSpawner, run_of(), config)
    assert (driver.start_timeout, driver.term_timeout, driver.home_dir) == (11, 12, "/srv/alice")


def test_a_driver_may_not_change_the_configuration() -> None:
    config = Config()
    config.Spawner.environment = {"A": "1"}
    make_spawner(LocalProcessSpawner, run_of(), config).environment["A"] = "2"
    assert make_spawner(LocalProcessSpawner, run_of(), config).environment == {"A": "1"}


def test_a_wrong_value_names_the_setting() -> None:
    with pytest.raises(TraitError, match="mem_limit"):
        fake({"mem_limit": "plenty"})


def test_the_command_may_be_one_word_or_many() -> None:
    assert fake({"cmd": "lab"}).cmd == ["lab"]
    assert fake({"cmd": ["a", "b"]}).cmd == ["a", "b"]
    assert fake().cmd == ["carrel-singleuser"]
    assert fake({"cmd": None}).cmd is None


def test_later_sources_of_the_environment_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "from the hub's own")
    monkeypatch.setenv("NOT_KEPT", "x")
    monkeypatch.setenv("JUPYTERHUB_USER", "from the hub's own")
    driver = fake(
        {
            "env_keep": ["KEPT", "JUPYTERHUB_USER", "ABSENT"],
            "environment": {
                "JUPYTERHUB_HOST": "https://other",
                "MADE": lambda spawner: f"for {spawner.user.name}",
                "NUMBER": 4,
                "CARREL_SERVER_ID": "999",
            },
        }
    )
    env = driver.get_env()
    assert env["KEPT"] == "from the hub's own"
    assert env["JUPYTERHUB_USER"] == "alice"
    assert env["JUPYTERHUB_HOST"] == "https://other"
    assert (env["MADE"], env["NUMBER"]) == ("for alice", "4")
    assert (env["CARREL_SERVER_ID"], env["CARREL_GENERATION"]) == ("7", "2")
    assert not {"NOT_KEPT", "ABSENT"} & env.keys()


def test_a_server_is_told_where_to_listen() -> None:
    driver = fake({"ip": "::1", "port": 4321})
    assert driver.get_env()["JUPYTERHUB_SERVICE_URL"] == "http://[::1]:4321/user/alice/"


def test_paths_are_expanded(caplog: pytest.LogCaptureFixture) -> None:
    env = fake({"notebook_dir": "/nb/{username}", "default_url": "/tree/%U"}).get_env()
    assert (env["JUPYTERHUB_ROOT_DIR"], env["JUPYTERHUB_DEFAULT_URL"]) == ("/nb/alice", "/tree/alice")
    assert "write {username}" in caplog.text


@pytest.mark.parametrize("template", ["/{nobody}", "/{", "/{0}"])
def test_a_template_that_cannot_be_expanded_says_what_it_may_use(template: str) -> None:
    with pytest.raises(ValueError, match=r"\{username\}"):
        fake().format_string(template)


class ArgvOfOld(FakeSpawner):
    world: ClassVar[FakeWorld] = FakeWorld()

    def get_argv(self) -> list[str]:
        return [*super().get_argv(), *self.user_options.get("argv", [])]

    @default("options_form")
    def _form(self) -> str:
        return f"<p>{self.user.name}</p>"


async def test_a_driver_may_extend_the_arguments_and_make_its_form_from_the_user() -> None:
    config = Config()
    config.Spawner.args = ["--a"]
    driver = make_spawner(ArgvOfOld, run_of(user_options={"argv": ["--debug"]}), config)
    assert driver.get_argv() == ["--a", "--debug"]
    assert await driver.get_options_form() == "<p>alice</p>"


async def test_a_form_may_be_made_by_a_callable_of_any_kind() -> None:
    async def later(spawner: Spawner) -> str:
        return f"later for {spawner.user.name}"

    assert await fake({"options_form": lambda spawner: "now"}).get_options_form() == "now"
    assert await fake({"options_form": later}).get_options_form() == "later for alice"
    assert await fake().get_options_form() == ""


async def test_a_form_becomes_options_as_the_deployer_says() -> None:
    form = {"image": ["a"], "many": ["x", "y"]}

    async def with_spawner(data: Mapping[str, Any], spawner: Spawner) -> dict[str, Any]:
        return {"who": spawner.user.name, **data}

    assert await fake().run_options_from_form(form) == form
    simple = fake({"options_from_form": "simple"})
    assert await simple.run_options_from_form(form) == {"image": "a", "many": ["x", "y"]}
    assert await simple.options_from_query(form) == {"image": "a", "many": ["x", "y"]}
    own = fake({"options_from_form": lambda data: {"n": len(data)}})
    assert await own.run_options_from_form(form) == {"n": 2}
    assert (await fake({"options_from_form": with_spawner}).run_options_from_form(form))["who"] == "alice"
    with pytest.raises(ValueError, match="passthrough, simple"):
        await fake({"options_from_form": "smiple"}).run_options_from_form(form)


class FormOfOld(FakeSpawner):
    world: ClassVar[FakeWorld] = FakeWorld()

    def options_from_form(self, formdata: Mapping[str, Any]) -> dict[str, Any]:
        return {"env": formdata["env"][0]}


async def test_a_driver_may_define_the_form_as_a_method() -> None:
    driver = make_spawner(FormOfOld, run_of(), Config())
    assert await driver.run_options_from_form({"env": ["A=1"]}) == {"env": "A=1"}


async def test_options_are_applied_by_a_table_or_a_callable() -> None:
    table = fake({"apply_user_options": {"memory": "mem_limit", "other": "debug"}})
    await table.run_apply_user_options({"memory": "2G", "unknown": 1})
    assert table.mem_limit == 2 * 2**30

    async def rule(spawner: Spawner, chosen: Mapping[str, Any]) -> None:
        spawner.default_url = chosen["page"]

    made = fake({"apply_user_options": rule})
    await made.run_apply_user_options({"page": "/lab"})
    assert made.default_url == "/lab"


async def test_groups_change_settings_in_order_and_dictionaries_are_merged() -> None:
    overrides = {
        "02": {
            "groups": ["gpu"],
            "spawner_override": {"mem_limit": "8G", "environment": {"B": None, "C": "3"}},
        },
        "01": {"groups": ["gpu", "x"], "spawner_override": {"mem_limit": lambda spawner: "4G"}},
        "00": {"groups": ["staff"], "spawner_override": {"debug": True}},
    }
    settings = {"group_overrides": overrides, "environment": {"A": "1", "B": "2"}}
    driver = fake(settings, user=user_view(groups=("gpu",)))
    await driver.run_apply_user_options({})
    assert (driver.mem_limit, driver.debug) == (8 * 2**30, False)
    assert driver.environment == {"A": "1", "C": "3"}


async def test_hooks_may_be_plain_async_or_return_a_future() -> None:
    called: list[str] = []

    def plain(spawner: Spawner) -> None:
        called.append(f"plain {spawner.user.name}")

    async def later(spawner: Spawner, state: Mapping[str, Any] | None) -> None:
        called.append(f"state {state}")

    def future(spawner: Spawner) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        called.append("future")
        return done

    driver = fake({"pre_spawn_hook": plain, "auth_state_hook": later, "post_stop_hook": future})
    assert driver.run_pre_spawn_hook() is None
    await driver.run_auth_state_hook({"a": 1})
    await driver.run_post_stop_hook()
    assert called == ["plain alice", "state {'a': 1}", "future"]


async def test_a_failing_hook_after_the_stop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def bad(spawner: Spawner) -> None:
        raise RuntimeError("no")

    await fake({"post_stop_hook": bad}).run_post_stop_hook()
    assert "post_stop_hook of alice failed" in caplog.text


async def test_callbacks_of_old_are_called_once_when_the_server_has_ended() -> None:
    driver, called = fake(), list[int]()
    driver.add_poll_callback(called.append, 1)
    driver.start_polling()
    await driver.start()
    assert await driver.poll_and_notify() is None
    await driver.stop()
    assert await driver.poll_and_notify() == 0
    assert await driver.poll_and_notify() == 0
    assert called == [1]
    driver.add_poll_callback(called.append, 2)
    driver.stop_polling()
    await driver.poll_and_notify()
    assert called == [1]


async def test_waiting_for_the_end_gives_up_in_time() -> None:
    driver = fake()
    await driver.start()
    assert not await driver.wait_for_death(0.01)


async def test_the_optional_methods_do_something_sensible() -> None:
    driver = fake()
    await driver.save_state()
    await driver.delete_forever()
    assert await driver.usage() is None
    assert await driver.queue_position() is None
    assert [event["progress"] async for event in driver.progress()] == [50]


async def test_a_hub_that_is_not_root_starts_no_server_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(StartError, match=r"The hub is not root.*rights of root") as caught:
        await make_spawner(LocalProcessSpawner, run_of("root"), Config()).start()
    assert "spawner_class" in caught.value.hint


async def test_a_user_without_an_account_is_named() -> None:
    with pytest.raises(StartError, match="no account called nobody-here"):
        await make_spawner(LocalProcessSpawner, run_of("nobody-here"), Config()).start()
