"""Services of the configuration: what is read, and that every mistake is named and no secret is."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.config.check import check_settings
from carrel.config.schema import printable
from carrel.config.services import ServiceSetting, read_services
from carrel.testing.factories import some_settings

TOKEN = "hunter2-hunter2"


def findings(**settings: Any) -> list[tuple[str, bool]]:
    return [(str(each), each.fatal) for each in check_settings(some_settings(**settings))]


def test_all_keys_are_read() -> None:
    entry = {
        "name": "board",
        "url": "http://127.0.0.1:10101/some/path",
        "api_token": TOKEN,
        "command": ["python", "board.py"],
        "environment": {"A": "b", "N": 1},
        "user": "nobody",
        "cwd": "/srv",
        "timeout": 5,
        "info": {"about": "it"},
        "display": False,
        "oauth_client_id": "service-x",
        "oauth_redirect_uri": "https://board.example/back",
        "oauth_no_confirm": True,
        "oauth_client_allowed_scopes": ["read:users!user", "custom:board!service"],
    }
    found, wrong = read_services(
        some_settings(services=[entry], custom_scopes={"custom:board": {"description": "It."}})
    )
    assert wrong == []
    assert found.services == (
        ServiceSetting(
            name="board",
            url="http://127.0.0.1:10101/some/path",
            api_token=TOKEN,
            command=("python", "board.py"),
            environment={"A": "b", "N": "1"},
            user="nobody",
            cwd="/srv",
            timeout=5,
            info={"about": "it"},
            display=False,
            oauth_client_id="service-x",
            oauth_redirect_uri="https://board.example/back",
            oauth_no_confirm=True,
            oauth_client_allowed_scopes=("read:users!user", "custom:board!service"),
        ),
    )
    assert found.tokens == {"board": (TOKEN,)}
    assert found.services[0].client_id == "service-x"


def test_what_is_left_out_or_none_is_the_default() -> None:
    [plain, one_word] = read_services(
        some_settings(services=[{"name": "a", "url": None}, {"name": "b", "command": "run", "url": ""}])
    )[0].services
    assert plain == ServiceSetting("a")
    assert one_word.command == ("run",)
    assert plain.client_id == ""


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (5, "entry 1 must be a dictionary with a text as its name"),
        ({"url": "http://a:1"}, "entry 1 must be a dictionary with a text as its name"),
        ({"name": "a", "comand": ["x"]}, "service 'a' has no 'comand': did you mean command?"),
        ({"name": "a", "colour": "x"}, "service 'a' has no 'colour': it may have name, admin, url"),
        ({"name": "a", "admin": "yes"}, "admin must be True or False"),
        ({"name": "a", "command": [1]}, "command must be a list of texts, or one text"),
        ({"name": "a", "environment": {"A": print}}, "environment must be a dictionary of texts"),
        ({"name": "a", "timeout": 0}, "timeout must be a number of seconds, 1 or more"),
        ({"name": "a", "url": "ftp://x:1"}, "The url must be http://HOST:PORT"),
        ({"name": "a", "url": "http://x:99999"}, "The url cannot be read"),
        ({"name": "a", "url": "http://x:0"}, "The url must name a port from 1 to 65535"),
        ({"name": "a", "url": "http://u:p@x:1"}, "and no password"),
        ({"name": "a/b"}, "A service's name has no slashes"),
        ({"name": ".."}, "is more than dots"),
        ({"name": " a"}, "no space at its ends"),
        ({"name": "a%20b"}, "nothing that is escaped"),
        ({"name": ""}, "A service's name has 1 to 255 characters"),
        ({"name": "a", "api_token": "short"}, "The api_token must have 8 or more ASCII characters"),
        ({"name": "a", "oauth_client_id": "mine", "url": "http://a:1"}, "must begin with 'service-'"),
        ({"name": "a", "oauth_no_confirm": True}, "it needs an oauth_redirect_uri, or a url"),
        ({"name": "a", "oauth_redirect_uri": "//evil.example/"}, "The oauth_redirect_uri must be a path"),
        ({"name": "a", "oauth_redirect_uri": "javascript:x"}, "The oauth_redirect_uri must be a path"),
        ({"name": "a", "oauth_client_allowed_scopes": ["reed:users"]}, "Did you mean 'read:users'?"),
        ({"name": "a", "user": "root"}, "A user only matters beside a command"),
    ],
)
def test_mistakes_are_named(entry: Any, says: str) -> None:
    found = findings(services=[entry])
    assert any(says in text and fatal for text, fatal in found), found
    assert all(text.startswith("JupyterHub.services: ") for text, fatal in found if fatal)


def test_all_mistakes_are_told_at_once() -> None:
    services = [
        {"name": "a", "url": "x", "timeout": 3},
        {"name": "b", "cmd": 1},
        {"name": "c"},
        {"name": "c"},
    ]
    texts = [text for text, fatal in findings(services=services, service_tokens={"short": "d"}) if fatal]
    for part in ("service 'a'", "service 'b'", "service 'c' is defined twice", "token 1, of 'd'"):
        assert any(part in text for text in texts), part


def test_clients_and_tokens_are_not_shared() -> None:
    pair = [
        {"name": "a", "url": "http://a:1", "oauth_client_id": "service-b", "api_token": TOKEN},
        {"name": "b", "url": "http://b:1", "api_token": TOKEN},
    ]
    texts = " ".join(text for text, fatal in findings(services=pair) if fatal)
    assert "the oauth_client_id 'service-b' is that of 2 services" in texts
    assert "two services have the same api_token" in texts
    assert "another service's api_token" in str(findings(services=pair[1:], service_tokens={TOKEN: "c"}))
    assert "is that of the service 'b', too" in str(findings(services=pair[1:], api_tokens={TOKEN: "ada"}))


def test_tokens_make_a_service_that_nothing_else_names() -> None:
    found, wrong = read_services(
        some_settings(
            services=[{"name": "a", "api_token": TOKEN}],
            service_tokens={"1" * 32: "a", "2" * 32: "new"},
            api_tokens={"3" * 32: "ada"},
        )
    )
    assert [service.name for service in found.services] == ["a", "new"]
    assert found.tokens == {"a": (TOKEN, "1" * 32), "new": ("2" * 32,)}
    assert found.user_tokens == {"3" * 32: "ada"}
    assert not any(fatal for _, _, fatal in wrong)


def test_a_role_of_a_service_that_is_nowhere_is_doubted() -> None:
    roles = [{"name": "cull", "scopes": ["read:users"], "services": ["culler", "other"]}]
    [(text, fatal)] = findings(load_roles=roles, services=[{"name": "culler"}])
    assert "names the service 'other'" in text
    assert not fatal


def test_no_secret_is_shown() -> None:
    secrets = {"DB_PASSWORD": TOKEN}
    services = [{"name": "a", "api_token": TOKEN, "command": ["x"], "environment": secrets, "url": TOKEN}]
    settings = some_settings(services=services, service_tokens={TOKEN: "b"}, api_tokens={TOKEN: "c"})
    found = [text for text, _ in findings(services=services, service_tokens={TOKEN: "b"})]
    assert TOKEN not in " ".join(found)
    shown = printable(settings)
    del services[0]["url"]
    shown = printable(some_settings(services=services, service_tokens={TOKEN: "b"}, api_tokens={TOKEN: "c"}))
    assert TOKEN not in str(shown)
    assert TOKEN not in repr(read_services(settings)[0])
