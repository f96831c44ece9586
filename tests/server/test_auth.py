from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from multidict import CIMultiDict

from server.auth import check_token
from server.config import AuthConfig
from streaming.errors import UnauthorizedError

TOKENS = AuthConfig(tokens=("right", "gehört"))  # type: ignore[arg-type]


def check(header: str | None, query: dict[str, str] | None = None) -> None:
    check_token(request_with({} if header is None else {"Authorization": header}, query), TOKENS)


def request_with(headers: dict[str, str], query: dict[str, str] | None = None) -> web.Request:
    # As aiohttp hands it on; its own test request cannot hold bytes that are no text.
    return cast(web.Request, SimpleNamespace(headers=CIMultiDict(headers), query=query or {}))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_compared_without_case(scheme: str) -> None:
    check(f"{scheme} right")


def test_a_token_may_be_any_text() -> None:
    check("Bearer gehört")
    check(None, {"token": "gehört"})


@pytest.mark.parametrize("header", ["Bearer \udcff\udcfe", "Bearer ", "Bearer", "Basic right", "right", ""])
def test_any_other_header_is_refused_even_bytes_that_are_no_text(header: str) -> None:
    with pytest.raises(UnauthorizedError):
        check(header)


def test_without_tokens_everybody_may_connect() -> None:
    check_token(request_with({}), AuthConfig())
