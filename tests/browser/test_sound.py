"""What is heard is what the server sent: every sample, in order, with nothing between."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import soxr

from server.config import LimitConfig, ServerConfig
from tests.browser.conftest import OpenPage
from tests.browser.listening import (
    find,
    first_sound,
    floats,
    frame_at,
    ints,
    largest_step,
    longest_silence,
    played,
    reference,
)
from tests.browser.site import Site, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = "今天天气很好，我们去公园散步吧。"
SPEAK = """async ([url, texts, fields, options]) => {
    const { recorded } = await import("/test/kit.js");
    const { client, context, heard } = await recorded(url, { cushion: { startMs: 300 }, ...options });
    const words = [];
    const visemes = [];
    const speeches = texts.map((text) => client.speak(text, { words: true, visemes: true, ...fields }));
    speeches[0].on("word", (word) => words.push(word));
    speeches[0].on("viseme", (viseme) => visemes.push(viseme));
    const results = [];
    for (const speech of speeches) results.push(await speech.finished);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const said = { results, words, visemes, kind: client.player.output.kind, rate: context.sampleRate, underruns: client.player.underruns };
    return { ...said, ...(await heard()) };
}"""


async def test_the_worklet_plays_exactly_the_samples_of_the_server(site: Site, open_page: OpenPage) -> None:
    wanted = await reference(site, TEXT)
    page = await open_page(f"{site.url}test/blank.html")
    said = await page.evaluate(SPEAK, [site.stream, [TEXT], {}, {}])
    got = played(ints(said["samples"]), wanted)
    assert said["kind"] == "worklet"
    assert np.array_equal(got, wanted)
    assert longest_silence(got) == longest_silence(wanted)
    assert largest_step(got) == largest_step(wanted)
    [result] = said["results"]
    assert result["heardSamples"] == result["receipt"]["samples"] == len(wanted)
    assert (result["outcome"], result["underruns"]) == ("heard", 0)


async def test_utterances_follow_each_other_without_a_gap(site: Site, open_page: OpenPage) -> None:
    texts = ["第一句话。", "第二句话接着说。", "第三句。"]
    parts = [await reference(site, text) for text in texts]
    page = await open_page(f"{site.url}test/blank.html")
    said = await page.evaluate(SPEAK, [site.stream, texts, {}, {}])
    wanted = np.concatenate(parts)
    assert np.array_equal(played(ints(said["samples"]), wanted), wanted)


async def test_more_utterances_than_the_server_takes_at_a_time_wait_for_their_turn(
    open_page: OpenPage,
) -> None:
    config = ServerConfig(limits=LimitConfig(drain_s=0, contexts_per_connection=2))
    texts = ["一。", "二二。", "三。", "四四。", "五。"]
    async with serving(config) as site:
        wanted = np.concatenate([await reference(site, text) for text in texts])
        page = await open_page(f"{site.url}test/blank.html")
        said = await page.evaluate(SPEAK, [site.stream, texts, {}, {}])
        outcomes = await page.evaluate(
            """async ([url, texts]) => {
                const { connect } = await import("/test/kit.js");
                const client = connect(url); // asked before it is connected
                const speeches = texts.map((text) => client.speak(text));
                return (await Promise.all(speeches.map(({ finished }) => finished))).map(({ outcome }) => outcome);
            }""",
            [site.stream, texts],
        )
    assert np.array_equal(played(ints(said["samples"]), wanted), wanted)
    assert outcomes == ["heard"] * len(texts)


async def test_words_are_told_when_they_are_heard(site: Site, open_page: OpenPage) -> None:
    wanted = await reference(site, TEXT)
    page = await open_page(f"{site.url}test/blank.html")
    said = await page.evaluate(
        """async ([url, text]) => {
            const { recorded } = await import("/test/kit.js");
            const { client, context, heard } = await recorded(url, { cushion: { startMs: 300 } });
            const speech = client.speak(text, { words: true });
            const told = [];
            let latency = 0;
            speech.on("word", ({ start }) => {
                told.push([start, context.currentTime * context.sampleRate]);
                latency = Math.max(latency, client.player.output.latencyMs);
            });
            await speech.finished;
            return { told, latency, ...(await heard()) };
        }""",
        [site.stream, TEXT],
    )
    begin = first_sound(floats(said["samples"])) - first_sound(wanted)
    late_ms = [(frame - frame_at(said, begin + sample)) / 24 for sample, frame in said["told"]]
    assert len(late_ms) == sum(char.isalnum() for char in TEXT)
    assert min(late_ms) > -1  # never before the sample has left the worklet
    assert sorted(late_ms)[len(late_ms) // 2] < said["latency"] + 60, late_ms


@pytest.mark.parametrize(("rate", "device"), [(24_000, 44_100), (16_000, 48_000)])
async def test_where_the_device_has_another_rate_it_is_resampled(
    site: Site, open_page: OpenPage, rate: int, device: int
) -> None:
    wanted = await reference(site, TEXT, rate)
    page = await open_page(f"{site.url}test/blank.html")
    said = await page.evaluate(SPEAK, [site.stream, [TEXT], {"rate": rate}, {"contextRate": device}])
    assert said["rate"] == device
    got = floats(said["samples"]).astype(np.float64)
    model = soxr.resample(wanted / 32768, rate, device, "VHQ")
    start = first_sound(np.abs(got) > 1e-3) - first_sound(np.abs(model) > 1e-3)
    errors = []
    for shift in (-2, -1, 0, 1, 2):
        part = got[max(0, start + shift) :][: len(model)]
        errors.append(float(np.sqrt(np.mean((part - model[: len(part)]) ** 2))))
    loudness = float(np.sqrt(np.mean(model**2)))
    assert 20 * np.log10(min(errors) / loudness) < -35
    assert said["results"][0]["heardSamples"] == len(wanted)


@pytest.mark.parametrize(("name", "step"), [("ulaw", 1100), ("alaw", 1100), ("pcm_f32le", 1)])
async def test_the_other_playable_formats_sound_the_same(
    site: Site, open_page: OpenPage, name: str, step: int
) -> None:
    wanted = await reference(site, TEXT, 16_000)
    page = await open_page(f"{site.url}test/blank.html")
    fields = {"format": name, "rate": 16_000}
    said = await page.evaluate(SPEAK, [site.stream, [TEXT], fields, {"defaults": {"rate": 16_000}}])
    got = floats(said["samples"]).astype(np.float64) * 32768
    start = int(np.flatnonzero(np.abs(got) > 500)[0] - np.flatnonzero(np.abs(wanted) > 500)[0])
    assert np.abs(got[start : start + len(wanted)] - wanted).max() <= step


@pytest.mark.parametrize("worklet", [True, False])
async def test_a_cancel_leaves_less_than_50_ms(site: Site, open_page: OpenPage, worklet: bool) -> None:
    page = await open_page(f"{site.url}test/blank.html")
    said = await page.evaluate(
        """async ([url, text, worklet]) => {
            const { recorded } = await import("/test/kit.js");
            const { client, context, heard } = await recorded(url, { worklet });
            const speech = client.speak(text);
            await new Promise((resolve) => speech.on("start", resolve));
            await new Promise((resolve) => setTimeout(resolve, 700));
            const frame = context.currentTime * context.sampleRate;
            speech.cancel();
            const result = await speech.finished;
            await new Promise((resolve) => setTimeout(resolve, 400));
            return { frame, result, latency: client.player.output.latencyMs, ...(await heard()) };
        }""",
        [site.stream, TEXT * 4, worklet],
    )
    samples = floats(said["samples"])
    [sounding] = np.nonzero(samples)
    left_ms = (frame_at(said, sounding[-1]) - said["frame"]) / 24
    assert left_ms < 50
    heard_ms = said["result"]["heardSamples"] / 24
    rendered_ms = (sounding[-1] - sounding[0]) / 24
    assert said["result"]["outcome"] == "cancelled"
    assert rendered_ms - said["latency"] - 120 < heard_ms <= rendered_ms + 1
    steps = np.abs(np.diff(samples[sounding[-1] - 240 :]))
    assert steps.max() <= np.abs(np.diff(samples[sounding[0] + 1 : sounding[-1] - 240])).max()


async def test_an_interruption_leaves_nothing_of_what_it_replaces(site: Site, open_page: OpenPage) -> None:
    following = await reference(site, "好的。")
    page = await open_page(f"{site.url}test/blank.html")
    said = await page.evaluate(
        """async ([url, text]) => {
            const { recorded } = await import("/test/kit.js");
            const { client, context, heard } = await recorded(url, { cushion: { startMs: 150 } });
            const first = client.speak(text);
            const second = client.speak(text);
            await new Promise((resolve) => first.on("start", resolve));
            await new Promise((resolve) => setTimeout(resolve, 300));
            const frame = context.currentTime * context.sampleRate;
            const third = client.speak("好的。", { replaces: "all" });
            const outcomes = [await first.finished, await second.finished, await third.finished].map(({ outcome }) => outcome);
            await new Promise((resolve) => setTimeout(resolve, 200));
            return { frame, outcomes, underruns: client.player.underruns, ...(await heard()) };
        }""",
        [site.stream, TEXT * 4],
    )
    assert said["outcomes"] == ["cancelled", "cancelled", "heard"]
    full = np.round(floats(said["samples"]) * 32768).astype(np.int32)
    begin = find(full, following)
    assert frame_at(said, begin) >= said["frame"]
    assert np.array_equal(full[begin : begin + len(following)], following)
    assert not full[begin + len(following) :].any()


async def test_without_worklets_the_same_samples_are_scheduled(site: Site, open_page: OpenPage) -> None:
    wanted = await reference(site, TEXT)
    page = await open_page(f"{site.url}test/blank.html")
    said = await page.evaluate(SPEAK, [site.stream, [TEXT], {}, {"worklet": False}])
    assert said["kind"] == "scheduled"
    got = played(np.round(floats(said["samples"]) * 32768), wanted)
    assert np.abs(got - wanted).max() <= 1
    assert said["results"][0]["heardSamples"] == len(wanted)


async def test_the_embedded_voice_is_heard_as_python_gets_it(open_page: OpenPage) -> None:
    text = "你好，欢迎使用语音合成服务。"
    async with serving(is_real=True) as site:
        wanted = await reference(site, text)
        page = await open_page(f"{site.url}test/blank.html")
        said = await page.evaluate(SPEAK, [site.stream, [text], {}, {}])
    got = played(ints(said["samples"]), wanted)
    assert np.array_equal(got, wanted)
    assert "".join(word["text"] for word in said["words"]).startswith("你好")
    shapes = said["visemes"]
    assert [shape["name"] for shape in shapes[:2]] == ["nn", "ih"]
    assert [shape["start"] for shape in shapes] == sorted(shape["start"] for shape in shapes)


async def test_two_tabs_hear_each_their_own(site: Site, open_page: OpenPage) -> None:
    texts = ["这是第一页。", "而这是另外一页，更长一些。"]
    pages = [await open_page(f"{site.url}test/blank.html") for _ in texts]
    said = await asyncio.gather(
        *(
            page.evaluate(SPEAK, [site.stream, [text], {}, {}])
            for page, text in zip(pages, texts, strict=True)
        )
    )
    for text, heard in zip(texts, said, strict=True):
        wanted = await reference(site, text)
        assert np.array_equal(played(ints(heard["samples"]), wanted), wanted)
