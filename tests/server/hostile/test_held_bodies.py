"""Bodies that are held in memory: all of them together have a limit, which small ones do not feel."""

from __future__ import annotations

import asyncio

import pytest
from starlette.exceptions import HTTPException

from pytupli_registry.server.limits import SMALL, BodyLimit

LIMIT = 10 * SMALL


class Slow:
    """An application that reads bodies, and answers when it is told to."""

    def __init__(self) -> None:
        self.limited = BodyLimit(self._answer, together=LIMIT)
        self.let_go = asyncio.Event()
        self.reading = 0

    async def _answer(self, scope: dict, receive, send) -> None:
        while (await receive())["more_body"]:
            pass
        self.reading += 1
        await self.let_go.wait()

    async def post(self, size: int) -> None:
        pieces = [size // 2, size - size // 2]

        async def receive() -> dict:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": bytes(piece), "more_body": bool(pieces)}

        await self.limited({"type": "http", "method": "POST"}, receive, None)


def test_many_that_are_small() -> None:
    async def story() -> None:
        app = Slow()
        held = [asyncio.create_task(app.post(SMALL)) for _ in range(50)]
        await asyncio.sleep(0)
        assert app.reading == 50
        app.let_go.set()
        await asyncio.gather(*held)

    asyncio.run(story())


def test_too_many_that_are_large() -> None:
    async def story() -> None:
        app = Slow()
        held = [asyncio.create_task(app.post(5 * SMALL)) for _ in range(3)]
        await asyncio.sleep(0)
        assert app.reading == 2
        with pytest.raises(HTTPException, match="Too many large requests") as refused:
            await held.pop()
        assert refused.value.status_code == 503
        small = asyncio.create_task(app.post(SMALL))
        await asyncio.sleep(0)
        assert app.reading == 3
        app.let_go.set()
        await asyncio.gather(small, *held)
        # What was held is free again, whoever was refused meanwhile.
        await asyncio.gather(app.post(5 * SMALL), app.post(5 * SMALL))
        assert app.reading == 5

    asyncio.run(story())
