"""What is counted, and how Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from carrel.domain.events import PolicyBroken, Work, WorkDone
from carrel.events.exposition import Gauge, expose
from carrel.events.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def read(metrics: Metrics, *gauges: Gauge, prefix: str = "hub") -> Samples:
    body = (await expose(metrics, gauges, prefix)).body.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def test_durations_stand_in_the_buckets_that_hold_them() -> None:
    metrics = Metrics()
    for seconds in (0.4, 0.5, 700.0):
        metrics.heed(WorkDone(Work.START, seconds))
    metrics.heed(WorkDone(Work.START, 2.0, "failure", "port-taken"))
    found = await read(metrics)
    name = "hub_server_spawn_duration_seconds"
    success = ("reason", ""), ("status", "success")
    # At most half a second, at most ten minutes, and all.
    for bound, count in (("0.5", 2), ("600.0", 2), ("+Inf", 3)):
        assert found[f"{name}_bucket", (("le", bound), *success)] == count
    assert found[f"{name}_count", success] == 3
    assert found[f"{name}_sum", success] == 700.9
    assert found[f"{name}_count", (("reason", "port-taken"), ("status", "failure"))] == 1
    assert found[f"{name}_count", (("reason", "throttled"), ("status", "failure"))] == 0


async def test_each_kind_of_work_is_told_by_its_status() -> None:
    metrics = Metrics()
    for work in Work:
        metrics.heed(WorkDone(work, 0.1))
    found = await read(metrics)
    with_success = [key for key in found if key[0].endswith("_count") and found[key] == 1]
    assert len(with_success) == len(Work)


async def test_requests_by_method_handler_and_status() -> None:
    metrics = Metrics()
    for method, status in (("GET", 200), ("GET", 200), ("GET", 404), ("BREW", 405), ("SMELT", 405)):
        metrics.request(method, "carrel.api.users.get_user", status, 0.003)
    found = await read(metrics)

    def count(method: str, code: str) -> float | None:
        labels = (("code", code), ("handler", "carrel.api.users.get_user"), ("method", method))
        return found.get(("hub_request_duration_seconds_count", labels))

    assert (count("GET", "200"), count("GET", "404")) == (2, 1)
    # Whoever makes up methods makes no series.
    assert (count("other", "405"), count("BREW", "405")) == (2, None)


async def test_reasons_without_end_take_no_memory_without_end() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.heed(WorkDone(Work.START, 1.0, "failure", f"reason {number}"))
    series = metrics.work[Work.START].series
    assert len(series) < 250
    assert sum(histogram.counts[1] for histogram in series.values()) == 1000


async def test_gauges_counters_and_the_prefix() -> None:
    metrics = Metrics()
    metrics.heed(PolicyBroken())
    users = Gauge("active_users", "Active", ("period",), ((("24h",), 3.0), (("7d",), 5.0)))
    found = await read(metrics, users, prefix="campus")
    assert found["campus_active_users", (("period", "7d"),)] == 5
    assert found["campus_csp_reports_total", ()] == 1
    assert ("process_resident_memory_bytes", ()) in found
    assert not any(name.startswith("hub_") for name, _ in found)
