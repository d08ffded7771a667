"""What must hold: at every commit, at every birth and death of a process, and at rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from carrel.testing.simloop import Owner
from tests.simulation.database import user_name
from tests.simulation.machine import Machine, Process, RunKey
from tests.simulation.plane import Plane
from tests.simulation.world import EPOCH, World

#: How long after its deadline work may still be pending, once nothing fails any more.
SLACK = 5.0
#: By how much a lease may seem longer to one hub than to another, in seconds.
_SKEW = 2.0
#: With several hubs the lease of a dead one outlives the deadline first, and only then comes a sweep.
_SHARED_SLACK = 12.0
#: How long work may lie whose lease has ended, in seconds: the longest pause after failures, and some turns.
_TAKEOVER = 40.0
#: How long a running server may be without a route that was taken away by mistake, in seconds.
_UNROUTED = 10.0
PENDING = ("starting", "stopping")
AT_REST = ("stopped", "failed")


class Row(NamedTuple):
    """A server's row, read past the hub."""

    id: int
    user_name: str
    name: str
    wanted: str
    actual: str
    version: int
    wanted_generation: int
    generation: int
    lease_owner: str | None
    lease_expires: float
    fence: int
    deadline: float | None
    state: str
    url: str
    failure: str | None
    tokens: int

    @property
    def spec(self) -> str:
        """The path of its route."""
        return f"/user/{self.user_name}/{self.name}/" if self.name else f"/user/{self.user_name}/"

    def __str__(self) -> str:
        return f"server {self.id} ({self.spec}) {self.actual}, wanted {self.wanted}, run {self.generation}"


_ELSEWHERE = {"user_name": "u.name", "lease_expires": "coalesce(s.lease_expires, 0)"}
_COLUMNS = ", ".join(_ELSEWHERE.get(name, f"s.{name}") for name in Row._fields if name != "tokens")
_ROWS = (
    f"SELECT {_COLUMNS}, "
    "(SELECT count(*) FROM tokens t WHERE t.server_id = s.id) "
    "FROM servers s JOIN users u ON u.id = s.user_id ORDER BY s.id"
)


_LEASES = "SELECT server_id, generation, device FROM device_leases"


