"""Half an hour of speech, faster than it can be heard: no drift, no growth, every sample."""

from __future__ import annotations

import hashlib

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.listening import reference
from tests.browser.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

RATE = 8000
MINUTES = 30
SENTENCE = "今天天气很好，我们去公园散步吧。明天再去看电影。"

LISTEN = """async ([url, text, rate]) => {
    const { breathe, connect, FakeOutput } = await import("/test/kit.js");
    const output = new FakeOutput(rate);
    const client = connect(url, { output });
    const speech = client.speak(text, { rate, words: true, max_ahead_ms: 0 });
    const found = { words: 0, last: -1, inOrder: true, early: 0, heard: 0 };
    speech.on("word", ({ start, charStart }) => {
        found.words++;
        found.inOrder &&= start >= found.last;
        found.last = start;
        if (start > output.heardFrame()) found.early++;
    });
    globalThis.progress = () => speech.heardSamples;
    globalThis.result = (async () => {
        while (!speech.isOver) if (!(await output.pull(speech.receipt !== null))) await breathe();
        await output.digest();
        const { heardSamples, receipt, underruns } = await speech.finished;
        return { ...found, heardSamples, samples: receipt.samples, underruns, digests: output.digests, maxBuffered: output.maxBuffered };
    })();
}"""


@pytest.mark.timeout(120)
async def test_half_an_hour_is_heard_to_the_sample(site: Site, open_page: OpenPage) -> None:
    one = len(await reference(site, SENTENCE, RATE))
    text = SENTENCE * (MINUTES * 60 * RATE // one + 1)
    pcm = (await reference(site, text, RATE, max_ahead_ms=0)).astype("<i2")
    assert len(pcm) >= MINUTES * 60 * RATE
    page = await open_page(f"{site.url}test/blank.html")
    session = await page.context.new_cdp_session(page)

    async def heap_mb() -> float:
        await session.send("HeapProfiler.collectGarbage")
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return next(m["value"] for m in metrics if m["name"] == "JSHeapUsedSize") / 2**20

    await session.send("Performance.enable")
    await page.evaluate(LISTEN, [site.stream, text, RATE])
    await page.wait_for_function(f"progress() > {len(pcm) // 10}")
    before = await heap_mb()
    await page.wait_for_function(f"progress() > {9 * len(pcm) // 10}", timeout=90_000)
    after = await heap_mb()
    said = await page.evaluate("result")
    print(f"{len(pcm) / RATE / 60:.1f} minutes; heap {before:.2f} MB, then {after:.2f} MB")

    assert said["heardSamples"] == said["samples"] == len(pcm)
    minute = 60 * RATE
    # The last minute ends in the silence of the last block.
    wanted = [
        hashlib.sha256(pcm[at : at + minute].tobytes()).hexdigest() for at in range(0, len(pcm), minute)
    ]
    assert said["digests"][: len(wanted) - 1] == wanted[:-1]
    assert said["underruns"] == 0
    assert said["words"] == sum(char.isalnum() for char in text)
    assert said["inOrder"]
    assert said["early"] == 0
    assert said["maxBuffered"] <= 10.5 * RATE
    assert after - before < 1.0
