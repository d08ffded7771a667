"""Prometheus' text format, by its own library, which is loaded when somebody asks for the first time."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from carrel.events.metrics import Family, Metrics


@dataclass(frozen=True, slots=True)
class Gauge:
    """Values at the moment, by their labels."""

    name: str
    text: str
    labels: tuple[str, ...]
    values: Sequence[tuple[tuple[str, ...], float]]
    counts: bool = False
    """Whether they only grow: then it is shown as a counter."""


@dataclass(frozen=True, slots=True)
class Exposition:
    """Everything as text, and the media type of that."""

    body: bytes
    media_type: str


async def expose(metrics: Metrics, gauges: Sequence[Gauge], prefix: str) -> Exposition:
    """Return everything in the text format; every name of ours begins with `prefix` and an underscore."""
    # It takes longer than the loop may be held up.
    library = await asyncio.to_thread(importlib.import_module, "prometheus_client")
    registry = library.CollectorRegistry()
    for collector in (library.ProcessCollector, library.PlatformCollector, library.GCCollector):
        collector(registry=registry)
    registry.register(_Collector(metrics, gauges, f"{prefix}_"))
    return Exposition(library.generate_latest(registry), library.CONTENT_TYPE_LATEST)


@dataclass(frozen=True, slots=True, eq=False)
class _Collector:
    """What the library asks for its samples."""

    metrics: Metrics
    gauges: Sequence[Gauge]
    prefix: str

    def describe(self) -> Iterable[Any]:
        """Return nothing: what is registered beside this has other names."""
        return ()

    def collect(self) -> Iterator[Any]:
        from prometheus_client import core

        for gauge in self.gauges:
            kind = core.CounterMetricFamily if gauge.counts else core.GaugeMetricFamily
            shown = kind(self.prefix + gauge.name, gauge.text, labels=gauge.labels)
            for labels, value in gauge.values:
                shown.add_metric(labels, value)
            yield shown
        for family in self.metrics.families():
            yield self._histogram(core, family)
        reports = core.CounterMetricFamily(self.prefix + "csp_reports", "Reports of broken page policies")
        reports.add_metric((), self.metrics.policy_reports)
        yield reports

    def _histogram(self, core: Any, family: Family) -> Any:
        shown = core.HistogramMetricFamily(self.prefix + family.name, family.text, labels=family.labels)
        bounds = [*map(str, family.bounds), "+Inf"]
        for labels, histogram in family.series.items():
            buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
            shown.add_metric(labels, buckets, histogram.sum)
        return shown
