"""The JSON of HTTP requests, validated.

Input   a request, the model of its body
Output  the model, or BadRequestError naming the field, what was found and what is allowed
State   none
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from streaming.errors import BadRequestError

BODY_S = web.AppKey("body_s", float)
"""Of the application: how long a body may take (`limits.body_s`)."""
MAX_SHOWN_CHARS = 40


class Body(BaseModel):
    """Unknown fields are ignored: clients of other vendors send what we never heard of."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


BodyType = TypeVar("BodyType", bound=BaseModel)
Received = TypeVar("Received")


class BadFieldError(BadRequestError):
    """A field is missing, of the wrong type or out of range; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


async def read_body(
    request: web.Request, model: type[BodyType], defaults: Mapping[str, object] | None = None
) -> BodyType:
    """Read and check a request's JSON; what it does not say may come from `defaults`.

    Raises:
        BadRequestError: It is not JSON, too large, or too long in coming.
        BadFieldError: It is not what the model wants.
    """
    try:
        fields = json.loads(await received(request.read(), request))  # UTF-8, whatever charset is claimed
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequestError("the body is not JSON that can be read: it is nested too deeply") from None
    if defaults and isinstance(fields, dict):
        fields = {**defaults, **fields}
    return validate(fields, model)


async def received(reading: Awaitable[Received], request: web.Request) -> Received:
    """Wait for a body, but not for ever.

    Raises:
        BadRequestError: It is too large, or did not come in time.
    """
    body_s = request.app[BODY_S]
    try:
        async with asyncio.timeout(body_s):
            return await reading
    except TimeoutError:
        raise BadRequestError(f"the body did not come within {body_s:g} s") from None
    except web.HTTPRequestEntityTooLarge as error:
        raise BadRequestError(f"the body is too large: {error.text}") from None


def validate(fields: object, model: type[BodyType]) -> BodyType:
    """Check decoded fields; null counts as absent.

    Raises:
        BadFieldError: They are not what the model wants.
    """
    if not isinstance(fields, dict):
        raise BadFieldError("", f"an object is wanted; found {shown(fields)}")
    try:
        return model.model_validate({key: value for key, value in fields.items() if value is not None})
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        place = [part for part in detail["loc"] if isinstance(part, str)]
        field = place[0] if place else ""
        if detail["type"] == "missing":
            raise BadFieldError(field, f"{'.'.join(place)}: missing") from None
        if detail["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise BadFieldError(field, f"no field {shown(field)}; known: {known}") from None
        allowed = detail["msg"].removeprefix("Input should be ")
        text = f"{field}: found {shown(detail['input'])}; allowed: {allowed}"
        raise BadFieldError(field, text) from None


def shown(value: object) -> str:
    """Return a short representation: a client's whole text does not belong in an error."""
    text = repr(value[:MAX_SHOWN_CHARS] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= MAX_SHOWN_CHARS + 2 else text[:MAX_SHOWN_CHARS] + "..."