class Watcher:
    """Looks at everything, changes nothing, and says the first thing that is wrong."""

    def __init__(self, world: World, machine: Machine, plane: Plane, path: Path) -> None:
        self._world = world
        self._machine = machine
        self._plane = plane
        self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
        self.rows: dict[int, Row] = {}
        profile = world.plan.profile
        self.devices = profile.servers - 1 if profile.devices else 0
        """How many devices there are, of which every server needs one."""
        self._begun: dict[int, int] = {}
        """The latest run of each server that a row has ever told of: a request may outlast the row."""
        self._unrouted: dict[str, float] = {}
        self.clocks: list[Callable[[], float]] = []
        """What the hosts' wall clocks say."""
        machine.asked, machine.born, machine.struck = self._asked, self._born, self._struck
        plane.changed = self._routed

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def row(self, server: int) -> Row | None:
        """Return the row of a server of the plan as it was at the last commit."""
        profile = self._world.plan.profile
        owner, named = user_name(profile.owner(server)), profile.has_name(server)
        found = (row for row in self.rows.values() if row.user_name == owner and bool(row.name) == named)
        return next(found, None)

    # At every commit

    def committed(self, writer: str) -> None:
        """Compare the rows with what they were; `writer` is the hub process that has written."""
        with closing(self._database.execute(_ROWS)) as cursor:
            rows = {row[0]: Row(*row) for row in cursor}
        before, self.rows = self.rows, rows
        for row in rows.values():
            self._begun[row.id] = row.generation
            old = before.get(row.id)
            if row != old:
                self._note(row, old)
                self._check(row)
                if old is not None:
                    self._check_change(row, old)
                    self._check_writer(row, old, writer)
        self._check_names()
        if self.devices:
            self._check_devices()

    def _note(self, row: Row, old: Row | None) -> None:
        spec = f"/user/{row.user_name}/"
        if spec in self._unrouted and row.actual == "running" and (old is None or old.actual != "running"):
            # Until now nobody could know that the route was wanted.
            self._unrouted[spec] = self._world.loop.time()
        if old is None or (row.actual, row.wanted) != (old.actual, old.wanted):
            self._world.note("rows", f"{row} [{row.version}]")

    def _check(self, row: Row) -> None:
        fail = self._world.fail
        if row.actual in PENDING and row.deadline is None:
            fail("no_deadline", f"{row} has no deadline")
        if row.actual in AT_REST and row.tokens:
            fail("tokens_left", f"{row} still has a token")
        if row.actual in AT_REST and row.url:
            fail("address_left", f"{row} still has the address {row.url}")
        if row.actual == "running" and (not row.url or row.state == "{}"):
            fail("running_unknown", f"{row} has no address or no checkpoint")
        if row.actual in AT_REST:
            for process in self._known(row.id):
                fail("left_alive", f"{row}, and {process.handle} of run {process.generation} lives")

    def _check_names(self) -> None:
        """A user may have one named server, however many hubs were asked for one at once."""
        owners = [row.user_name for row in self.rows.values() if row.name]
        for owner in {name for name in owners if owners.count(name) > 1}:
            self._world.fail("beyond_the_limit", f"{owner} has more than one named server")

    def _check_devices(self) -> None:
        """Whatever of a run may exist has its device, as long as it may, and no other run has it."""
        with closing(self._database.execute(_LEASES)) as cursor:
            leases = cursor.fetchall()
        for row in self.rows.values():
            has = [device for server, run, device in leases if (server, run) == (row.id, row.generation)]
            if row.actual not in AT_REST and len(has) != 1:
                self._world.fail("no_device", f"{row} has the devices {has}")

    def waits_rightly(self, row: Row) -> bool:
        """Tell whether a start waits for a device while others have all of them."""
        due = row.wanted_generation > row.generation and row.wanted == "running" and row.actual in AT_REST
        taken = sum(other.actual not in AT_REST for other in self.rows.values())
        return due and 0 < self.devices <= taken

    def _check_change(self, row: Row, old: Row) -> None:
        fail = self._world.fail
        for name in ("generation", "wanted_generation", "fence", "version"):
            if getattr(row, name) < getattr(old, name):
                fail(f"{name}_fell", f"{row}: from {getattr(old, name)} to {getattr(row, name)}")
        if row.name != old.name and old.actual not in AT_REST:
            fail("renamed_at_work", f"{row} was {old.spec} and {old.actual}")
        if row.version == old.version and _versioned(row) != _versioned(old):
            fail("version_stood", f"{row} was written without a new version")
        if row.actual in PENDING and row.actual != old.actual and row.lease_owner is None:
            fail("no_lease", f"{row} began without a lease")
        if row.actual == old.actual == "starting" and row.generation == old.generation:
            self._check_deadline(row, old)

    def _check_writer(self, row: Row, old: Row, writer: str) -> None:
        """While somebody works on a server nobody else writes what has become of it."""
        held = old.lease_owner is not None and old.lease_expires > self._now() + _SKEW
        work = (row.actual, row.fence, row.state, row.url) != (old.actual, old.fence, old.state, old.url)
        if held and work and old.lease_owner != writer and len(self.clocks) > 1:
            self._world.fail("foreign_write", f"{row} was written by {writer}, and {old.lease_owner} held it")

    def _now(self) -> float:
        """Return wall time as it really is."""
        return EPOCH + self._world.loop.time()

    def _check_deadline(self, row: Row, old: Row) -> None:
        """A start has one deadline: who takes it over must not set a later one while it has not passed."""
        if row.fence == old.fence or row.deadline is None or old.deadline is None:
            return
        if row.deadline > old.deadline > max(clock() for clock in self.clocks):
            self._world.fail(
                "clock_restarted", f"{row}: the deadline moved by {row.deadline - old.deadline:.1f} s"
            )

    # At every effect

    def _asked(self, key: RunKey, owner: Owner) -> None:
        """A hub is about to start something: that is only for who holds the lease."""
        row, now = self.rows.get(key[0]), self._world.loop.time()
        if len(self.clocks) == 1 or owner.paused_until == now:
            # One that was stopped just before its next step cannot know.
            return
        mine = row is not None and row.generation == key[1] and row.lease_owner == owner.name
        if not mine or row is None or row.lease_expires < self._now():
            self._world.fail("start_without_lease", f"{owner.name} starts run {key[1]} of {row}")

    def _born(self, process: Process, awaited: bool) -> None:
        row = self.rows.get(process.server_id)
        if awaited and self._begun.get(process.server_id, 0) < process.generation:
            self._world.fail("no_intent", f"{process.handle} started before its row said so: {row}")
        if row is None or row.actual != "starting" or row.generation != process.generation:
            process.stray = "its start was given up while the request was under way"
        elif not awaited:
            process.stray = "whoever asked for it was gone when it came"
        others = [other for other in self._known(process.server_id) if other is not process]
        if others and not process.stray:
            same = any(other.generation == process.generation for other in others)
            kind = "two_of_a_run" if same else "two_alive"
            self._world.fail(kind, f"{process.handle} beside {[other.handle for other in others]} for {row}")

    def _struck(self, process: Process) -> None:
        row = self.rows.get(process.server_id)
        if row is None or process.stray or row.generation != process.generation or row.actual != "running":
            return
        self._world.fail("needless_kill", f"{process.handle} was asked to end although {row}")

    def _routed(self, spec: str, target: str) -> None:
        row = next((row for row in self.rows.values() if spec == row.spec), None)
        self._unrouted.pop(spec, None)
        if target or row is None or row.wanted != "running" or not row.url:
            return
        # Of several hubs one may put the table right by rows that another has changed, and look again then.
        self._unrouted[spec] = self._world.loop.time()
        if len(self.clocks) == 1 and row.actual == "running":
            self._world.fail("needless_unroute", f"{spec} was taken away although {row}")

    def _known(self, server_id: int) -> list[Process]:
        """Return the living processes of a server that a hub can know of."""
        found = [each for each in self._machine.alive() if each.server_id == server_id and not each.stray]
        return [each for each in found if each.known or self._machine.lists]

    # At rest

    def unrest(self) -> list[tuple[str, str]]:
        """Return what has not come to rest, as kinds and texts."""
        return [*self._unsettled(), *self._odd_routes(), *self._odd_processes()]

    def check_overdue(self) -> None:
        """Nothing may be pending long after its deadline; call it when nothing has failed for a while."""
        now = max(clock() for clock in self.clocks)
        slack = SLACK if len(self.clocks) == 1 else _SHARED_SLACK
        for row in self.rows.values():
            if row.actual in PENDING and row.deadline is not None and row.deadline + slack < now:
                self._world.fail("overdue", f"{row} is {now - row.deadline:.1f} s past its deadline")

    def check_unrouted(self) -> None:
        """A route that was taken away by mistake must soon be back; call it when nothing fails."""
        for spec, since in self._unrouted.items():
            row = next((row for row in self.rows.values() if spec == row.spec), None)
            running = row is not None and row.actual == row.wanted == "running"
            if running and self._world.loop.time() - max(since, self._world.plan.trouble) > _UNROUTED:
                self._world.fail("unrouted", f"{spec} was taken away at {since:.1f} although {row}")

    def check_taken_over(self, quiet: float, living: Collection[str]) -> None:
        """What a dead hub has left behind is soon taken over; all have been at work since `quiet`.

        One that lives and has lost a lease begins again itself, when the driver's call that it is in has
        ended; that is a matter of deadlines.
        """
        for row in self.rows.values():
            since = max(row.lease_expires - EPOCH, quiet)
            left = row.actual in PENDING and row.lease_owner and row.lease_owner not in living
            if left and self._world.loop.time() - since > _TAKEOVER:
                self._world.fail("left_lying", f"{row}: the lease of {row.lease_owner} ended at {since:.1f}")

    def _unsettled(self) -> list[tuple[str, str]]:
        found = []
        for row in self.rows.values():
            due = row.wanted_generation > row.generation and row.wanted == "running" and row.actual in AT_REST
            due = due and not self.waits_rightly(row)
            if due or row.actual in PENDING or row.lease_owner or row.deadline or row.wanted == "deleted":
                found.append(
                    ("pending", f"{row} (lease of {row.lease_owner}, deadline {_since(row.deadline)})")
                )
            if row.wanted == "stopped" and row.actual not in AT_REST:
                found.append(("pending", f"{row}"))
            if row.actual == "running" and row.tokens != 1:
                found.append(("tokens", f"{row} has {row.tokens} tokens"))
        return found

    def _odd_routes(self) -> list[tuple[str, str]]:
        wanted = {
            row.spec: {row.url} for row in self.rows.values() if row.actual == row.wanted == "running"
        } | {"/": {f"http://hub{number}" for number in range(len(self.clocks))}}
        present = {
            spec: {route["target"], *route["data"].get("alternatives", ())}
            for spec, route in self._plane.table.items()
        }
        missing = [
            ("missing_route", f"{spec} -> {wanted[spec]}")
            for spec in wanted
            if present.get(spec) != wanted[spec]
        ]
        return missing + [
            ("stale_route", f"{spec} -> {present[spec]}") for spec in present if spec not in wanted
        ]

    def _odd_processes(self) -> list[tuple[str, str]]:
        found = []
        living: dict[int, list[Process]] = {}
        for process in self._machine.alive():
            living.setdefault(process.server_id, []).append(process)
            row = self.rows.get(process.server_id)
            claimed = row is not None and row.actual not in AT_REST and row.generation == process.generation
            if not (claimed and row and process.handle in row.state) and self._can_be_found(process):
                found.append(
                    (
                        "orphan",
                        f"{process.handle} of server {process.server_id} lives ({process.stray}), {row}",
                    )
                )
        for row in self.rows.values():
            if row.actual == "running" and not any(
                each.handle in row.state for each in living.get(row.id, ())
            ):
                found.append(("running_dead", f"{row} has no process"))
        return found

    def _can_be_found(self, process: Process) -> bool:
        return self._machine.lists or (process.known and not process.stray)


def _versioned(row: Row) -> Row:
    """Return a row without what may be written without a new version."""
    return row._replace(lease_expires=0.0, tokens=0)


def _since(deadline: float | None) -> str:
    return "none" if deadline is None else f"{deadline - EPOCH:.1f}"
