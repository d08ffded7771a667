from __future__ import annotations

import asyncio
from typing import Any

from carrel.authenticators.local import LocalAuthenticator


class Machine(LocalAuthenticator):
    """Has the accounts that it was asked to make, and takes its time for each."""

    def __init__(self) -> None:
        super().__init__(create_system_users=True)
        self.accounts: list[str] = []
        self.at_work = 0

    def system_user_exists(self, user: Any) -> bool:
        return user.name in self.accounts

    async def add_system_user(self, user: Any) -> None:
        self.at_work += 1
        for _ in range(5):
            await asyncio.sleep(0)
        assert self.at_work == 1
        self.accounts.append(user.name)
        self.at_work -= 1


async def test_who_signs_in_twice_in_one_moment_gets_one_account() -> None:
    machine = Machine()
    await asyncio.gather(*(machine.add_user_now(name) for name in ("ada", "ada", "bea")))
    assert machine.accounts == ["ada", "bea"]
