from __future__ import annotations

from typing import Any

import pytest

from server.config import AuthConfig, ServerConfig
from tests.server.harness import ask, running

KEY = {"xi-api-key": "right"}
SDK = {"X-Fern-SDK-Name": "elevenlabs"}
TOKENS = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]


def ids(document: Any) -> list[str]:
    return [voice["voice_id"] for voice in document["voices"]]


@pytest.mark.parametrize(
    ("path", "headers"), [("/v1/voices", KEY), ("/v1/voices", SDK), ("/elevenlabs/v1/voices", {})]
)
async def test_elevenlabs_clients_get_voices_in_their_shape(path: str, headers: dict[str, str]) -> None:
    async with running() as server:
        status, document = await ask(server, "GET", path, headers=headers)
    assert status == 200
    assert ids(document) == ["fake", "fake:sine", "fake:low-sine"]
    assert {"name", "category", "labels"} <= set(document["voices"][0])


async def test_others_get_ours_and_openais() -> None:
    async with running() as server:
        _, voices = await ask(server, "GET", "/v1/voices")
        _, models = await ask(server, "GET", "/v1/models", headers={"Authorization": "Bearer x"})
    assert voices["voices"][0]["name"] == "fake"
    assert models["object"] == "list"


@pytest.mark.parametrize(("path", "headers"), [("/v1/models", KEY), ("/elevenlabs/v1/models", {})])
async def test_models_are_a_list(path: str, headers: dict[str, str]) -> None:
    async with running() as server:
        _, models = await ask(server, "GET", path, headers=headers)
    assert models[0]["model_id"] == "zhiyin"
    assert models[0]["can_do_text_to_speech"]


async def test_every_listed_voice_and_every_configured_name_is_known() -> None:
    async with running() as server:
        _, document = await ask(server, "GET", "/v1/voices", headers=KEY)
        for name in [*ids(document), "alloy", "fake::happy"]:
            status, voice = await ask(server, "GET", f"/v1/voices/{name}", headers=KEY)
            assert (status, voice["voice_id"]) == (200, name)
        for name in ("nobody", "fake:nobody", "fake::bored"):
            status, refused = await ask(server, "GET", f"/v1/voices/{name}", headers=KEY)
            assert (status, refused["detail"]["status"]) == (404, "voice_not_found")


async def test_a_search_goes_by_pages() -> None:
    async with running() as server:
        _, first = await ask(server, "GET", "/v2/voices?page_size=2")
        token = first["next_page_token"]
        _, second = await ask(server, "GET", f"/elevenlabs/v2/voices?page_size=2&next_page_token={token}")
        _, found = await ask(server, "GET", "/v2/voices?search=LOW-s")
    assert (ids(first), first["has_more"], first["total_count"]) == (["fake", "fake:sine"], True, 3)
    assert (ids(second), second["has_more"], second["next_page_token"]) == (["fake:low-sine"], False, None)
    assert ids(found) == ["fake:low-sine"]


@pytest.mark.parametrize("query", ["page_size=-1", "page_size=x", "next_page_token=x", "page_size=²"])
async def test_a_page_that_is_none_is_refused(query: str) -> None:
    async with running() as server:
        assert (await ask(server, "GET", f"/v2/voices?{query}"))[0] == 422


@pytest.mark.parametrize(
    "path", ["/v1/voices", "/v2/voices", "/v1/voices/fake", "/v1/models", "/v1/user/subscription"]
)
async def test_lists_need_the_key(path: str) -> None:
    async with running(TOKENS) as server:
        assert (await ask(server, "GET", f"/elevenlabs{path}"))[0] == 401
        assert (await ask(server, "GET", path, headers={"xi-api-key": "wrong"}))[0] == 401
        assert (await ask(server, "GET", path, headers=KEY))[0] == 200
