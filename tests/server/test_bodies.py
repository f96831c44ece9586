from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from server.bodies import BadFieldError, Body, validate


class Inner(Body):
    size: int = 1
    name: str = "none"


class Named(Body):
    id: str


class Outer(Body):
    inner: Inner = Inner()
    many: list[Inner] = Field(default_factory=list)
    voice: Annotated[str, Field(max_length=3)] | Named = ""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = "default"


def test_null_is_absent_at_every_depth() -> None:
    assert validate({"inner": None, "many": None}, Outer) == Outer()
    found = validate({"inner": {"size": None, "name": "x"}, "many": [{"name": None}]}, Outer)
    assert found == Outer(inner=Inner(name="x"), many=[Inner()])
    assert validate({"text": None}, Strict) == Strict()


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"voice": {"id": None}}, "voice", "voice.id: missing"),
        ({"voice": {}}, "voice", "voice.id: missing"),
        ({"voice": {"id": 5}}, "voice", "voice: found 5; allowed: a valid string"),
        ({"voice": 5}, "voice", "voice: found 5; allowed: a valid string"),
        ({"inner": {"size": "x"}}, "inner", "inner: found 'x'; allowed: a valid integer"),
        ({"inner": 1, "many": [{"size": "x"}]}, "inner", "inner: found 1; allowed: a valid dictionary"),
        ([], "", r"an object is wanted; found \[\]"),
    ],
)
def test_an_error_names_the_field_what_was_found_and_what_is_allowed(
    fields: Any, field: str, message: str
) -> None:
    with pytest.raises(BadFieldError, match=message) as refusal:
        validate(fields, Outer)
    assert refusal.value.field == field


def test_an_unknown_field_is_named_however_it_is_written() -> None:
    with pytest.raises(BadFieldError, match="no field 'Text'; known: text") as refusal:
        validate({"Text": "x"}, Strict)
    assert refusal.value.field == "Text"
