from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

import pytest

from carrel.lib.mounts import CannotShow, View, enter
from tests.rigs.needs import need


def test_a_view_is_one_when_something_differs() -> None:
    assert not View()
    assert View(private_tmp=True)
    assert View(hidden=("/a",))


def test_what_a_view_replaces_is_told(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    view = View(hidden=(str(tmp_path / "link"),))
    assert view.replaces(str(tmp_path / "real" / "home")) == str(tmp_path / "link")
    assert view.replaces(str(tmp_path / "realm")) == ""
    assert View(private_tmp=True).replaces("/tmp/ada") == "/tmp"
    assert View(read_only=("/tmp",)).replaces("/tmp/ada") == ""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that is not below /tmp."""
    need(can_mount(), "the right to mount")
    with tempfile.TemporaryDirectory(dir="/var/lib", prefix="carrel-test-") as name:
        yield Path(name)


def can_mount() -> bool:
    command = ["unshare", "--mount", "true"]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


def seen(view: View, script: str) -> str:
    """Return what a shell with this view writes."""
    result: Future[str] = Future()

    def run() -> None:
        try:
            enter(view)
            command = ["bash", "-c", script]
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
            result.set_result(done.stdout + done.stderr)
        except BaseException as error:
            result.set_exception(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    return result.result()


@pytest.mark.real
def test_temporary_files_are_seen_by_nobody_else(place: Path) -> None:
    ours = tempfile.mkdtemp(prefix="carrel-test-", dir="/tmp")
    try:
        text = seen(
            View(private_tmp=True), f"ls -A /tmp /var/tmp; touch {ours}.theirs && stat -c %a /tmp /var/tmp"
        )
        assert text.split() == ["/tmp:", "/var/tmp:", "1777", "1777"]
        assert not os.path.exists(f"{ours}.theirs")
    finally:
        os.rmdir(ours)


@pytest.mark.real
def test_nothing_is_written_where_nothing_may_be_whatever_is_mounted_there(place: Path) -> None:
    (place / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place / "disk"], check=True)
    try:
        text = seen(
            View(read_only=(str(place),)), f"touch {place}/a {place}/disk/b; touch /var/lib/{place.name}.c"
        )
        assert text.count("Read-only file system") == 2
        (place / "disk" / "ours").touch()
    finally:
        subprocess.run(["umount", place / "disk"], check=True)
        Path(f"{place}.c").unlink()


@pytest.mark.real
def test_what_is_hidden_is_empty(place: Path) -> None:
    (place / "secrets").mkdir()
    (place / "secrets" / "key").write_text("a secret")
    (place / "file").write_text("another secret")
    view = View(hidden=(str(place / "secrets"), str(place / "file")))
    text = seen(
        view, f"cat {place}/file {place}/secrets/*; stat -c %a {place}/secrets; touch {place}/secrets/x"
    )
    assert "secret\n" not in text
    assert "a secret" not in text
    assert "0\n" in text
    assert "Read-only" in text
    assert (place / "file").read_text() == "another secret"


@pytest.mark.real
def test_devices_are_those_that_every_program_needs(place: Path) -> None:
    script = (
        "ls /dev; echo x > /dev/null; head -c 3 /dev/zero | od -An -c; echo y > /dev/shm/y; cat /dev/shm/y;"
        "script -qc tty /dev/null; readlink -f /dev/stdout >/dev/null && echo well"
    )
    text = seen(View(private_devices=True), script)
    words = text.split()
    assert {"null", "ptmx", "pts", "random", "shm", "urandom", "y", "well"} <= set(words)
    assert "/dev/pts/" in text
    assert {"mem", "kmsg", "loop0", "vda"}.isdisjoint(words)
    assert not os.path.exists("/dev/shm/y")


@pytest.mark.real
def test_what_is_not_there_is_named(place: Path) -> None:
    for view, text in (
        (View(hidden=(f"{place}/gone",)), f"{place}/gone hidden: No such file or directory"),
        (View(read_only=(f"{place}/gone",)), f"{place}/gone read-only: No such file or directory"),
    ):
        with pytest.raises(CannotShow, match=text):
            seen(view, "true")


@pytest.mark.real
def test_the_thread_that_asked_is_the_only_one_that_sees_it(place: Path) -> None:
    (place / "file").write_text("here")
    before = mounted_at("/tmp", "/var/tmp", str(place))
    seen(View(private_tmp=True, hidden=(str(place),)), "true")
    assert (place / "file").read_text() == "here"
    assert mounted_at("/tmp", "/var/tmp", str(place)) == before


def mounted_at(*places: str) -> list[str]:
    """Return what this process sees mounted there; others may mount what they like elsewhere."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4] in places]
