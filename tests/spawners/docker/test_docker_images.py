from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.spawners.docker.images import Pull, choices, choose, form, free_form, parse_image
from carrel.spawners.errors import StartError

HUB = "https://index.docker.io/v1/"


@pytest.mark.parametrize(
    ("text", "repository", "tag", "registry"),
    [
        ("ubuntu", "ubuntu", "latest", HUB),
        ("jupyter/base-notebook:2024-01", "jupyter/base-notebook", "2024-01", HUB),
        ("docker.io/library/ubuntu", "docker.io/library/ubuntu", "latest", HUB),
        ("quay.io/jupyter/scipy:x", "quay.io/jupyter/scipy", "x", "quay.io"),
        ("localhost:5000/lab", "localhost:5000/lab", "latest", "localhost:5000"),
        ("localhost/lab:1", "localhost/lab", "1", "localhost"),
        (f"lab@sha256:{'a' * 64}", "lab", f"sha256:{'a' * 64}", HUB),
        ("carrel-test/notebook:1", "carrel-test/notebook", "1", HUB),
        (f"sha256:{'b' * 64}", f"sha256:{'b' * 64}", "", ""),
    ],
)
def test_a_name_in_its_parts(text: str, repository: str, tag: str, registry: str) -> None:
    found = parse_image(text)
    assert (found.text, found.repository, found.tag, found.registry) == (text, repository, tag, registry)


HOSTILE = [
    *(
        "",
        " ",
        "../containers/json",
        "a/../b",
        "ubuntu?all=1",
        "ubuntu#x",
        "ubuntu;rm -rf /",
        "$(id)",
        "`id`",
    ),
    *("Ubuntu", "a//b", "/etc/passwd", "http://evil.example/x", "ubuntu:tag:tag", "ubuntu\n", "ubuntu\0"),
    *("ubuntu@sha256:zz", "ubuntu:" + "x" * 200, "x" * 2**20, "ubuntu latest", "%2e%2e/x", "ädä", "-x"),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_name_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(StartError, match=r"^image: "):
        choose("*", text)
    with pytest.raises(StartError, match=r"^image: "):
        choose(["ubuntu"], text)


@given(st.text(max_size=60))
def test_a_name_that_is_taken_cannot_lead_elsewhere(text: str) -> None:
    try:
        found = parse_image(text)
    except StartError:
        return
    assert re.fullmatch(r"[\w./:@\[\]-]+", found.text, re.ASCII)
    assert ".." not in found.text


@given(
    st.one_of(
        st.none(), st.integers(), st.lists(st.text()), st.dictionaries(st.text(), st.text()), st.booleans()
    )
)
def test_what_is_no_text_is_refused_with_its_field(value: Any) -> None:
    with pytest.raises(StartError, match=r"^image: "):
        choose("*", value)


def test_a_list_or_dictionary_says_what_may_be_chosen() -> None:
    assert choices(["a", "b"]) == {"a": "a", "b": "b"}
    assert choose({"Small": "lab:1", "Big": "lab:2"}, "Big") == "lab:2"
    with pytest.raises(StartError, match="image: 'lab:2' is not allowed; there are: Small, Big"):
        choose({"Small": "lab:1", "Big": "lab:2"}, "lab:2")
    with pytest.raises(StartError, match="lets nobody choose"):
        choose([], "lab:1")
    with pytest.raises(StartError, match="allowed_images gave int"):
        choices(7)


def test_the_form_escapes_and_begins_with_the_usual_one() -> None:
    html = form({'<b>"': "lab:1", "Usual": "lab:2"}, "lab:2")
    assert html.index("Usual") < html.index("&lt;b&gt;&quot;")
    assert "<b>" not in html
    assert 'value="lab:2"' in free_form("lab:2")


def test_a_pull_is_told_by_percent_of_bytes() -> None:
    pull = Pull("lab:1")
    assert pull.hear({"status": "Pulling from lab", "id": "1"}) is None

    def layer(name: str, status: str, current: int = 0, total: int = 0) -> dict[str, Any]:
        return {"id": name, "status": status, "progressDetail": {"current": current, "total": total}}

    told = [
        pull.hear(line)
        for line in (
            layer("a", "Pulling fs layer"),
            layer("b", "Pulling fs layer"),
            layer("a", "Downloading", 50, 100),
            layer("a", "Downloading", 50, 100),
            layer("b", "Downloading", 300, 300),
            layer("a", "Download complete"),
            layer("b", "Extracting", 300, 300),
            layer("a", "Pull complete"),
            layer("b", "Pull complete"),
        )
    ]
    # Downloads are 70 parts of 100; b has three times the bytes of a, as soon as that is known.
    assert told == [
        "Pulling lab:1: 0 % (0 of 1 layers)",
        None,
        "Pulling lab:1: 17 % (0 of 2 layers)",
        None,
        "Pulling lab:1: 61 % (0 of 2 layers)",
        "Pulling lab:1: 70 % (0 of 2 layers)",
        "Pulling lab:1: 92 % (1 of 2 layers)",
        "Pulling lab:1: 100 % (2 of 2 layers)",
        None,
    ]


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["id", "status", "progressDetail"]), st.none() | st.text(max_size=3))
    )
)
def test_whatever_an_engine_says_the_percentage_only_grows(lines: list[dict[str, Any]]) -> None:
    pull, last = Pull("lab"), -1
    for line in lines:
        if isinstance(line.get("progressDetail"), str):
            line["progressDetail"] = {}
        sentence = pull.hear(line)
        if sentence is not None:
            percent = int(sentence.split()[2])
            assert last < percent <= 100
            last = percent
