"""What is going to happen in a run, people's wishes and failures, as data: to be stored, cut and replayed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

#: Virtual seconds in which wishes and failures come; then everything must come to rest.
TROUBLE = 50.0
#: What can go wrong with which operation: two are the database's, the others go out of the hub.
EFFECTS: dict[str, tuple[str, ...]] = {
    "commit": ("fail", "lost", "lost", "slow"),
    "query": ("fail", "slow"),
    "hook": ("fail", "slow", "slow", "hang"),
    "spawn": ("fail", "lost", "late", "hang"),
    "boot": ("fail", "slow", "hang", "deaf"),
    "poll": ("fail", "lie", "hang"),
    "stop": ("fail", "lost", "late", "hang"),
    "route": ("fail", "lost", "late", "late"),
    "table": ("fail", "slow"),
    "probe": ("fail", "slow"),
    "find": ("fail", "hang"),
    "queue": ("fail", "slow", "hang"),
    "tell": ("fail", "slow"),
    "listen": ("fail", "slow"),
}
#: In this part of the seeds nothing fails: what goes wrong then is the hubs' own doing.
_PEACEFUL = 0.2
#: What can be out of order for a while, for everybody.
OUTAGES = ("database", "data plane", "machine")
#: Failures are aimed at the first so many of an operation, and so much more often at some than at others.
_AIMS = {
    "commit": (60, 6),
    "query": (300, 1),
    "hook": (8, 1),
    "spawn": (8, 2),
    "boot": (8, 1),
    "poll": (30, 2),
    "stop": (8, 2),
    "route": (12, 5),
    "table": (60, 1),
    "probe": (12, 1),
    "find": (10, 1),
}
#: Further ones, where hubs speak with each other.
_SHARED_AIMS = {"tell": (20, 1), "listen": (3, 1)}
#: And where the machine has a queue.
_QUEUE_AIMS = {"queue": (40, 3), "boot": (40, 3)}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happens: at a moment (`at`), or to the `nth` operation `op` of a hub.

    What becomes of an operation: `fail`, it is refused and nothing is done; `lost`, it is done and its
    answer does not come; `late`, it is done `value` seconds later, whoever still waits; `hang`, it is done
    and nobody ever hears; `slow`, it takes `value` seconds longer; `deaf`, that too, and the driver heeds no
    cancelling meanwhile; `lie`, a living server is called dead.

    What becomes of a hub: `kill`, at a moment or right after an operation; `term`; `pause` for `value`
    seconds; `jump`, its clock is wrong by `value` from now on; `cut`, it hears nothing of the others for a
    while; `apart`, it cannot reach the database for `value` seconds; `nudge`, it gets a request that has no
    route; `repair`, somebody asks it to put the routes right.

    `exit`: a server ends by itself. `plane`: the data plane is started anew, empty. `wish`: somebody asks for
    `op`. `outage`: `op`, one of OUTAGES, fails for `value` seconds.
    """

    kind: str
    at: float = 0.0
    hub: int = 0
    nth: int = 0
    op: str = ""
    server: int = 0
    value: float = 0.0

    def text(self) -> str:
        """Return it as a line for people."""
        given = {name: value for name, value in asdict(self).items() if value and name != "kind"}
        return f"{self.kind:6} " + " ".join(f"{name}={value}" for name, value in given.items())


@dataclass(frozen=True, slots=True)
class Profile:
    """How large the scene is, and which of its noise is on."""

    hubs: int = 1
    servers: int = 3
    nodes: int = 1
    """Over how many machines hubs and servers are spread; of several, a hub sees only its own."""
    permuted: bool = True
    """Ready callbacks run in a drawn order instead of asyncio's."""
    noisy: bool = True
    """Latencies are drawn instead of constant."""
    named: bool = False
    """All servers but the first have names, which change; the second is another one of the first user."""

    queues: bool = False
    """The machine has a queue, in which starts wait for longer than they may take; they are resumed."""

    devices: bool = False
    """Every server needs a device, and there is one less than there are servers."""

    def owner(self, server: int) -> int:
        """Return the number of the user whose a server is."""
        return 0 if self.named and server == 1 else server

    def has_name(self, server: int) -> bool:
        """Tell whether a server is a named one."""
        return self.named and server > 0


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides a run."""

    seed: int
    items: tuple[Item, ...]
    profile: Profile = Profile()
    note: str = ""
    """What it once found, for those that are kept."""
    planted: str = ""
    """The fault in the hub that it finds, where that is not the hub's own."""

    @property
    def trouble(self) -> float:
        """When failures are over, in virtual seconds; 0 where there are none."""
        return TROUBLE if any(item.kind not in ("wish", "nudge", "repair") for item in self.items) else 0.0

    def to_json(self) -> str:
        """Return it as JSON, an item a line."""
        items = ",\n".join("  " + json.dumps(_given(item)) for item in self.items)
        head = {
            "note": self.note,
            "planted": self.planted,
            "seed": self.seed,
            "profile": asdict(self.profile),
        }
        return json.dumps(head)[:-1] + f', "items": [\n{items}\n]}}\n'


def read_plan(path: Path) -> Plan:
    """Return a stored plan."""
    found: dict[str, Any] = json.loads(path.read_text())
    items = tuple(Item(**item) for item in found.pop("items"))
    return Plan(items=items, profile=Profile(**found.pop("profile")), **found)


def draw_profile(seed: int, hubs: int = 0) -> Profile:
    """Return the scene of a seed, with so many hubs if a number is given."""
    draw = random.Random(f"{seed}:profile")
    hubs = hubs or draw.choice((1, 1, 2, 3))
    nodes = 2 if hubs > 1 and draw.random() < 0.3 else 1
    named = draw.random() < 0.5
    queues = draw.random() < 0.3
    return Profile(hubs, nodes=nodes, named=named, queues=queues, devices=draw.random() < 0.2)


