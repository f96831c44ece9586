"""Segments that several utterances speak: the same samples, computed once, whoever comes or leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields, replace

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine
from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import SynthesisError, UnknownVoiceError, UnspeakableTextError
from streaming.events import AudioReady, Event, Finished, SegmentStarted, TextPolicy, WordsTimed
from streaming.loaded_voice import LoadedVoice
from streaming.scheduling.cache import SegmentCache
from streaming.scheduling.scheduler import Scheduler
from streaming.speech import Speaker, canonical_style
from streaming.types import Phonemes, Receipt, Style
from streaming.utterance import Utterance
from streaming.voice import load_manifest
from tests.streaming.doubles import (
    VOICES,
    CharFrontend,
    NetworkGate,
    called,
    collect,
    fake_voice,
    joined,
    settle,
    until,
)

TEXT = "你好，欢迎使用语音合成服务。今天天气很好！"
SENTENCE = "今天天气很好。"


@pytest.fixture
def pool() -> Iterator[Scheduler]:
    scheduler = Scheduler(2)
    yield scheduler
    scheduler.close()


@pytest.fixture
def cache() -> SegmentCache:
    return SegmentCache(10_000_000)


@pytest.fixture(scope="module")
def onnx_voice() -> LoadedVoice:
    folder = VOICES / "tiny_16k"
    manifest = load_manifest(folder)
    return LoadedVoice(manifest, BundleEngine(folder, manifest), CharFrontend())


@pytest.fixture(params=["fake", "onnx"])
def voice(request: pytest.FixtureRequest, onnx_voice: LoadedVoice) -> LoadedVoice:
    return fake_voice() if request.param == "fake" else onnx_voice


class CountingFrontend(CharFrontend):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def phonemes(self, text: str) -> Phonemes | None:
        self.texts.append(text)
        return super().phonemes(text)


def speak(
    voice: LoadedVoice,
    pool: Scheduler,
    cache: SegmentCache | None,
    text: str = TEXT,
    style: Style | None = None,
) -> Utterance:
    utterance = Utterance(voice, pool, style=style or Style(), policy=TextPolicy(), cache=cache)
    utterance.append(text)
    utterance.end()
    return utterance


async def spoken(
    voice: LoadedVoice,
    pool: Scheduler,
    cache: SegmentCache | None,
    text: str = TEXT,
    style: Style | None = None,
) -> list[Event]:
    return await collect(speak(voice, pool, cache, text, style))


def receipt(events: list[Event]) -> Receipt:
    assert isinstance(events[-1], Finished)
    return events[-1].receipt


def told(events: list[Event]) -> list[Event]:
    """What was said beside the audio and the receipt."""
    return [event for event in events if isinstance(event, SegmentStarted | WordsTimed)]


# -- the same bits ---------------------------------------------------------------------------


async def test_cached_audio_and_word_times_are_those_of_the_first_time(
    voice: LoadedVoice, pool: Scheduler, cache: SegmentCache
):
    plain, first, second = [await spoken(voice, pool, kept) for kept in (None, cache, cache)]
    for events in (first, second):
        np.testing.assert_array_equal(joined(events), joined(plain))
        assert told(events) == told(plain)


@pytest.mark.parametrize("n_readers", [2, 3])
async def test_utterances_at_once_hear_the_same_of_one_synthesis(
    voice: LoadedVoice, pool: Scheduler, n_readers: int
):
    expected = joined(await spoken(voice, pool, None))
    cache = SegmentCache(10_000_000)
    found = await asyncio.gather(*(spoken(voice, pool, cache) for _ in range(n_readers)))
    for events in found:
        np.testing.assert_array_equal(joined(events), expected)
    assert cache.statistics().misses == receipt(found[0]).segments


@pytest.mark.parametrize("pattern", [(1, 3), (3, 1), (2, 0, 1), (0, 5, 2)])
async def test_readers_at_different_speeds_hear_the_same(
    pool: Scheduler, cache: SegmentCache, pattern: tuple[int, ...]
):
    voice = fake_voice()
    expected = joined(await spoken(voice, pool, None))

    async def slowly(turns: int) -> list[Event]:
        events = []
        async for event in speak(voice, pool, cache).events():
            events.append(event)
            await settle(turns)
        return events

    for events in await asyncio.gather(*map(slowly, pattern)):
        np.testing.assert_array_equal(joined(events), expected)


# -- one synthesis ---------------------------------------------------------------------------


async def test_two_identical_requests_at_once_cost_one_synthesis(pool: Scheduler, cache: SegmentCache):
    alone = FakeEngine()
    await spoken(fake_voice(alone), pool, None)
    engine = FakeEngine()
    voice = fake_voice(engine)
    await asyncio.gather(spoken(voice, pool, cache), spoken(voice, pool, cache))
    assert sorted(engine.calls) == sorted(alone.calls)


async def test_a_hit_skips_the_frontend_the_networks_and_the_workers(pool: Scheduler, cache: SegmentCache):
    engine, frontend = FakeEngine(), CountingFrontend()
    voice = LoadedVoice(fake_manifest(), engine, frontend)
    await spoken(voice, pool, cache)
    before = len(engine.calls), len(frontend.texts), pool.statistics().finished
    await spoken(voice, pool, cache)
    assert (len(engine.calls), len(frontend.texts), pool.statistics().finished) == before


async def test_a_sentence_that_comes_twice_in_a_text_is_computed_once(pool: Scheduler, cache: SegmentCache):
    engine = FakeEngine()
    events = await spoken(fake_voice(engine), pool, cache, SENTENCE * 3)
    assert engine.calls.count("encoder") == 1
    assert (receipt(events).segments, receipt(events).cached_segments) == (3, 2)
    first, *others = [event.start_sample for event in events if isinstance(event, SegmentStarted)]
    assert first == 0
    assert others == [joined(events).size // 3, 2 * joined(events).size // 3]


async def test_cached_audio_leaves_turns_to_others(pool: Scheduler, cache: SegmentCache):
    voice = fake_voice()
    n_blocks = sum(isinstance(event, AudioReady) for event in await spoken(voice, pool, cache))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    busy = asyncio.create_task(other())
    await spoken(voice, pool, cache)
    busy.cancel()
    assert turns >= n_blocks


async def test_who_waits_for_anothers_block_occupies_no_thread(cache: SegmentCache):
    pool, gate = Scheduler(2), NetworkGate("decoder")
    voice = fake_voice(FakeEngine(before_call=gate))
    consumers = [asyncio.create_task(spoken(voice, pool, cache, SENTENCE)) for _ in range(4)]
    await asyncio.to_thread(gate.reached.wait, 30)
    assert await called(pool, lambda: "free") == "free"
    gate.opened.set()
    found = await asyncio.gather(*consumers)
    assert len({joined(events).tobytes() for events in found}) == 1
    pool.close()


async def test_nobody_queues_for_a_block_that_is_being_computed(cache: SegmentCache):
    pool, gate = Scheduler(1), NetworkGate("decoder")
    voice = fake_voice(FakeEngine(before_call=gate))
    computing = asyncio.create_task(spoken(voice, pool, cache, SENTENCE))
    await asyncio.to_thread(gate.reached.wait, 30)
    listening = asyncio.create_task(spoken(voice, pool, cache, SENTENCE))
    await settle()
    assert (pool.statistics().running, pool.statistics().waiting) == (1, 0)
    gate.opened.set()
    assert joined(await listening).tobytes() == joined(await computing).tobytes()
    pool.close()


# -- receipts --------------------------------------------------------------------------------


async def test_the_receipt_tells_what_was_cached_and_that_it_cost_nothing(
    pool: Scheduler, cache: SegmentCache
):
    first = await spoken(fake_voice(), pool, cache)
    second = await spoken(fake_voice(), pool, cache)
    assert (receipt(first).cached_segments, receipt(second).cached_segments) == (0, receipt(first).segments)
    assert receipt(second).stages.total_ms == 0.0
    assert receipt(second).rtf == 0.0
    for events, cached in ((first, False), (second, True)):
        assert {event.cached for event in events if isinstance(event, AudioReady)} == {cached}


async def test_who_computes_a_block_pays_for_it(pool: Scheduler, cache: SegmentCache):
    voice = fake_voice()
    first, second = (speak(voice, pool, cache, SENTENCE).events() for _ in range(2))
    await until(first, AudioReady)
    early = await until(second, AudioReady)
    assert isinstance(early, AudioReady)
    assert early.cached
    rest = [event async for event in second], [event async for event in first]
    by_second, by_first = (receipt(events) for events in rest)
    assert by_first.stages.encoder_ms > 0.0 == by_second.stages.encoder_ms
    assert by_second.stages.decoder_ms > 0.0
    assert (by_first.cached_segments, by_second.cached_segments) == (0, 0)


# -- leaving ---------------------------------------------------------------------------------


async def first_audio(events: AsyncIterator[Event]) -> AudioReady:
    audio = await until(events, AudioReady)
    assert isinstance(audio, AudioReady)
    return audio


async def test_the_first_is_cancelled_and_the_second_hears_everything(pool: Scheduler, cache: SegmentCache):
    gate, expected = NetworkGate("vocoder"), joined(await spoken(fake_voice(), pool, None, SENTENCE))
    voice = fake_voice(FakeEngine(before_call=gate))
    one = speak(voice, pool, cache, SENTENCE)
    computing = asyncio.create_task(collect(one))
    await asyncio.to_thread(gate.reached.wait, 30)
    listening = asyncio.create_task(spoken(voice, pool, cache, SENTENCE))
    await settle()
    one.cancel()
    assert await computing == []
    gate.opened.set()
    np.testing.assert_array_equal(joined(await listening), expected)
    assert cache.statistics().entries == 1


async def test_who_waits_for_anothers_block_can_be_cancelled(pool: Scheduler, cache: SegmentCache):
    gate = NetworkGate("decoder")
    voice = fake_voice(FakeEngine(before_call=gate))
    computing = asyncio.create_task(spoken(voice, pool, cache, SENTENCE))
    await asyncio.to_thread(gate.reached.wait, 30)
    two = speak(voice, pool, cache, SENTENCE)
    waiting = asyncio.create_task(collect(two))
    await settle()
    two.cancel()
    assert await waiting == []
    gate.opened.set()
    assert receipt(await computing).samples > 0


async def test_a_segment_that_all_have_left_stops_after_the_running_call_and_is_not_kept(cache: SegmentCache):
    pool, gate, engine = Scheduler(2), NetworkGate("decoder"), FakeEngine()
    engine.before_call = gate
    voice = fake_voice(engine)
    both = [speak(voice, pool, cache, SENTENCE) for _ in range(2)]
    consumers = [asyncio.create_task(collect(utterance)) for utterance in both]
    await asyncio.to_thread(gate.reached.wait, 30)
    calls = len(engine.calls)
    for utterance in both:
        utterance.cancel()
    assert await asyncio.gather(*consumers) == [[], []]
    gate.opened.set()
    await called(pool, lambda: None)
    assert (cache.statistics().filling, cache.statistics().entries) == (0, 0)
    events = await spoken(voice, pool, cache, SENTENCE)  # begun anew
    assert receipt(events).cached_segments == 0
    await asyncio.to_thread(pool.close)
    networks = [network for network in engine.calls[calls:] if network != "decoder"]
    assert networks[0] == "encoder"  # after the decoder steps that are one call


async def test_a_consumer_that_goes_away_leaves_the_segment(pool: Scheduler, cache: SegmentCache):
    events = speak(fake_voice(), pool, cache).events()
    await first_audio(events)
    assert cache.statistics().filling == 1
    await events.aclose()  # type: ignore[attr-defined]
    assert cache.statistics().filling == 0


# -- failures --------------------------------------------------------------------------------


async def test_a_failure_reaches_all_who_share_it_and_the_next_request_tries_anew(
    pool: Scheduler, cache: SegmentCache
):
    gate = NetworkGate("decoder")
    voice = fake_voice(FakeEngine(before_call=gate, fail_at={"decoder": 1}))
    sharing = [asyncio.create_task(spoken(voice, pool, cache, SENTENCE)) for _ in range(3)]
    await asyncio.to_thread(gate.reached.wait, 30)
    await settle()
    gate.opened.set()
    errors = await asyncio.gather(*sharing, return_exceptions=True)
    assert [type(error) for error in errors] == [SynthesisError] * 3
    assert receipt(await spoken(voice, pool, cache, SENTENCE)).samples > 0


async def test_text_that_cannot_be_pronounced_is_asked_about_each_time(pool: Scheduler, cache: SegmentCache):
    frontend = CountingFrontend()
    voice = LoadedVoice(fake_manifest(), FakeEngine(), frontend)
    for _ in range(2):
        with pytest.raises(UnspeakableTextError, match="あ"):
            await spoken(voice, pool, cache, "あ。")
    assert len(frontend.texts) == 2


# -- the key ---------------------------------------------------------------------------------


def key(style: Style, voice: LoadedVoice | None = None) -> object:
    return Speaker(voice or fake_voice(), style, SegmentCache(0), float).key(SENTENCE)


OTHER = Style("low-sine", "happy", 0.5, 1.25, 1.5, 60.0, 7)


@pytest.mark.parametrize("name", [each.name for each in fields(Style)])
def test_every_field_of_the_style_is_in_the_key(name: str):
    changed = replace(Style(), **{name: getattr(OTHER, name)})
    assert getattr(changed, name) != getattr(Style(), name)
    assert key(changed) != key(Style())


@pytest.mark.parametrize(
    "same", [Style(speaker="sine"), Style(emotion="neutral"), Style(emotion="emotion_neutral")]
)
def test_other_names_for_the_same_sound_are_the_same_key(same: Style):
    assert key(same) == key(Style())


def test_an_alias_of_an_emotion_is_that_emotion():
    assert key(Style(emotion="cheerful")) == key(Style(emotion="happy")) != key(Style(emotion="sad"))


def test_a_voice_without_emotions_has_a_key_too():
    bare = fake_manifest().model_copy(update={"emotions": {}})
    assert canonical_style(bare, Style()).emotion == ""


def test_an_unknown_speaker_has_no_key():
    with pytest.raises(UnknownVoiceError, match="nobody"):
        key(Style(speaker="nobody"))


async def test_a_changed_voice_of_the_same_name_is_not_answered_from_the_cache(
    pool: Scheduler, cache: SegmentCache
):
    before = fake_voice()
    after = LoadedVoice(
        before.manifest.model_copy(update={"sha256": {"decoder.onnx": "0" * 64}}),
        FakeEngine(),
        CharFrontend(),
    )
    assert key(Style(), before) != key(Style(), after)
    await spoken(before, pool, cache)
    assert receipt(await spoken(after, pool, cache)).cached_segments == 0
