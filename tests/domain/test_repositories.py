"""Which repositories a server may be started from, and that nothing else gets through."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.domain.errors import Invalid
from carrel.domain.repositories import Repository, RepositoryRules, read_prefix, read_repository

ALLOWED = RepositoryRules(("github.com", "https://git.example:8443/class", "ssh://git@git.example/lab"))
GOOD = "https://github.com/jupyter/notebook"


def refused(value: object, rules: RepositoryRules = ALLOWED) -> str:
    """Return the field that is called wrong."""
    with pytest.raises(Invalid) as caught:
        read_repository(value, rules)
    assert str(caught.value)
    assert len(str(caught.value)) < 300
    return caught.value.field


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        (GOOD, GOOD),
        ("HTTPS://GitHub.com:443/jupyter/notebook.git/", "https://github.com/jupyter/notebook.git"),
        ("https://git.example:8443/class/week-1", "https://git.example:8443/class/week-1"),
        ("https://github.com/~ada/x_y+z", "https://github.com/~ada/x_y+z"),
        ("ssh://git@git.example/lab/x", "ssh://git@git.example/lab/x"),
    ],
)
def test_an_allowed_address_has_one_spelling(given_url: str, url: str) -> None:
    assert read_repository({"repo": given_url}, ALLOWED) == Repository(url)


def test_all_three_are_read_and_may_be_read_again() -> None:
    asked = {"repo": f"{GOOD}.git", "ref": "release/7.x", "path": "docs/Öffne mich #1.ipynb"}
    found = read_repository(asked, ALLOWED)
    assert found.as_option() == asked
    assert read_repository(found.as_option(), ALLOWED) == found
    assert found.name == "notebook"
    assert found.quoted_path == "docs/%C3%96ffne%20mich%20%231.ipynb"
    assert read_repository({"repo": GOOD, "ref": None, "path": "docs/"}, ALLOWED).path == "docs"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "github.com/jupyter/notebook",
        "http://github.com/jupyter/notebook",
        "https://github.com",
        "https://github.com/",
        "https://github.com.evil.example/x/y",
        "https://evil.example/github.com/x",
        "https://github.com@evil.example/x/y",
        "https://ada:secret@github.com/x/y",
        "https://ada@github.com/x/y",
        "https://github.com:444/x/y",
        "https://github.com:0/x/y",
        "https://github.com:99999/x/y",
        "https://github.com/x//y",
        "https://github.com/x/../y",
        "https://github.com/./y",
        "https://github.com/x/%2e%2e/y",
        "https://github.com/x/y?z",
        "https://github.com/x/y#z",
        "https://github.com\\@evil.example/x",
        "https://github.com/x/y\n",
        "https://github.com/x/y\0",
        "https://github.com/-x/y",
        "https://github.com/x;id/y",
        "https://github.com/$(id)/y",
        "https://git.example:8443/classified/x",
        "https://git.example/class/x",
        "ssh://git.example/lab/x",
        "ssh://root@git.example/lab/x",
        "ssh://-oProxyCommand=id@git.example/lab/x",
        "ssh://git@-oProxyCommand=id/lab/x",
        "git@github.com:jupyter/notebook",
        "git://github.com/jupyter/notebook",
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "--upload-pack=id",
        "https://gıthub.com/x/y",
        "https://github.com/" + "x" * 1_000_000,
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    assert refused({"repo": url}) == "repo"


@pytest.mark.parametrize(
    "ref",
    ["-b", "--upload-pack=id", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "[a", "a\\b", "a\nb", "a\0b",
     "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.", "@{u}", "@", "$(id)", "a;id", "a'b", "a" * 1_000_000],
)  # fmt: skip
def test_what_git_could_take_for_something_else_is_no_ref(ref: str) -> None:
    assert refused({"repo": GOOD, "ref": ref}) == "ref"


@pytest.mark.parametrize(
    "ref", ["main", "v1.2.3", "feature/über", "a" * 40, "dependabot/pip/x-1.0", "fix#12"]
)
def test_refs(ref: str) -> None:
    assert read_repository({"repo": GOOD, "ref": ref}, ALLOWED).ref == ref


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "..", "../x", "a/../../x", "a/./b", "a//b", "a\\..\\b", "a\0b", "a\nb", "%2e%2e/x",
     "a/%2F/b", "%252e%252e/x", "~/x", ".git/config", "a/.GIT/hooks", "a\u202eb", "x" * 1_000_000],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    assert refused({"repo": GOOD, "path": path}) == "path"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "repo"),
        (GOOD, "repo"),
        ([GOOD], "repo"),
        ({}, "repo"),
        ({"repo": [GOOD]}, "repo"),
        ({"repo": GOOD, "ref": 1}, "ref"),
        ({"repo": GOOD, "path": {"a": 1}}, "path"),
        ({"repo": GOOD, "depth": "1"}, "repo"),
        ({"repo": GOOD, "x" * 1_000_000: ""}, "repo"),
        ({"repo": GOOD, 1: ""}, "repo"),
    ],
)
def test_wrong_types_and_unknown_names_are_refused(value: object, field: str) -> None:
    assert refused(value) == field


def test_by_default_nothing_is_allowed() -> None:
    assert refused({"repo": GOOD}, RepositoryRules()) == "repo"


def test_a_star_allows_every_host_by_https_and_nothing_else() -> None:
    anywhere = RepositoryRules(("*",))
    assert (
        read_repository({"repo": "https://anywhere.example/x"}, anywhere).repo == "https://anywhere.example/x"
    )
    for url in ("http://anywhere.example/x", "ssh://git@anywhere.example/x", "file:///x"):
        assert refused({"repo": url}, anywhere) == "repo"


@pytest.mark.parametrize("prefix", ["github.com", "https://github.com/", "HTTPS://GITHUB.COM"])
def test_prefixes_have_one_spelling(prefix: str) -> None:
    assert read_prefix(prefix) == "https://github.com"


@pytest.mark.parametrize(
    "prefix", ["", "git://x.example", "https://a:b@x.example", "*.example", "https://x.example/.."]
)
def test_prefixes_that_are_none(prefix: str) -> None:
    with pytest.raises(Invalid):
        read_prefix(prefix)


NASTY = (
    st.text(st.sampled_from("./\\%2eE~-:@#?;$&|'\"`(){}[]* \n\r\t\0aZ9é\u202egit"), max_size=40) | st.text()
)
HOSTS = st.sampled_from(
    ["github.com", "git.example:8443", "evil.example", "github.com@evil.example", "", "git.example"]
)
URLS = st.builds(
    "{}{}/{}".format, st.sampled_from(["https://", "ssh://", "git://", "file://", "//", ""]), HOSTS, NASTY
)


def accepted(field: str, text: str) -> Repository | None:
    """Return what is made of one field beside good ones; None when exactly this field is refused."""
    wrong = ""
    try:
        return read_repository({"repo": GOOD, field: text}, ALLOWED)
    except Invalid as error:
        wrong = error.field
    assert wrong == field
    return None


@given(repo=URLS | NASTY)
def test_whatever_is_accepted_is_a_url_below_an_allowed_prefix(repo: str) -> None:
    found = accepted("repo", repo)
    if found is None:
        return
    parts = urlsplit(found.repo)
    assert parts.scheme in {"https", "ssh"}
    assert (parts.hostname, parts.port) in {
        ("github.com", None),
        ("git.example", 8443),
        ("git.example", None),
    }
    assert parts.password is None
    assert posixpath.normpath(unquote(parts.path)) == parts.path
    assert re.fullmatch(r"[!-~]+", found.repo)


@given(ref=NASTY)
def test_whatever_is_accepted_as_ref_is_no_option_and_no_range(ref: str) -> None:
    found = accepted("ref", ref)
    if found is None:
        return
    assert found.ref == ref
    assert not found.ref.startswith("-")
    assert not re.search(r"\.\.|[\s~^:?*\[\\\x00-\x1f\x7f$`'\";&|<>(){}]", found.ref)


@given(path=NASTY)
def test_whatever_is_accepted_as_path_stays_inside(path: str) -> None:
    found = accepted("path", path)
    if found is None:
        return
    joined = posixpath.normpath(posixpath.join("/top", found.path))
    assert joined == "/top" or joined.startswith("/top/")
    assert found.path.isprintable()
    assert unquote(unquote(found.path)) == found.path
    assert unquote(found.quoted_path) == found.path
