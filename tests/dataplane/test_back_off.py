"""How long to wait before something starts again."""

from __future__ import annotations

from carrel.dataplane.back_off import BackOff


def test_what_worked_starts_again_at_once_and_what_does_not_later_and_later() -> None:
    back_off = BackOff()
    assert back_off.after(60.0) == 0.0
    assert [back_off.after(0.0) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert back_off.after(60.0) == 0.0
    assert back_off.after(0.0) == 0.1
