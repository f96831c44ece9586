"""The JSON of HTTP requests, validated.

Input   a request, the model of its body
Output  the model, or BadRequestError naming the field, what was found and what is allowed
State   none
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from server.messages import shown
from streaming.errors import BadRequestError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

BODY_S = web.AppKey("body_s", float)
"""Of the application: how long a body may take (`limits.body_s`)."""


class Body(BaseModel):
    """Unknown fields are ignored: clients of other vendors send what we never heard of. So is null."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, fields: object) -> object:
        return without_nulls(fields)


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
        return model.model_validate(without_nulls(fields))
    except ValidationError as error:
        detail = _nearest(error.errors(include_url=False))
        place = _place(detail)
        field = place[0]
        if detail["type"] == "missing":
            raise BadFieldError(field, f"{'.'.join(place)}: missing") from None
        if detail["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise BadFieldError(field, f"no field {shown(field)}; known: {known}") from None
        allowed = detail["msg"].removeprefix("Input should be ")
        text = f"{field}: found {shown(detail['input'])}; allowed: {allowed}"
        raise BadFieldError(field, text) from None


def without_nulls(fields: object) -> object:
    """Return a map without its fields that are null; other values as they are."""
    if not isinstance(fields, dict):
        return fields
    return {key: value for key, value in fields.items() if value is not None}


def _nearest(errors: list[ErrorDetails]) -> ErrorDetails:
    """Return the first error; of those of a union, that of the type that the value nearly was."""
    of_field = [error for error in errors if error["loc"][:1] == errors[0]["loc"][:1]]
    return max(of_field, key=lambda error: len(error["loc"]))


def _place(detail: ErrorDetails) -> list[str]:
    """Return the names of the fields that lead to an error, without those of a union's types."""
    first, *rest = detail["loc"] or ("",)
    return [str(first), *(part for part in rest if isinstance(part, str) and not part[:1].isupper())]
