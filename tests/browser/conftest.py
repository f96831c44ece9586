"""One Chromium for all tests, each with a page of its own; without a Chromium they are skipped, and say so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.site import Site, serving

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

OpenPage = Callable[..., Awaitable[Page]]
Launch = Callable[..., Awaitable[Browser]]


def chromium() -> str | None:
    """The browser: `CHROMIUM`, or what the system has."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """What npm has: `make test-browser` installs it."""
    folder = BUILD / "node_modules"
    assert folder.is_dir(), "npm's packages are missing: run `make test-browser`"
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def launch() -> AsyncIterator[Launch]:
    """Start a Chromium with flags of its own; closed with the session."""
    path = chromium()
    if path is None:
        pytest.skip(f"no Chromium: install one, or set CHROMIUM; looked for {', '.join(NAMES)}")
    browsers = []
    async with async_playwright() as playwright:

        async def launch(*flags: str) -> Browser:
            arguments = ["--no-sandbox", "--disable-gpu", *flags]
            browsers.append(await playwright.chromium.launch(executable_path=path, args=arguments))
            return browsers[-1]

        yield launch
        for browser in browsers:
            await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(launch: Launch) -> Browser:
    return await launch("--autoplay-policy=no-user-gesture-required")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site() -> AsyncIterator[Site]:
    async with serving() as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Open a page in a fresh profile; at the end nothing may have been said against it on the console."""
    contexts: list[BrowserContext] = []
    said: list[str] = []
    ignored = ["WebSocket connection to"]  # the browser's own words where a test cuts the line

    async def open_page(url: str, *, ignores: tuple[str, ...] = (), **options: object) -> Page:
        ignored.extend(ignores)
        context = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"pageerror: {error}"))
        await page.goto(url)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    wrong = [line for line in said if line.startswith(("error", "warning", "pageerror"))]
    assert [line for line in wrong if not any(words in line for words in ignored)] == []


def node(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Node in the project's root."""
    command = shutil.which("node")
    if command is None:
        pytest.skip("no Node: the browser client's unit tests need it")
    return subprocess.run(
        [command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
