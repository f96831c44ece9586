"""The page and its files: who gets them, with which headers, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.page import FOLDER, content_policy, read_assets, wants_html
from tests.server.harness import Server, running

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def get(server: Server, path: str, **headers: str) -> tuple[int, Any, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, response.headers, await response.text()


async def test_browsers_get_the_page_and_curl_the_text() -> None:
    async with running() as server:
        status, headers, body = await get(server, "/", Accept=BROWSER)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert headers["Vary"] == "Accept"
        assert "<!doctype html>" in body
        _, headers, body = await get(server, "/", Accept="*/*")
        assert headers["Content-Type"].startswith("text/plain")
        assert headers["Vary"] == "Accept"
        assert "zhiyin say" in body


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML;q=0.5", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=much", True),
        ("text/html;q=.", False),
    ],
)
def test_what_a_client_accepts(accept: str, expected: bool) -> None:
    assert wants_html(accept) is expected


async def test_every_file_of_the_client_is_served_with_its_type_and_policy() -> None:
    names = [path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.js")]
    assert set(names) <= set(read_assets(FOLDER))
    async with running() as server:
        for name in names:
            status, headers, body = await get(server, f"/browser/{name}")
            assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
            assert body == (FOLDER / name).read_text(encoding="utf-8")
            assert headers["X-Content-Type-Options"] == "nosniff"
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert f"ws://127.0.0.1:{server.port}" in policy


async def test_what_is_known_is_not_sent_again() -> None:
    async with running() as server:
        _, headers, _ = await get(server, "/browser/index.js")
        status, again, body = await get(server, "/browser/index.js", **{"If-None-Match": headers["ETag"]})
        assert (status, body, again["ETag"]) == (304, "", headers["ETag"])
        assert (await get(server, "/browser/index.js", **{"If-None-Match": '"other"'}))[0] == 200
        assert (await get(server, "/", Accept=BROWSER, **{"If-None-Match": headers["ETag"]}))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/browser/",
        "/browser/page",
        "/browser/nothing.js",
        "/browser/package.json",
        "/browser/../server/app.py",
        "/browser/..%2f..%2fserver/app.py",
        "/browser/%2e%2e/python/wire.py",
        "/browser//etc/passwd",
        "/browser/page/..%5cindex.js",
    ],
)
async def test_nothing_else_can_be_had(path: str) -> None:
    async with running() as server:
        reader_status = await raw_status(server, path)
    assert reader_status in (403, 404)


async def raw_status(server: Server, path: str) -> int:
    """The status of a request whose path no client library has tidied."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


def test_a_strange_host_does_not_get_into_the_policy() -> None:
    assert "evil" not in content_policy("evil; script-src *")
    assert "wss://[::1]:8080" in content_policy("[::1]:8080")


def test_a_folder_without_a_page_is_no_error(tmp_path: Path) -> None:
    assert read_assets(tmp_path) == {}
