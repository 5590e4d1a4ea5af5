"""``POST /api/validate-yaml``: what clients ask before they commit a ``README.md``."""

from __future__ import annotations

from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, Field, ValidationError

from pytupli_registry.server.errors import BadRequest, TooLarge
from pytupli_registry.server.wire.card import Card, plain_lines, read_card
from pytupli_registry.server.wire.json_text import without_strings
from pytupli_registry.server.wire.names import RepoType

router = APIRouter(tags=["cards"])

LARGEST = 17 << 20
LARGEST_FRAME = 64 << 10  # what is left of the body without its texts


class CardBody(BaseModel):
    """A whole ``README.md`` and the type of the repository it is for."""

    content: str
    repo_type: RepoType = Field(default=RepoType.MODEL, alias="repoType")


class CardProblem(BaseModel):
    """One error or warning."""

    message: str


class CardReport(BaseModel):
    """What is wrong with a card."""

    errors: list[CardProblem]
    warnings: list[CardProblem]


@router.post(
    "/api/validate-yaml",
    response_model=CardReport,
    responses={400: {"model": CardReport, "description": "The Hub does not take this card."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": CardBody.model_json_schema()}},
        }
    },
)
async def validate_yaml(request: Request) -> Response:
    """Check the front matter of a card; plain text on request, one line a problem."""
    body = await _body(request)
    card = await to_thread.run_sync(_checked, body)
    status = 400 if card.errors else 200
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse(plain_lines(card), status)
    return JSONResponse(_shown(card), status)


def _checked(body: bytes) -> Card:
    if len(without_strings(body)) > LARGEST_FRAME:
        raise BadRequest("The body must be JSON with the members content and repoType, and nothing else.")
    try:
        asked = CardBody.model_validate_json(body)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise BadRequest(
            f"The body must be JSON with the members content and repoType ({problems})."
        ) from error
    return read_card(asked.content, asked.repo_type.value)


def _shown(card: Card) -> dict[str, Any]:
    return {
        "errors": [{"message": message} for message in card.errors],
        "warnings": [{"message": message} for message in card.warnings],
    }


async def _body(request: Request) -> bytes:
    received = bytearray()
    async for block in request.stream():
        received += block
        if len(received) > LARGEST:
            raise TooLarge(f"A card has at most {LARGEST} bytes.")
    return bytes(received)