def draw_plan(seed: int, profile: Profile | None = None) -> Plan:
    """Return the plan of a seed."""
    profile = draw_profile(seed) if profile is None else profile
    draw = random.Random(f"{seed}:plan")
    peaceful = draw.random() < _PEACEFUL
    items = [item for server in range(profile.servers) for item in _wishes(draw, profile, server, peaceful)]
    if peaceful:
        items += [_TIMED["nudge"](draw, profile) for _ in range(40)]
        items += [_TIMED["repair"](draw, profile) for _ in range(20)]
        return Plan(seed, tuple(sorted(items, key=lambda item: (item.at, item.kind))), profile)
    for kind, most in (_RATES if profile.hubs == 1 else _SHARED_RATES).items():
        items += [_TIMED[kind](draw, profile) for _ in range(draw.randrange(most + 1))]
    for _ in range(draw.randrange(20)):
        items.append(_operation(draw, profile))
    return Plan(seed, tuple(sorted(items, key=lambda item: (item.at, item.kind))), profile)


def replace_items(plan: Plan, items: Sequence[Item]) -> Plan:
    """Return `plan` with other items."""
    return replace(plan, items=tuple(items))


def _given(item: Item) -> dict[str, Any]:
    return {f.name: value for f in fields(item) if (value := getattr(item, f.name)) != f.default}


def _leap(profile: Profile) -> float:
    """Return by how many seconds a clock may jump; the leases of several hubs need clocks that agree."""
    return 15.0 if profile.hubs == 1 else 1.0


def _moment(draw: random.Random) -> float:
    return round(draw.random() * TROUBLE, 3)


def _wishes(draw: random.Random, profile: Profile, server: int, peaceful: bool) -> list[Item]:
    found = []
    moment, op = draw.random() * 4, "start"
    for _ in range(20 if peaceful else 1 + draw.randrange(6)):
        found.append(Item("wish", round(moment, 3), draw.randrange(profile.hubs), op=op, server=server))
        # Wishes that come close together meet what the one before has left half done.
        moment += draw.choice((0.01, 0.3, 3, 12)) * (0.5 + draw.random())
        if profile.has_name(server) and draw.random() < 0.4:
            op = "rename"
        elif op == "start":
            op = draw.choice(("stop", "stop", "stop", "delete", "remove"))
        else:
            op = "start"
    return [item for item in found if item.at < TROUBLE]


def _kill(draw: random.Random, profile: Profile) -> Item:
    hub = draw.randrange(profile.hubs)
    match draw.randrange(4):
        case 0:
            return Item("kill", _moment(draw), hub)
        case 1:
            return Item("kill", hub=hub, op="step", nth=int(10 ** (1 + 2.5 * draw.random())))
        case 2:
            return Item("kill", hub=hub, op="commit", nth=1 + int(30 * draw.random() ** 2))
        case _:
            op = draw.choice(("query", "hook", "spawn", "boot", "stop", "route", "poll", "probe"))
            return Item("kill", hub=hub, op=op, nth=1 + int(_AIMS[op][0] / 2 * draw.random()))


def _operation(draw: random.Random, profile: Profile) -> Item:
    aims = _AIMS if profile.hubs == 1 else _AIMS | _SHARED_AIMS
    aims = aims | _QUEUE_AIMS if profile.queues else aims
    (op,) = draw.choices(tuple(aims), [weight for _, weight in aims.values()])
    kind = draw.choice(EFFECTS[op])
    value = (
        round(draw.choice((1, 5, 15)) * (0.5 + draw.random()), 3) if kind in ("slow", "late", "deaf") else 0.0
    )
    nth = 1 + int(aims[op][0] * draw.random() ** 2)
    return Item(kind, hub=draw.randrange(profile.hubs), op=op, nth=nth, value=value)


_RATES = {
    "nudge": 3,
    "repair": 2,
    "outage": 2,
    "kill": 4,
    "term": 1,
    "pause": 1,
    "jump": 2,
    "exit": 2,
    "plane": 1,
}
_SHARED_RATES = _RATES | {"kill": 6, "pause": 3, "cut": 2, "apart": 2}
_TIMED: dict[str, Callable[[random.Random, Profile], Item]] = {
    "kill": _kill,
    "term": lambda draw, profile: Item("term", _moment(draw), draw.randrange(profile.hubs)),
    "pause": lambda draw, profile: Item(
        "pause", _moment(draw), draw.randrange(profile.hubs), value=round(30 * draw.random() ** 2, 3)
    ),
    "jump": lambda draw, profile: Item(
        "jump",
        _moment(draw),
        draw.randrange(profile.hubs),
        value=round(_leap(profile) * draw.uniform(-1, 1), 3),
    ),
    "exit": lambda draw, profile: Item("exit", _moment(draw), server=draw.randrange(profile.servers)),
    "outage": lambda draw, _profile: Item(
        "outage", _moment(draw), op=draw.choice(OUTAGES), value=round(25 * draw.random() ** 2, 3)
    ),
    "plane": lambda draw, _profile: Item("plane", _moment(draw)),
    "nudge": lambda draw, profile: Item(
        "nudge", _moment(draw), draw.randrange(profile.hubs), server=draw.randrange(profile.servers)
    ),
    "repair": lambda draw, profile: Item("repair", _moment(draw), draw.randrange(profile.hubs)),
    "apart": lambda draw, profile: Item(
        "apart", _moment(draw), draw.randrange(profile.hubs), value=round(30 * draw.random(), 3)
    ),
    "cut": lambda draw, profile: Item("cut", _moment(draw), draw.randrange(profile.hubs)),
}
