"""Sections of authenticators, spawners and proxies against the classes that are in use."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import Bool, Callable, Dict, Enum, Float, HasTraits, Integer, List, Set, Unicode, Union
from traitlets.config import Configurable

from carrel.config.load import load
from carrel.config.plugins import check_plugins
from carrel.config.schema import Problem


class Authenticator(Configurable):
    admin_users = Set(Unicode()).tag(config=True)
    allowed_users = Set(Unicode()).tag(config=True)
    allow_all = Bool().tag(config=True)
    blocked_users = Set(Unicode()).tag(config=True)
    auto_login = Bool().tag(config=True)
    username_pattern = Unicode().tag(config=True)


class CampusAuthenticator(Authenticator):
    allowed_groups = Set(Unicode()).tag(config=True)
    client_secret = Unicode().tag(config=True)
    password = Unicode().tag(config=True)


class Spawner(Configurable):
    cmd = List(Unicode(), ["base"]).tag(config=True)
    environment = Dict().tag(config=True)
    start_timeout = Integer(60).tag(config=True)
    poll_jitter = Float(0.1).tag(config=True)
    options_form = Union([Unicode(), Callable()]).tag(config=True)
    pre_spawn_hook = Callable(None, allow_none=True).tag(config=True)
    pull_policy = Enum(["always", "never"]).tag(config=True)
    labels = Dict(Unicode()).tag(config=True)
    marks = Dict(help="DEPRECATED, use ``Spawner.labels`` for that.\n\nMore.").tag(config=True)
    extra = Union([Callable(), Dict()]).tag(config=True)
    disable_user_config = Bool().tag(config=True)
    allowed_images = List(Unicode()).tag(config=True)
    internal = Integer()


class TinySpawner(Spawner):
    home = Unicode().tag(config=True)


CLASSES: list[type[HasTraits]] = [CampusAuthenticator, TinySpawner]


def check(directory: Path, text: str, *argv: str) -> list[Problem]:
    (directory / "jupyterhub_config.py").write_text(text)
    return check_plugins(load(argv, directory, {}).settings, CLASSES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c.Authenticator.allowed_users = {'ada'}\nc.Authenticator.allowed_groups = {'staff'}",
        "c.CampusAuthenticator.allow_all = True",
        "c.Authenticator.allowed_users.add('ada')",
        "c.Authenticator.admin_users",
        "c.Spawner.cmd.append('--x')\nc.Spawner.environment.update({'A': 1})",
        "c.Spawner.options_form = lambda spawner: ''",
        "c.Spawner.pre_spawn_hook = None",
        "c.Spawner.home = '/home'\nc.TinySpawner.poll_jitter = 1",
        "c.Spawner.pull_policy = 'never'",
        "c.Spawner.extra.update({'a': 'b'})",
        "c.CryptKeeper.keys = ['0' * 64]\nc.CryptKeeper",
    ],
)
def test_good_sections(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, text) == []


@pytest.mark.parametrize(
    "option",
    [
        "--Spawner.start_timeout=9",
        "--Spawner.cmd=x",
        "--Spawner.cmd=['x', 'y']",
        "--Spawner.poll_jitter=.5",
        "--Authenticator.allow_all=True",
    ],
)
def test_texts_of_the_command_line_are_read_by_their_traits(tmp_path: Path, option: str) -> None:
    assert check(tmp_path, "", option) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("c.Spawner.allowed_image = ['x']", "TinySpawner has no such setting; did you mean allowed_images?"),
        ("c.Spawner.group_overide = {}", "to say who may do what; it has allowed_images"),
        ("c.TinySpawner.admin_access = True", "to say who may do what; it has allowed_images"),
        ("c.TinySpawnr.allowed_images = []", "did you mean c.TinySpawner?"),
        ("c.CampusAuthenticator.pasword = 'x'", "did you mean password?"),
        ("c.Authenticator.usernme_pattern = 'x'", "did you mean username_pattern?"),
        ("c.Authenticator.allowed_user = {'ada'}", "did you mean allowed_users?"),
        ("c.Authenticator.admin_usrs = {'ada'}", "did you mean admin_users?"),
        ("c.Authenticator.users = {'ada'}", "to say who may log in"),
        ("c.Authenticator.deny_list = {'ada'}", "to say who may log in; it has admin_users, allow_all"),
        ("c.CampusAuthenticator.github_org_whitelist = {'x'}", "to say who may log in"),
        ("c.CampusAuthenticater.allowed_users = {'x'}", "did you mean c.CampusAuthenticator?"),
        ("c.Campusauthenticator.allowed_users = {'x'}", "did you mean c.CampusAuthenticator?"),
        ("c.Spawner.start_timeout = 'soon'", "it must be a whole number, not the text 'soon'"),
        ("c.Spawner.start_timeout = None", "it must be a whole number, not None"),
        ("c.Spawner.cmd = [1]", "a list in which every value is a text, not the list [1]"),
        ("c.Spawner.labels = {'a': 1}", "a dictionary in which every value is a text"),
        ("c.Spawner.labels.update({'a': 1})", "a dictionary in which every value is a text"),
        ("c.Spawner.pull_policy = 'often'", "'always'"),
        ("c.Spawner.disable_user_config = 'no'", "True or False"),
        ("c.Authenticator.allow_all = 'yes'", "True or False"),
    ],
)
def test_a_mistake_is_fatal_and_has_its_line(tmp_path: Path, line: str, expected: str) -> None:
    (problem,) = check(tmp_path, f"\n{line}")
    assert problem.fatal
    assert expected in problem.message
    assert problem.location == "jupyterhub_config.py:2"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "c.Spawner.start_timeot = 5",
            "TinySpawner has no such setting: it has no effect; did you mean start_timeout?",
        ),
        ("c.TinySpawner.hom = '/x'", "did you mean home?"),
        ("c.Spawner.Tiny.home = 'x'", "sections inside others have no effect: write c.Tiny"),
        ("c.Spawner.marks = {}", "deprecated: use Spawner.labels for that"),
        ("c.Spawner.ssl_alt_names = ['x']", "not used by this version: the hub and the servers"),
        ("c.CryptKeeper.n_threads = 2", "not used: "),
        ("c.CryptKeeper.key = 2", "it has no effect; did you mean keys?"),
        ("c.JupyterHubSingleUser.default_url = '/lab'", "the configuration of the users' servers"),
        ("c.Spawner.enable_user_api = True", "it has no effect"),
        ("c.Spawner.internal = 5", "it has no effect"),
        ("c.Spawner.container_image = 'x'", "deprecated, and TinySpawner does not know it: use image"),
        ("c.Authenticator.create_system_users = True", "it has no effect"),
        ("c.Authenticator.username_claim = 'mail'", "it has no effect"),
        ("c.Authenticator.colour = 'red'", "it has no effect"),
        ("c.DockerSpawner.image = 'x'", "not in use (in use: CampusAuthenticator, TinySpawner)"),
        ("c.PAMAuthenticator.allowed_users = {'ada'}", "not in use"),
        ("c.OAuthenticator.allow_all = True", "not in use"),
        ("c.TinySpawnr.home = 'x'", "did you mean c.TinySpawner?"),
        ("c.DockerSpawnr.image = 'x'", "did you mean c.DockerSpawner?"),
        ("c.Zebra.stripes = 5", "no class of this name is in use"),
    ],
)
def test_what_has_no_effect_only_warns(tmp_path: Path, line: str, expected: str) -> None:
    (problem,) = check(tmp_path, line)
    assert not problem.fatal
    assert expected in problem.message
    assert problem.location == "jupyterhub_config.py:1"


def test_a_secret_of_the_wrong_type_is_not_quoted(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, "c.CampusAuthenticator.client_secret = ['hunter2']")
    assert "hunter2" not in str(problem)


def test_checking_leaves_lazy_values_for_their_class(tmp_path: Path) -> None:
    (tmp_path / "jupyterhub_config.py").write_text("c.Spawner.cmd.append('--x')")
    settings = load([], tmp_path, {}).settings
    check_plugins(settings, CLASSES)
    assert TinySpawner(config=settings.plugins).cmd == ["base", "--x"]
