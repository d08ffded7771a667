"""Reports of what pages were kept from doing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from carrel.domain.events import Event, PolicyBroken
from tests.http.hub import open_hub

REPORT = "/hub/security/csp-report"


async def test_a_visitors_report_is_logged_and_cleaned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "carrel.web")
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        reported: list[Event] = []
        hub.ctx.bus.listen(lambda event: reported.append(event) if isinstance(event, PolicyBroken) else None)
        await browser.log_in()
        body = b'{"csp-report": {"uri": "https://x/?token=s3cret"}}\n\x1b[31mforged line ' + b"x" * 100_000
        reply = await browser.post(REPORT, content=body, headers={"Content-Type": "application/csp-report"})
        assert (reply.status_code, reply.content) == (200, b"")
        assert reported == [PolicyBroken()]
        assert (await browser.get(REPORT)).status_code == 405
    [line] = [record.getMessage() for record in caplog.records if "violation" in record.getMessage()]
    assert line.startswith("Content security violation, reported by ada: {")
    assert "s3cret" not in line
    assert "\n" not in line
    assert len(line) < 3000


async def test_a_stranger_writes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        assert (await browser.post(REPORT, content=b"{}")).status_code == 403
    assert "violation" not in caplog.text
