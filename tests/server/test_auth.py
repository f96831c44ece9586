from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from server.auth import check_token
from server.config import AuthConfig
from streaming.errors import UnauthorizedError

TOKENS = AuthConfig(tokens=("right", "gehört"))  # type: ignore[arg-type]


def check(header: str | None, query: str = "") -> None:
    headers = CIMultiDict({} if header is None else {"Authorization": header})
    check_token(make_mocked_request("GET", f"/v1/voices{query}", headers=headers), TOKENS)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_compared_without_case(scheme: str) -> None:
    check(f"{scheme} right")


def test_a_token_may_be_any_text() -> None:
    check("Bearer gehört")
    check(None, "?token=geh%C3%B6rt")


@pytest.mark.parametrize("header", ["Bearer \udcff\udcfe", "Bearer ", "Bearer", "Basic right", "right", ""])
def test_any_other_header_is_refused_even_bytes_that_are_no_text(header: str) -> None:
    with pytest.raises(UnauthorizedError):
        check(header)


def test_without_tokens_everybody_may_connect() -> None:
    check_token(make_mocked_request("GET", "/"), AuthConfig())
