"""The page as people meet it: both languages, both themes, both sizes, by keyboard, by screen reader."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from playwright.async_api import Page

from server.config import AuthConfig
from tests.browser.conftest import BUILD, OpenPage
from tests.browser.site import Site, serving, small_config

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = "今天天气很好，我们去公园散步吧。"
SHIFTS = """
    globalThis.shifts = [];
    new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries()) shifts.push([value, ...sources.map(({ node }) => node?.id || node?.className || node?.nodeName)]);
    }).observe({ type: "layout-shift", buffered: true });
"""
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


async def ready(page: Page) -> None:
    await page.wait_for_selector("html[data-ready]")


async def speak(page: Page, text: str) -> None:
    """Type a text, press the button, wait for the end."""
    await page.fill("#text", text)
    await page.click("#speak")
    await page.wait_for_selector("#page[data-reading]")
    await page.wait_for_selector("#page:not([data-reading])")


async def test_the_page_speaks_and_shows_what_it_cost(site: Site, open_page: OpenPage) -> None:
    page = await open_page(site.url)
    await ready(page)
    await page.evaluate(
        """() => {
            globalThis.lit = [];
            new MutationObserver(() => lit.push(document.querySelector("#reader mark").textContent))
                .observe(document.querySelector("#reader"), { childList: true, subtree: true, characterData: true });
        }"""
    )
    text = "这一句，只在这里说。"  # elsewhere it would come from the cache, and cost nothing
    await speak(page, text)
    lit = await page.evaluate("[...new Set(lit)].join('')")
    assert lit == "".join(dict.fromkeys(filter(str.isalnum, text)))
    assert float(await page.inner_text("#ttfc")) > 0
    receipt = json.loads(await page.text_content("#receipt") or "")
    assert (receipt["text"], receipt["outcome"]) == (text, "heard")
    assert receipt["receipt"]["stages"]["vocoder_ms"] > 0
    assert receipt["timing"]["heard"] >= receipt["timing"]["received"] >= receipt["timing"]["sent"]
    assert await page.locator("#utterances button").count() == 1
    assert await page.evaluate("zhiyin.player.output.kind") == "worklet"


async def test_stop_and_interrupt(site: Site, open_page: OpenPage) -> None:
    page = await open_page(site.url)
    await ready(page)
    await page.fill("#text", TEXT * 20)
    await page.click("#speak")
    await page.wait_for_selector("#reader mark:not(:empty)", state="attached")
    await page.fill("#interruption", "好的。")
    await page.click("#interrupt button")
    await page.wait_for_selector("#utterances li:nth-child(2)")
    assert await page.text_content("#status") == "Done"
    await page.click("#speak")
    await page.wait_for_selector("#reader mark:not(:empty)", state="attached")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#page:not([data-reading])")
    outcomes = await page.evaluate("JSON.parse(document.querySelector('#receipt').textContent).outcome")
    assert outcomes == "cancelled"
    assert await page.input_value("#text") == TEXT * 20


async def test_text_that_trickles_in_is_shown_as_it_is_written(site: Site, open_page: OpenPage) -> None:
    page = await open_page(site.url)
    await ready(page)
    await page.check("#trickle")
    await page.fill("#text", TEXT)
    await page.click("#speak")
    await page.wait_for_selector("#reader .unwritten:not(:empty)", state="attached")
    await page.wait_for_selector("#page:not([data-reading])")
    sent = await page.evaluate("JSON.parse(document.querySelector('#receipt').textContent).receipt.chars")
    assert sent == len(TEXT)


async def test_choices_are_sent(site: Site, open_page: OpenPage) -> None:
    page = await open_page(site.url)
    await ready(page)
    await page.select_option("#speaker", "low-sine")
    await page.select_option("#emotion", "happy")
    await page.select_option("#rate", "16000")
    await page.select_option("#format", "ulaw")
    await page.locator("#speed").fill("1.5")
    await speak(page, "你好。")
    fields = await page.evaluate("JSON.parse(document.querySelector('#receipt').textContent).fields")
    assert (fields["speaker"], fields["emotion"], fields["speed"]) == ("low-sine", "happy", 1.5)
    assert (fields["format"], fields["rate"]) == ("ulaw", 16000)


async def test_a_file_can_be_saved(site: Site, open_page: OpenPage) -> None:
    page = await open_page(site.url)
    await ready(page)
    await page.fill("#text", "你好。")
    await page.select_option("#file-format", "wav")
    async with page.expect_download() as download:
        await page.click("#save")
    path = await (await download.value).path()
    assert (await asyncio.to_thread(Path(path).read_bytes))[:4] == b"RIFF"


async def test_the_receipt_can_be_copied(site: Site, open_page: OpenPage) -> None:
    page = await open_page(site.url, permissions=["clipboard-read", "clipboard-write"])
    await ready(page)
    await speak(page, "你好。")
    await page.click("#copy")
    await page.wait_for_selector("#status[data-shown]")
    copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert copied["receipt"]["type"] == "done"


async def test_everything_can_be_done_by_keyboard(site: Site, open_page: OpenPage) -> None:
    page = await open_page(site.url)
    await ready(page)
    seen = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        seen.append(await page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if seen[-1] == "BODY":
            break
    wanted = "language-zh language-en theme text speak stop trickle interruption emotion speed pitch format rate save"
    assert set(wanted.split()) <= set(seen)
    await page.focus("#text")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector("#page[data-reading]")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#page:not([data-reading])")


async def test_language_and_theme_are_remembered(site: Site, open_page: OpenPage) -> None:
    page = await open_page(site.url, locale="zh-CN")
    await ready(page)
    assert await page.inner_text("#speak") == "朗读"
    await page.click("#language-en")
    await page.click("#theme")
    assert await page.inner_text("#speak") == "Speak"
    await page.reload()
    await ready(page)
    assert await page.inner_text("#speak") == "Speak"
    assert await page.get_attribute("html", "lang") == "en"
    assert await page.get_attribute("html", "data-theme") == "dark"


async def test_a_server_with_tokens_asks_for_one(open_page: OpenPage) -> None:
    async with serving(small_config(auth=AuthConfig(tokens=("right",)))) as site:  # type: ignore[arg-type]
        page = await open_page(site.url, ignores=("401",))
        await page.wait_for_selector("#token-dialog[open]")
        await page.fill("#token", "wrong")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#token-dialog[open]")
        await page.fill("#token", "right")
        await page.keyboard.press("Enter")
        await ready(page)
        await speak(page, "你好。")
        assert "right" not in page.url


@pytest.mark.parametrize("size", ["phone", "desktop"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
async def test_it_is_accessible_steady_and_worth_looking_at(
    site: Site, open_page: OpenPage, node_modules: Path, size: str, theme: str, language: str
) -> None:
    """No violation that axe finds, no layout shift; pictures to look at are left in build/browser."""
    is_phone = size == "phone"
    page = await open_page(
        "about:blank",
        viewport=PHONE if is_phone else DESKTOP,
        color_scheme=theme,
        locale=language,
        device_scale_factor=2,
        has_touch=is_phone,
        is_mobile=is_phone,
        bypass_csp=True,  # axe is injected into the page
    )
    await page.add_init_script(SHIFTS)
    await page.goto(site.url)
    await ready(page)
    await speak(page, "你好。")
    await page.click("#speak")
    await page.wait_for_selector("#reader mark:not(:empty)", state="attached")
    await page.fill("#interruption", TEXT * 2)
    await page.click("#interrupt button")
    await page.wait_for_timeout(1200)
    name = f"{size}-{theme}-{language[:2]}"
    await page.screenshot(path=BUILD / f"{name}.png")
    await page.screenshot(path=BUILD / f"{name}-full.png", full_page=True)
    await page.click("#stop")
    await page.wait_for_timeout(300)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    shifts = await page.evaluate("shifts")
    assert shifts == []
    await page.add_script_tag(path=node_modules / "axe-core" / "axe.min.js")
    found = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))"
    )
    assert found == []


async def test_the_dialog_is_accessible(open_page: OpenPage, node_modules: Path) -> None:
    async with serving(small_config(auth=AuthConfig(tokens=("right",)))) as site:  # type: ignore[arg-type]
        page = await open_page(site.url, bypass_csp=True, ignores=("401",))
        await page.wait_for_selector("#token-dialog[open]")
        await page.add_script_tag(path=node_modules / "axe-core" / "axe.min.js")
        found = await page.evaluate(
            "axe.run('dialog').then(({ violations }) => violations.map(({ id }) => id))"
        )
    assert found == []
