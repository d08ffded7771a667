from __future__ import annotations

from carrel.spawners.shared import Shared


class Thing:
    def __init__(self, name: str, ends: list[str]) -> None:
        self.name = name
        self.ends = ends

    async def close(self) -> None:
        self.ends.append(self.name)


async def test_a_thing_is_made_once_and_all_end_the_latest_first() -> None:
    shared, ends = Shared(), list[str]()
    first = shared.get("a", lambda: Thing("a", ends))
    assert shared.get("a", lambda: Thing("another", ends)) is first
    shared.get("b", lambda: Thing("b", ends))
    await shared.close()
    await shared.close()
    assert ends == ["b", "a"]
