"""Texts of configuration files and command lines, and the settings or problems that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import LoggingConfigurable

from carrel.config.arguments import BadArguments
from carrel.config.load import Loaded, load
from carrel.config.schema import BadConfig, Problem


def read(directory: Path, text: str, *argv: str, environ: dict[str, str] | None = None) -> Loaded:
    (directory / "jupyterhub_config.py").write_text(text)
    return load(argv, directory, environ or {})


def problems(directory: Path, text: str, *argv: str) -> list[Problem]:
    with pytest.raises(BadConfig) as caught:
        read(directory, text, *argv)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("", "port", 8000),
        ("c.JupyterHub.port = 9000", "port", 9000),
        ("c = get_config()\nc.JupyterHub.port = 9000", "port", 9000),
        ("c.JupyterHub.port = 9000\nc.Carrel.port = 9001", "port", 9001),
        ("c.Carrel.port = 9001\nc.JupyterHub.port = 9000", "port", 9001),
        ("c['JupyterHub']['port'] = 9000", "port", 9000),
        ("c.JupyterHub.ip = '*'", "ip", ""),
        ("c.JupyterHub.ip = ''", "ip", ""),
        ("c.JupyterHub.ip", "ip", ""),
        ("c.JupyterHub.bind_url = 'http://127.0.0.1:9000/lab'", "ip", "127.0.0.1"),
        ("c.JupyterHub.bind_url = 'http://127.0.0.1:9000/lab'", "port", 9000),
        ("c.JupyterHub.bind_url = 'http://127.0.0.1:9000/lab'", "base_url", "/lab/"),
        ("c.JupyterHub.bind_url = 'http://127.0.0.1:9000/lab'", "bind_url", "http://127.0.0.1:9000/lab/"),
        ("c.JupyterHub.bind_url = 'http://:9000'", "ip", ""),
        ("c.JupyterHub.bind_url = 'http://*:9000'", "ip", ""),
        ("c.JupyterHub.bind_url = 'http://[::1]:9000'", "ip", "::1"),
        ("c.JupyterHub.bind_url = 'http://0.0.0.0'", "port", 80),
        ("c.JupyterHub.base_url = 'hub-a'", "base_url", "/hub-a/"),
        ("c.JupyterHub.base_url = '/a/b'", "base_url", "/a/b/"),
        ("c.JupyterHub.base_url = ''", "base_url", "/"),
        ("c.JupyterHub.hub_bind_url = 'http://10.0.0.1:9001'", "hub_ip", "10.0.0.1"),
        ("c.JupyterHub.hub_bind_url = 'http://10.0.0.1:9001'", "hub_port", 9001),
        ("c.JupyterHub.hub_connect_url = 'http://hub:80'", "hub_connect_url", "http://hub:80"),
        ("c.JupyterHub.hub_bind_url = 'unix+http://%2Frun%2Fhub.sock'", "hub_port", 8081),
        ("c.JupyterHub.bind_url = 'http+unix://%2Frun%2Fall.sock/jh'", "base_url", "/jh/"),
        ("c.JupyterHub.hub_routespec = '/hub'", "hub_routespec", "/hub/"),
        ("c.JupyterHub.hub_ip_connect = '10.0.0.1'", "hub_connect_ip", "10.0.0.1"),
        ("c.JupyterHub.cookie_secret = bytes(32)", "cookie_secret", bytes(32)),
        ("c.JupyterHub.cookie_secret = '" + "0f" * 32 + "'", "cookie_secret", b"\x0f" * 32),
        ("c.JupyterHub.db_url = 'hub.sqlite'", "db_url", "sqlite:///hub.sqlite"),
        ("c.JupyterHub.log_level = 'debug'", "log_level", "DEBUG"),
        ("c.JupyterHub.log_level = 10", "log_level", 10),
        ("c.Application.log_level = 'WARN'", "log_level", "WARNING"),
        ("c.JupyterHub.template_paths = ['a', 'b']", "template_paths", ["a", "b"]),
        ("c.JupyterHub.template_paths.append('a')", "template_paths", ["a"]),
        ("c.JupyterHub.template_paths.extend(['a', 'b'])", "template_paths", ["a", "b"]),
        ("c.JupyterHub.template_vars.update({'announcement': 'x'})", "template_vars", {"announcement": "x"}),
        ("c.JupyterHub.tornado_settings = {'slow_spawn_timeout': 0}", "slow_spawn_timeout", 0.0),
        ("c.JupyterHub.cleanup_servers = False", "cleanup_servers", False),
        ("c.JupyterHub.concurrent_spawn_limit = 0", "concurrent_spawn_limit", 0),
        ("c.JupyterHub.authenticator_class = 'dummy'", "authenticator_class", "dummy"),
        ("from traitlets.config import LoggingConfigurable\n"
         "c.JupyterHub.spawner_class = LoggingConfigurable", "spawner_class", LoggingConfigurable),
    ],
)  # fmt: skip
def test_a_file_becomes_settings(tmp_path: Path, text: str, name: str, value: Any) -> None:
    assert getattr(read(tmp_path, text).settings, name) == value


def test_a_callable_is_kept(tmp_path: Path) -> None:
    settings = read(
        tmp_path, "def where(handler):\n    return '/x'\nc.JupyterHub.default_url = where"
    ).settings
    assert settings.default_url(None) == "/x"


@pytest.mark.parametrize(
    ("argv", "name", "value"),
    [
        (["--port", "9000"], "port", 9000),
        (["--port=9000"], "port", 9000),
        (["--JupyterHub.port=9000"], "port", 9000),
        (["--JupyterHub.port", "9000"], "port", 9000),
        (["--Carrel.port=9000"], "port", 9000),
        (["--ip", "127.0.0.1"], "ip", "127.0.0.1"),
        (["--base-url", "x"], "base_url", "/x/"),
        (["--url", "http://127.0.0.1:9000/x"], "port", 9000),
        (["--db", "sqlite:///x"], "db_url", "sqlite:///x"),
        (["--log-level", "30"], "log_level", 30),
        (["--debug"], "log_level", "DEBUG"),
        (["--pid-file", "x.pid"], "pid_file", "x.pid"),
        (["--JupyterHub.cleanup_servers=False"], "cleanup_servers", False),
        (["--JupyterHub.cleanup_servers=None"], "cleanup_servers", None),
        (["--JupyterHub.redirect_to_server=0"], "redirect_to_server", False),
        (["--JupyterHub.activity_resolution=0.5"], "activity_resolution", 0.5),
        (["--JupyterHub.template_paths=a", "--JupyterHub.template_paths=b"], "template_paths", ["a", "b"]),
        (["--JupyterHub.template_paths=['a', 'b']"], "template_paths", ["a", "b"]),
        (["--JupyterHub.template_paths=a"], "template_paths", ["a"]),
        (["--JupyterHub.template_vars.a=b", "--JupyterHub.template_vars.c=d"], "template_vars",
         {"a": "b", "c": "d"}),
        (["--no-db"], "db_url", "sqlite:///:memory:"),
        (["--no-db", "--db=sqlite:///x"], "db_url", "sqlite:///x"),
        (["--config=other.py"], "port", 8000),
        (["-y", "--port=9000"], "port", 9000),
        (["--JupyterHub.template_vars={'a': 1}"], "template_vars", {"a": 1}),
        (["--JupyterHub.template_vars=a=b", "--JupyterHub.template_vars=c=d"], "template_vars",
         {"a": "b", "c": "d"}),
    ],
)  # fmt: skip
def test_the_command_line_wins_over_the_file(tmp_path: Path, argv: list[str], name: str, value: Any) -> None:
    (tmp_path / "other.py").write_text("")
    text = "c.JupyterHub.bind_url = 'http://10.1.1.1:7000/y/'\nc.JupyterHub.cleanup_servers = True"
    assert getattr(read(tmp_path, text, *argv).settings, name) == value


def test_parts_on_the_command_line_change_the_url_of_the_file(tmp_path: Path) -> None:
    settings = read(tmp_path, "c.JupyterHub.bind_url = 'http://10.1.1.1:7000/y/'", "--port=9").settings
    assert settings.bind_url == "http://10.1.1.1:9/y/"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("c.JupyterHub.authenticator_clas = 'dummy'", "did you mean that?"),
        ("c.JupyterHub.admin_user = {'ada'}", "did you mean c.Authenticator.admin_users?"),
        ("c.JupyterHub.load_role = []", "and load_roles says who may do what"),
        ("c.Jupyterhub.admin_users = {'ada'}", "did you mean c.JupyterHub?"),
        ("c.jupyterhub.admin_users = {'ada'}", "settings belong to c.JupyterHub"),
        ("c.authenticator.allowed_users = {'ada'}", "settings belong to c.Authenticator"),
        ("c.allowed_users = {'ada'}", "settings belong to a class such as"),
        ("c.JupyterHub.port = '8000'", "a whole number, not the text '8000': remove the quotes"),
        ("c.JupyterHub.port = True", "a whole number, not the bool True"),
        ("c.JupyterHub.port = 70000", "from 1 to 65535"),
        ("c.JupyterHub.hub_port = 8000; c.JupyterHub.hub_ip = ''", "cannot listen on the public port 8000"),
        ("c.JupyterHub.hub_ip = 'http://127.0.0.1:1'", "without scheme and port"),
        ("c.JupyterHub.hub_connect_ip = '0.0.0.0'", "servers cannot connect to 0.0.0.0"),
        ("c.JupyterHub.bind_url = '127.0.0.1:8000'", "must be a URL such as http://"),
        ("c.JupyterHub.bind_url = 'http://127.0.0.1:x'", "must be a URL such as http://"),
        ("c.JupyterHub.hub_bind_url = 'unix:/run/hub'", "named by http+unix://%2Frun%2Fhub.sock"),
        ("c.JupyterHub.hub_connect_url = 'hub:8081'", "an address such as http://hub.example:8081"),
        ("c.JupyterHub.jinja_environment_options = {'no_such': 1}", "Jinja cannot be started with it"),
        ("c.JupyterHub.log_format = '%(message'", "no line can be made with it"),
        ("c.JupyterHub.log_format = '%(nothing)s'", "%(message)s and other names"),
        ("c.JupyterHub.extra_log_handlers = ['file']", "logging.Handler objects, and has a str"),
        ("c.JupyterHub.logging_config = 'x'", "a dictionary with text keys"),
        ("c.JupyterHub.trusted_downstream_ips = ['10.0.0.0/8', 'proxy']", "'proxy' is neither an address"),
        ("c.JupyterHub.forwarded_host_header = 'X Host'", "the name of a header, such as X-Forwarded-Host"),
        ("c.JupyterHub.hub_connect_port = 70000", "a number from 1 to 65535"),
        ("c.JupyterHub.hub_socket_mode = 7000", "permissions such as 0o660"),
        ("c.JupyterHub.base_url = '/jh/'; c.JupyterHub.hub_routespec = '/hub/'", "begin with the base URL"),
        (
            "c.JupyterHub.hub_bind_url = 'http+unix://%2Fh'; c.JupyterHub.bind_url = 'http+unix://%2Fp'",
            "servers cannot reach a hub on a socket",
        ),
        ("c.JupyterHub.base_url = '/a b'", "a plain path such as /hub-a/"),
        ("c.JupyterHub.base_url = '/a/../b'", "a plain path such as /hub-a/"),
        ("c.JupyterHub.cookie_secret = 'no hex'", "32 bytes, or hex text"),
        ("c.JupyterHub.cookie_secret = 'abcd'", "at least 32 bytes and has 2"),
        ("c.JupyterHub.db_url = 'mysql://u@h/d'", "not a mysql URL"),
        ("c.JupyterHub.log_level = 'LOUD'", "one of DEBUG, INFO, WARNING"),
        ("c.JupyterHub.template_paths = '/srv'", "a list of texts"),
        ("c.JupyterHub.template_vars = []", "a dictionary"),
        ("c.JupyterHub.cleanup_servers = 'yes'", "True or False"),
        ("c.JupyterHub.cookie_max_age_days = 0", "more than 0"),
        ("c.JupyterHub.concurrent_spawn_limit = -1", "0 or more"),
        ("c.JupyterHub.authenticator_class = 5", "an entry point's name"),
        ("c.JupyterHub.default_url = 'lab'", "begin with a slash"),
        ("c.JupyterHub.admin_users = 'ada'", "a set of user names"),
        ("c.JupyterHub.tornado_settings = 5", "a dictionary"),
        ("c.JupyterHub.ssl_key = 'x.key'", "a key alone is of no use"),
        ("c.JupyterHub.ssl_cert = 'x.crt'", "x.crt cannot be read (No such file or directory)"),
        ("c.JupyterHub.subdomain_host = 'https://10.0.0.1'", "an address of digits has no hosts below it"),
        ("c.JupyterHub.subdomain_host = 'https://hub.org/x'", "an address such as https://hub.example.org"),
        (
            "c.JupyterHub.subdomain_host = 'https://hub.org'; c.JupyterHub.public_url = 'https://x.org/'",
            "must begin with https://hub.org",
        ),
        (
            "c.JupyterHub.subdomain_host = 'hub.org'; c.JupyterHub.subdomain_hook = lambda *_: 'x'",
            "a host below hub.org",
        ),
        ("c.JupyterHub.subdomain_hook = 'puny'", "'idna', 'legacy' or a callable"),
        ("c.JupyterHub.internal_ssl = True", "TLS between the hub and the servers"),
        ("c.JupyterHub.allow_all = True", "did you mean c.Authenticator.allow_all?"),
        ("c.JupyterHub.whitelist = {'ada'}", "did you mean c.Authenticator.whitelist?"),
        ("c.JupyterHub.block_people = {'ada'}", "who may do what"),
    ],
)
def test_a_mistake_is_fatal_and_has_its_line(tmp_path: Path, line: str, expected: str) -> None:
    (found,) = problems(tmp_path, f"import os\n\n{line}\n")
    assert expected in found.message
    assert found.location == "jupyterhub_config.py:3"


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "c.JupyterHub.allow_al = 1\nc.JupyterHub.hub_port = 'x'\nc.JupyterHub.cookie_secret = ''\n"
    found = problems(tmp_path, text, "--JupyterHub.log_level=LOUD")
    assert [each.location for each in found] == [
        "jupyterhub_config.py:1",
        "jupyterhub_config.py:2",
        "jupyterhub_config.py:3",
        "command line",
    ]


def test_a_mistake_of_the_file_keeps_its_place_when_the_command_line_corrects_it(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "c.JupyterHub.port = 'x'", "--port=9000")
    assert found.location == "jupyterhub_config.py:1"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("c.JupyterHub.prot = 1", "it has no effect; did you mean port?"),
        ("c.JupyterHub.bass_url = '/'", "did you mean base_url?"),
        ("c.JupyterHub.spawner_clas = 'simple'", "did you mean spawner_class?"),
        ("c.Jupyterhub.port = 1", "did you mean c.JupyterHub?"),
        ("c.jupyterhub.port = 1", "settings belong to c.JupyterHub"),
        ("c.spawner.cmd = ['x']", "settings belong to c.Spawner"),
        ("c.JupyterHub.Spawner.cmd = ['x']", "read as c.Spawner.cmd: write it there"),
        ("c.Authenticator.whitelist = set()", "for everybody set allow_all = True"),
        ("c.JupyterHub.confirm_no_ssl = True", "deprecated: not used"),
        ("c.JupyterHub.api_tokens = {'0' * 32: 'ada'}", "old: let services have these tokens"),
        ("c.JupyterHub.hub_ip_connect = '10.0.0.1'", "use c.JupyterHub.hub_connect_ip"),
        ("c.JupyterHub.proxy_auth_token = 'x'", "use c.ConfigurableHTTPProxy.auth_token"),
        ("c.JupyterHub.proxy_cmd = ['x']", "use c.ConfigurableHTTPProxy.command"),
        ("c.JupyterHub.admin_users = {'ada'}", "use c.Authenticator.admin_users"),
        ("c.Authenticator.whitelist = {'ada'}", "now called allowed_users"),
        ("c.JupyterHub.allowed_users = {'ada'}", "c.Authenticator.allowed_users says who may log in"),
        ("c.JupyterHub.cookie_options = {}", "no effect"),
        ("c.JupyterHub.services = [{'name': 'a', 'admin': True}]", "admin is deprecated"),
        ("c.JupyterHub.services.append({'name': 'a', 'external': True})", "external has no effect"),
        ("c.JupyterHub.services = [{'name': 'a', 'cwd': '/'}]", "cwd has no effect without a command"),
        ("c.JupyterHub.service_tokens = {'0' * 32: 'a'}", "it is added without anything else"),
        ("c.JupyterHub.something_new = 1", "it has no effect"),
        ("c.JupyterHub.jinja_environment_options = {'autoescape': False}", "values are always escaped"),
        ("c.JupyterHub.tornado_settings = {'log_function': 1}", "not used by this version: log_function"),
        ("c.JupyterHub.bind_url = 'http://:1/'; c.JupyterHub.port = 2", "it wins over port"),
        ("c.JupyterHub.hub_connect_url = 'http://hub:9/'; c.JupyterHub.hub_connect_ip = 'x'", "it wins over"),
        ("c.JupyterHub.bind_url = 'https://:1/'", "plain HTTP is served"),
        ("c.JupyterHub.cleanup_proxy = True; c.JupyterHub.cleanup_servers = False", "nobody reaches them"),
        ("load_subconfig('missing.py')", "there is no file missing.py"),
    ],
)
def test_what_is_old_or_without_effect_only_warns(tmp_path: Path, line: str, expected: str) -> None:
    (warning,) = read(tmp_path, line).warnings
    assert expected in warning.message
    assert warning.location.startswith("jupyterhub_config.py")
    assert not warning.fatal


@pytest.mark.parametrize(
    "line", ["", "c.JupyterHub.services", "c.JupyterHub.ssl_key = ''", "if c.JupyterHub.ip: pass"]
)
def test_what_changes_nothing_is_not_worth_a_word(tmp_path: Path, line: str) -> None:
    assert read(tmp_path, line).warnings == []


@pytest.mark.parametrize("option", ["--no-ssl", "-y", "-y=True", "--upgrade-db"])
def test_idle_options_warn(tmp_path: Path, option: str) -> None:
    (warning,) = read(tmp_path, "", option).warnings
    assert "changes nothing" in warning.message


def test_an_old_allow_list_is_enforced_under_its_new_name(tmp_path: Path) -> None:
    settings = read(tmp_path, "c.PAMAuthenticator.whitelist = {'ada'}").settings
    assert settings.plugins.PAMAuthenticator == {"allowed_users": {"ada"}}
    assert settings.locations["PAMAuthenticator.allowed_users"] == "jupyterhub_config.py:1"


def test_an_old_allow_list_beside_a_new_one_loses(tmp_path: Path) -> None:
    loaded = read(tmp_path, "c.Authenticator.whitelist = {'x'}\nc.Authenticator.allowed_users = {'ada'}")
    assert loaded.settings.plugins.Authenticator == {"allowed_users": {"ada"}}
    assert "ignored because allowed_users is set" in loaded.warnings[0].message


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("c.JupyterHub.admin_users = {'ada'}", "Authenticator"),
        ("c.JupyterHub.admin_users = ['ada']\nc.Authenticator.admin_users = set()", "Authenticator"),
        ("c.JupyterHub.admin_users = {'ada'}\nc.PAMAuthenticator.admin_users = {'ada'}", "PAMAuthenticator"),
    ],
)
def test_administrators_of_the_hub_are_the_authenticators(tmp_path: Path, text: str, section: str) -> None:
    assert read(tmp_path, text).settings.plugins[section].admin_users == {"ada"}


def test_administrators_add_up(tmp_path: Path) -> None:
    text = "c.JupyterHub.admin_users = {'ada'}\nc.Authenticator.admin_users.add('bob')"
    plugins = read(tmp_path, text).settings.plugins
    assert plugins.Authenticator.admin_users.get_value(set()) == {"ada", "bob"}


def test_settings_of_the_proxy_move_to_its_class(tmp_path: Path) -> None:
    settings = read(tmp_path, "c.JupyterHub.proxy_auth_token = 'x'").settings
    assert settings.plugins.ConfigurableHTTPProxy.auth_token == "x"


def test_sections_of_classes_arrive_as_written(tmp_path: Path) -> None:
    text = (
        "c.DockerSpawner.extra_create_kwargs.update({'a': 1})\nc.Spawner.cmd = ['x']\nc.Spawner.hook = print"
    )
    plugins = read(tmp_path, text, "--Spawner.mem_limit=1G").settings.plugins
    assert plugins.DockerSpawner.extra_create_kwargs.get_value({}) == {"a": 1}
    assert plugins.Spawner.cmd == ["x"]
    assert plugins.Spawner.hook is print
    assert plugins.Spawner.mem_limit == "1G"


@pytest.mark.parametrize(
    "argv",
    [
        *(["--nonsense"], ["stray"], ["--port"], ["-f"], ["-f", "a.py", "-f", "b.py"], ["--generate-certs"]),
        ["--Spawner.environment=A=b", "--Spawner.environment.C=d"],
    ],
)
def test_a_command_line_that_makes_no_sense(tmp_path: Path, argv: list[str]) -> None:
    with pytest.raises(BadArguments):
        load(argv, tmp_path, {})


@pytest.mark.parametrize(
    ("line", "prefix"), [("", "campus"), ("c.JupyterHub.metrics_prefix = 'mine'\n", "mine")]
)
def test_the_environment_names_metrics_unless_the_file_does(tmp_path: Path, line: str, prefix: str) -> None:
    loaded = read(tmp_path, line, environ={"JUPYTERHUB_METRICS_PREFIX": "campus"})
    assert loaded.settings.metrics_prefix == prefix


@pytest.mark.parametrize("prefix", ["", "a-b", "7up", "a b", "é"])
def test_a_prefix_that_names_no_metric_is_refused(tmp_path: Path, prefix: str) -> None:
    [problem] = problems(tmp_path, f"c.JupyterHub.metrics_prefix = {prefix!r}")
    assert problem.setting == "JupyterHub.metrics_prefix"
