"""Bad networks: late audio is concealed and counted, never out of order; what is cut is taken up again."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from server.config import AuthConfig
from tests.browser.conftest import Launch, OpenPage
from tests.browser.listening import floats, ints, played, reference, underruns
from tests.browser.site import Site, jitter, proxied, serving, small_config

pytestmark = pytest.mark.asyncio(loop_scope="session")

# No pause but at the end: silence would hide what happens in it.
ONE_SENTENCE = "今天天气很好我们一起去公园里散步吧"
LONG = "今天天气很好，我们去公园散步吧。" * 3

SPEAK = """async ([url, text, fields, options]) => {
    const { recorded } = await import("/test/kit.js");
    const { client, heard } = await recorded(url, options);
    const speech = client.speak(text, fields);
    let resumed = 0;
    speech.on("resumed", ({ samples }) => { resumed = samples; });
    const result = await speech.finished;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { underruns, underrunMs, cushion } = client.player;
    return { result, resumed, underruns, underrunMs, cushionMs: cushion.ms, ...(await heard()) };
}"""


async def test_a_slow_and_jittery_line_is_heard_in_order_with_its_gaps_concealed(
    site: Site, open_page: OpenPage
) -> None:
    wanted = await reference(site, ONE_SENTENCE)
    page = await open_page(f"{site.url}test/blank.html")
    async with proxied(site, jitter(36_000, seed=3)) as proxy:  # 48 kB/s would be real time
        url = f"ws://127.0.0.1:{proxy.port}/v1/stream"
        said = await page.evaluate(SPEAK, [url, ONE_SENTENCE, {}, {"cushion": {"maxMs": 120}}])
    assert said["underruns"] >= 2
    assert underruns(floats(said["samples"]), wanted, 24_000) == said["underruns"]
    assert said["cushionMs"] > 40
    assert said["result"]["underruns"] == said["underruns"]
    assert said["result"]["underrunMs"] > 0


async def test_the_cushion_learns_the_jitter_of_the_line(site: Site, open_page: OpenPage) -> None:
    page = await open_page(f"{site.url}test/blank.html")
    async with proxied(site, jitter(60_000, seed=5, piece_bytes=8192)) as proxy:
        proxy.piece_bytes = 8192
        url = f"ws://127.0.0.1:{proxy.port}/v1/stream"
        said = await page.evaluate(
            """async ([url, text]) => {
                const { connect } = await import("/test/kit.js");
                const client = connect(url);
                const counts = [];
                for (let i = 0; i < 3; i++) counts.push((await client.speak(text).finished).underruns);
                return { counts, ms: client.player.cushion.ms };
            }""",
            [url, ONE_SENTENCE[:9]],
        )
    assert 60 < said["ms"] <= 1000
    assert said["counts"][-1] <= said["counts"][0]


async def test_a_cut_connection_is_taken_up_again_without_a_sound(site: Site, open_page: OpenPage) -> None:
    wanted = await reference(site, LONG)
    page = await open_page(f"{site.url}test/blank.html")
    async with proxied(site) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}/v1/stream"
        fields = {"window_ms": 2000, "words": True}
        options = {"cushion": {"startMs": 300}}
        speaking = asyncio.create_task(page.evaluate(SPEAK, [url, LONG, fields, options]))
        await asyncio.sleep(1.0)
        proxy.cut()
        said = await speaking
        assert proxy.n_connections == 2
    assert 0 < said["resumed"] < len(wanted)
    assert said["underruns"] == 0
    assert np.array_equal(played(ints(said["samples"]), wanted), wanted)


async def test_what_is_asked_for_while_nobody_is_there_is_spoken_later(
    site: Site, open_page: OpenPage
) -> None:
    page = await open_page(f"{site.url}test/blank.html")
    async with proxied(site) as proxy:
        proxy.is_open = False
        url = f"ws://127.0.0.1:{proxy.port}/v1/stream"
        task = asyncio.create_task(
            page.evaluate(
                """async ([url]) => {
                    const { connect } = await import("/test/kit.js");
                    const client = connect(url);
                    const attempts = [];
                    client.on("waiting", ({ ms }) => attempts.push(ms));
                    const { outcome } = await client.speak("你好。").finished;
                    return { outcome, attempts };
                }""",
                [url],
            )
        )
        await asyncio.sleep(0.6)
        proxy.is_open = True
        said = await task
    assert said["outcome"] == "heard"
    attempts = said["attempts"]
    assert len(attempts) >= 1
    assert all(125 * 2**n <= ms <= 250 * 2**n for n, ms in enumerate(attempts))


async def test_after_the_last_attempt_everybody_is_told(site: Site, open_page: OpenPage) -> None:
    page = await open_page(f"{site.url}test/blank.html")
    async with proxied(site) as proxy:
        proxy.is_open = False
        url = f"ws://127.0.0.1:{proxy.port}/v1/stream"
        said = await page.evaluate(
            """async ([url]) => {
                const { connect } = await import("/test/kit.js");
                const client = connect(url, { retries: 1 });
                const error = await client.speak("你好。").finished.catch((error) => error.name);
                return { error, state: client.state };
            }""",
            [url],
        )
    assert said == {"error": "ConnectionLostError", "state": "closed"}


async def test_a_wrong_token_is_told_and_not_tried_again(open_page: OpenPage) -> None:
    config = small_config(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]
    ask = """async ([url, token]) => {
        const { connect } = await import("/test/kit.js");
        const client = connect(url, { token });
        const errors = [];
        client.on("error", ({ code }) => errors.push(code));
        const outcome = await client.speak("你好。").finished.then(({ outcome }) => outcome, (error) => error.name);
        return { outcome, errors, state: client.state };
    }"""
    async with serving(config) as site:
        page = await open_page(f"{site.url}test/blank.html")
        wrong = await page.evaluate(ask, [site.stream, "wrong"])
        right = await page.evaluate(ask, [site.stream, "right"])
    assert wrong == {"outcome": "ConnectionLostError", "errors": ["unauthorized"], "state": "closed"}
    assert right == {"outcome": "heard", "errors": [], "state": "open"}


async def test_text_as_it_is_written_gives_the_same_sound(site: Site, open_page: OpenPage) -> None:
    text = "一边写，一边说。这样就不必等。"
    wanted = await reference(site, text)
    page = await open_page(f"{site.url}test/blank.html")
    said = await page.evaluate(
        """async ([url, text]) => {
            const { recorded } = await import("/test/kit.js");
            const { client, heard } = await recorded(url, { cushion: { startMs: 300 } });
            async function* written() {
                for (const char of text) {
                    yield char;
                    await new Promise((resolve) => setTimeout(resolve, 20));
                }
            }
            const speech = client.speak(written());
            const { underruns } = await speech.finished;
            await new Promise((resolve) => setTimeout(resolve, 100));
            return { underruns, ...(await heard()) };
        }""",
        [site.stream, text],
    )
    assert said["underruns"] == 0
    assert np.array_equal(played(ints(said["samples"]), wanted), wanted)


async def test_credit_keeps_the_rest_at_the_server(site: Site, open_page: OpenPage) -> None:
    page = await open_page(f"{site.url}test/blank.html")
    most = await page.evaluate(
        """async ([url, text]) => {
            const { connect } = await import("/test/kit.js");
            const client = connect(url);
            const speech = client.speak(text, { window_ms: 500, max_ahead_ms: 0 });
            let most = 0;
            client.on("level", ({ bufferedMs }) => { most = Math.max(most, bufferedMs); });
            await speech.finished;
            return most;
        }""",
        [site.stream, ONE_SENTENCE],
    )
    assert 100 < most <= 500


async def test_a_browser_that_wants_a_gesture_gets_one(site: Site, launch: Launch) -> None:
    """What Playwright evaluates counts as a gesture: the page speaks by itself, and tells by its console."""
    browser = await launch("--autoplay-policy=document-user-activation-required")
    page = await browser.new_page()
    program = """addEventListener("DOMContentLoaded", async () => {
        const { connect } = await import("/test/kit.js");
        const client = connect("URL");
        client.on("blocked", () => console.log("blocked"));
        client.on("unblocked", () => console.log("unblocked"));
        const { outcome } = await client.speak("你好。").finished;
        console.log(outcome);
    });"""
    await page.add_init_script(program.replace("URL", site.stream))
    said: asyncio.Queue[str] = asyncio.Queue()
    page.on("console", lambda message: message.type == "log" and said.put_nowait(message.text))
    await page.goto(f"{site.url}test/blank.html")
    assert await said.get() == "blocked"
    await page.mouse.click(20, 20)
    assert [await said.get(), await said.get()] == ["unblocked", "heard"]
