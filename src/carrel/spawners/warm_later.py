"""Warm starts that are loaded when the first server, or the hub once it runs, asks for one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carrel.lib.processes import Program
    from carrel.spawners.shared import Measure
    from carrel.spawners.warm import WarmServer, WarmStarts


class LaterWarmStarts:
    """Stands for `carrel.spawners.warm.WarmStarts`, which not every hub needs and no hub's start."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: WarmStarts | None = None

    async def launch(
        self, program: Program, output: int, names: Collection[str], patience: float
    ) -> WarmServer | None:
        """See `WarmStarts.launch`."""
        return await self._loaded().launch(program, output, names, patience)

    def measures(self) -> Iterator[Measure]:
        """See `WarmStarts.measures`."""
        return self._loaded().measures()

    async def warm_up(self, program: Program, names: Collection[str], *, others: bool) -> None:
        """See `WarmStarts.warm_up`."""
        await self._loaded().warm_up(program, names, others=others)

    async def close(self, *, end: bool) -> None:
        """See `WarmStarts.close`."""
        if self._made is not None:
            await self._made.close(end=end)

    def _loaded(self) -> WarmStarts:
        if self._made is None:
            from carrel.spawners.warm import WarmStarts

            self._made = WarmStarts(self._directory)
        return self._made
