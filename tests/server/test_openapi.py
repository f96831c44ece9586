from __future__ import annotations

import json

from server.app import build_app
from server.native import PATH
from server.openapi import describe_http
from tests.server.harness import ask, running

SOCKETS = (
    PATH,
    "stream-input",
    "/inference",
    "/inference/",
    "/realtime",
    "/realtime/",
)  # WebSockets: how their paths end


async def test_every_route_is_described_and_none_that_is_not_there() -> None:
    async with running() as server:
        routes = build_app(server.backend).router.routes()
        found = {
            (route.resource.canonical, route.method.lower())
            for route in routes
            if route.resource is not None and route.method != "HEAD"
        }
        status, document = await ask(server, "GET", "/openapi.json")
    assert status == 200
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described == {(path, method) for path, method in found if not path.endswith(SOCKETS)}


def test_every_reference_leads_somewhere() -> None:
    document = describe_http()
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]


def test_a_query_carries_what_a_query_can() -> None:
    parameters = {p["name"]: p for p in describe_http()["paths"]["/v1/tts"]["get"]["parameters"]}
    assert parameters["text"]["required"]
    assert not parameters["speed"]["required"]
    assert "lexicon" not in parameters
