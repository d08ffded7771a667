"""The fake data plane of the test kit is a Proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from carrel.testing.conformance.proxy import ProxyConformance
from carrel.testing.fakes import FakeProxy


class TestFakeProxy(ProxyConformance):
    @pytest.fixture
    async def proxy(self) -> AsyncIterator[FakeProxy]:
        proxy = FakeProxy()
        await proxy.start()
        yield proxy
        await proxy.close()
