"""Metrics: what was done is told to whoever counts, and who may read the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Forbidden
from carrel.domain.events import Work, WorkDone
from carrel.events.exposition import Exposition, Gauge, expose
from carrel.spawners.shared import Measure

_DAY = 86400.0
_PERIODS = {"24h": _DAY, "7d": 7 * _DAY, "30d": 30 * _DAY}


@contextmanager
def timed(ctx: HubContext, work: Work) -> Iterator[None]:
    """Tell how long the block took; it has failed when it raises. One that is cancelled is not told of."""
    began = ctx.clock.monotonic()
    try:
        yield
    except Exception:
        done(ctx, work, began, "failure")
        raise
    done(ctx, work, began)


def done(ctx: HubContext, work: Work, began: float, status: str = "success") -> None:
    """Tell how long work took that began at that moment of the monotonic clock."""
    ctx.bus.publish(WorkDone(work, ctx.clock.monotonic() - began, status))


async def read_metrics(ctx: HubContext, visitor: Caller | None) -> Exposition:
    """Return this hub's metrics for Prometheus; a few counts in the database, however many users there are.

    Raises Forbidden for who lacks `read:metrics`, unless `authenticate_prometheus` is off.
    """
    if ctx.settings.authenticate_prometheus:
        if visitor is None:
            # Programs ask, who follow no redirect to the log-in.
            raise Forbidden("Missing or invalid credentials.")
        visitor.require("read:metrics")
    now = ctx.clock.now()
    async with ctx.store.read() as tx:
        users, running = await tx.users.count(), await tx.servers.count_ready()
        recent = await tx.users.count(now - ctx.settings.active_user_window)
        active = [((period,), await tx.users.count(now - span)) for period, span in _PERIODS.items()]
    gauges: tuple[Gauge, ...] = (
        Gauge("total_users", "How many users there are", (), (((), users),)),
        Gauge("running_servers", "How many servers are ready", (), (((), running),)),
        Gauge("active_users", "How many users were active in the period", ("period",), active),
        Gauge("recently_active_users", "How many users were active just now", (), (((), recent),)),
    )
    warm = ctx.hub.warm_starts.measures() if ctx.hub.warm_starts is not None else ()
    gauges += tuple(_of_drivers([*ctx.shared.measures(), *warm]))
    return await expose(ctx.metrics, gauges, ctx.settings.metrics_prefix)


def _of_drivers(measures: Iterable[Measure]) -> Iterator[Gauge]:
    """Return what drivers tell, one gauge for each name."""
    by_name: dict[str, list[Measure]] = {}
    for measure in measures:
        by_name.setdefault(measure.name, []).append(measure)
    for name, found in by_name.items():
        labels = tuple(label for label, _ in found[0].labels)
        values = [(tuple(value for _, value in each.labels), each.value) for each in found]
        yield Gauge(name, found[0].text, labels, values, found[0].counts)
