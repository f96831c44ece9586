"""Text deltas in, events out: on the fake voice, with real worker threads and no clock of the wall."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine
from streaming.engines.fake import FakeEngine
from streaming.errors import (
    OverloadedError,
    SynthesisError,
    TextTooLongError,
    UnexpectedMessageError,
    UnknownVoiceError,
    UnspeakableTextError,
    VoiceBundleError,
)
from streaming.loaded_voice import LoadedVoice
from streaming.scheduling.scheduler import Scheduler
from streaming.synthesis.engine import NetworkName
from streaming.synthesis.segment import SegmentSynthesis
from streaming.text.pauses import Pauses
from streaming.types import FloatArray, Receipt, Style
from streaming.utterance import (
    AudioReady,
    Event,
    Finished,
    Flushed,
    PendingVoice,
    SegmentStarted,
    TextPolicy,
    Utterance,
    WordsTimed,
)
from streaming.voice import load_manifest
from tests.streaming.doubles import (
    VOICES,
    CharFrontend,
    called,
    collect,
    drain,
    fake_voice,
    joined,
    settle,
    until,
)

TEXT = "你好，欢迎使用语音合成服务。今天天气很好！我们去公园走走吧？好的。"


@pytest.fixture
def pool() -> Iterator[Scheduler]:
    scheduler = Scheduler(2)
    yield scheduler
    scheduler.close()


@pytest.fixture(scope="module")
def onnx_voice() -> LoadedVoice:
    folder = VOICES / "tiny_16k"
    manifest = load_manifest(folder)
    return LoadedVoice(manifest, BundleEngine(folder, manifest), CharFrontend())


@pytest.fixture(params=["fake", "onnx"])
def voice(request: pytest.FixtureRequest, onnx_voice: LoadedVoice) -> LoadedVoice:
    return fake_voice() if request.param == "fake" else onnx_voice


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


class Gate:
    """Holds the engine at one call until it is opened."""

    def __init__(self, network: NetworkName, number: int = 1) -> None:
        self.network, self.left = network, number
        self.reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._open = threading.Event()

    def __call__(self, network: NetworkName) -> None:
        if network == self.network:
            self.left -= 1
            if self.left == 0:
                self._loop.call_soon_threadsafe(self.reached.set)
                assert self._open.wait(30)

    def open(self) -> None:
        self._open.set()


def speak(
    voice: LoadedVoice | PendingVoice,
    pool: Scheduler,
    *,
    style: Style | None = None,
    policy: TextPolicy | None = None,
    clock: Callable[[], float] | None = None,
) -> Utterance:
    style, policy = style or Style(), policy or TextPolicy()
    if clock is None:
        return Utterance(voice, pool, style=style, policy=policy)
    return Utterance(voice, pool, style=style, policy=policy, clock=clock)


async def spoken(
    voice: LoadedVoice, pool: Scheduler, *deltas: str, style: Style | None = None
) -> list[Event]:
    utterance = speak(voice, pool, style=style)
    for delta in deltas:
        utterance.append(delta)
    utterance.end()
    return await collect(utterance)


def receipt(events: list[Event]) -> Receipt:
    assert isinstance(events[-1], Finished)
    return events[-1].receipt


def offline(voice: LoadedVoice, events: list[Event]) -> FloatArray:
    """The same segments, each synthesised at once."""
    audio = []
    for event in events:
        if isinstance(event, SegmentStarted):
            phonemes = voice.frontend.phonemes(event.segment.text)
            assert phonemes is not None
            audio.append(joined(drain(SegmentSynthesis(voice.engine, voice.manifest, phonemes, Style()))))
    return np.concatenate(audio)


async def test_streamed_equals_offline_bit_for_bit(voice: LoadedVoice, pool: Scheduler):
    events = await spoken(voice, pool, TEXT)
    np.testing.assert_array_equal(joined(events), offline(voice, events))


async def test_a_slow_consumer_hears_the_same(voice: LoadedVoice, pool: Scheduler):
    expected = joined(await spoken(voice, pool, TEXT))
    utterance = speak(voice, pool)
    utterance.append(TEXT)
    utterance.end()
    events = []
    async for event in utterance.events():
        events.append(event)
        await settle(len(events) % 5)
    np.testing.assert_array_equal(joined(events), expected)


async def test_any_cut_of_the_text_gives_the_same_audio(pool: Scheduler):
    voice = fake_voice()
    expected = joined(await spoken(voice, pool, TEXT))
    for cut in range(0, len(TEXT) + 1, 3):
        found = joined(await spoken(voice, pool, TEXT[:cut], TEXT[cut:]))
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(joined(await spoken(voice, pool, *TEXT)), expected)


async def test_eight_utterances_at_once_equal_eight_in_sequence(voice: LoadedVoice, pool: Scheduler):
    texts = [TEXT[shift:] + TEXT[:shift] for shift in range(8)]
    expected = [joined(await spoken(voice, pool, text)) for text in texts]
    found = await asyncio.gather(*(spoken(voice, pool, text) for text in texts))
    for events, reference in zip(found, expected, strict=True):
        np.testing.assert_array_equal(joined(events), reference)


async def test_audio_of_the_first_sentence_comes_before_the_text_has_ended(pool: Scheduler):
    utterance = speak(fake_voice(), pool)
    utterance.append("今天天气很好。我")
    events = utterance.events()
    audio = await until(events, AudioReady)
    assert isinstance(audio, AudioReady)
    assert audio.segment_index == 0
    utterance.append("们走吧。")
    utterance.end()
    rest = [event async for event in events]
    assert receipt(rest).segments == 2


async def test_events_come_in_order(pool: Scheduler):
    events = await spoken(fake_voice(), pool, "今天天气很好。我们走吧。")
    kinds = [type(event).__name__ for event in events]
    starts = [index for index, kind in enumerate(kinds) if kind == "SegmentStarted"]
    assert len(starts) == 2
    for start in starts:
        assert kinds[start + 1 : start + 3] == ["WordsTimed", "AudioReady"]
    ends = [event.last_of_segment for event in events if isinstance(event, AudioReady)]
    assert ends.count(True) == 2
    assert ends[-1]
    assert kinds[-1] == "Finished"
    assert kinds.count("Finished") == 1


async def test_words_are_timed_in_samples_and_characters_of_the_utterance(pool: Scheduler):
    text = "今天天气很好。 我们走吧。"
    events = await spoken(fake_voice(), pool, text)
    starts = {e.segment.index: e.start_sample for e in events if isinstance(e, SegmentStarted)}
    total = joined(events).size
    timed = [event for event in events if isinstance(event, WordsTimed)]
    words = [word for event in timed for word in event.words]
    assert [word.text for word in words] == list("今天天气很好我们走吧")
    for word in words:
        assert text[word.char_start : word.char_end] == word.text
        assert word.start_sample < word.end_sample <= total
    assert timed[1].words[0].start_sample == starts[1]
    assert [w.start_sample for w in words] == sorted(w.start_sample for w in words)
    assert [event.end_sample for event in timed] == [starts[1], total]  # with the silence after the words


async def test_a_flush_speaks_the_unfinished_sentence_and_reports_where_it_ends(pool: Scheduler):
    utterance = speak(fake_voice(), pool)
    utterance.append("今天")
    utterance.flush("one")
    utterance.append("明天")
    utterance.flush(2)
    utterance.end()
    events = await collect(utterance)
    flushed = [event for event in events if isinstance(event, Flushed)]
    assert [event.flush_id for event in flushed] == ["one", 2]
    second = next(e for e in events if isinstance(e, SegmentStarted) and e.segment.index == 1)
    assert flushed[0].sample == second.start_sample > 0
    assert flushed[1].sample == joined(events).size
    assert events.index(flushed[0]) < events.index(second)


async def test_a_flush_of_nothing_is_answered(pool: Scheduler):
    utterance = speak(fake_voice(), pool)
    utterance.flush(1)
    utterance.end()
    assert [type(event) for event in await collect(utterance)] == [Flushed, Finished]


@pytest.mark.parametrize("text", ["", "……", "。", " \n", "!?"])
async def test_nothing_speakable_gives_no_audio_but_counts_its_characters(pool: Scheduler, text: str):
    events = await spoken(fake_voice(), pool, text)
    assert [type(event) for event in events] == [Finished]
    result = receipt(events)
    assert (result.samples, result.chars, result.segments) == (0, len(text), 0)
    assert result.ttfc_ms is None


async def test_unspeakable_segments_between_others_are_skipped(pool: Scheduler):
    events = await spoken(fake_voice(), pool, "今天天气很好。\n……\n我们走吧。")
    assert receipt(events).segments == 2
    joined(events)  # without a gap


async def test_text_that_the_voice_cannot_pronounce_is_the_requests_error(pool: Scheduler):
    utterance = speak(fake_voice(), pool)
    utterance.append("あ。")
    utterance.end()
    with pytest.raises(UnspeakableTextError, match="あ"):
        await collect(utterance)
    assert utterance.cancelled


@pytest.mark.parametrize("network", ["encoder", "memory", "decoder", "postnet", "vocoder"])
async def test_a_failing_network_surfaces_and_frees_the_utterance(network: NetworkName):
    pool = Scheduler(1)
    utterance = speak(fake_voice(FakeEngine(fail_at={network: 1})), pool)
    utterance.append(TEXT)
    utterance.end()
    try:
        await collect(utterance)
    except SynthesisError as error:  # not pytest.raises: it would keep the traceback and with it everything
        message = str(error)
    assert message.startswith(network)
    assert await called(pool, lambda: "alive") == "alive"
    observer = weakref.ref(utterance)
    del utterance
    await settle()
    gc.collect()
    assert observer() is None
    pool.close()


async def test_too_much_text_is_refused_and_nothing_of_it_is_added(pool: Scheduler):
    utterance = speak(fake_voice(), pool, policy=TextPolicy(max_chars=10))
    utterance.append("今天天气很好。")
    with pytest.raises(TextTooLongError, match="text has 11 characters; the limit is 10"):
        utterance.append("我们走吧")
    utterance.append("走吧。")
    utterance.end()
    assert receipt(await collect(utterance)).chars == 10


@pytest.mark.parametrize("action", ["append", "flush", "end"])
@pytest.mark.parametrize("over", ["end", "cancel"])
async def test_nothing_is_accepted_after_the_end(pool: Scheduler, action: str, over: str):
    utterance = speak(fake_voice(), pool)
    getattr(utterance, over)()
    with pytest.raises(UnexpectedMessageError, match=f"{action} is not allowed"):
        getattr(utterance, action)(*([] if action == "end" else ["x"]))


async def test_an_unknown_speaker_is_refused_at_once(pool: Scheduler):
    with pytest.raises(UnknownVoiceError, match="bach"):
        speak(fake_voice(), pool, style=Style(speaker="bach"))


async def test_cancel_stops_after_the_running_call(pool: Scheduler):
    gate = Gate("decoder", 3)
    engine = FakeEngine(before_call=gate)
    utterance = speak(fake_voice(engine), pool)
    utterance.append(TEXT)
    utterance.end()
    consumer = asyncio.create_task(collect(utterance))
    await gate.reached.wait()
    calls = len(engine.calls)
    utterance.cancel()
    utterance.cancel()
    assert [type(event) for event in await consumer] == []  # it does not wait for the running call
    gate.open()
    await asyncio.to_thread(pool.close)  # waits for the running block
    # At its third decoder step; the first block takes six (grid of the fake voice), which are one call.
    assert engine.calls[calls:] == ["decoder"] * 3


async def test_cancel_between_two_events_ends_the_stream_without_a_receipt(pool: Scheduler):
    engine = FakeEngine()
    utterance = speak(fake_voice(engine), pool)
    utterance.append(TEXT)
    utterance.end()
    events = utterance.events()
    await until(events, AudioReady)
    calls = len(engine.calls)
    utterance.cancel()
    assert [event async for event in events] == []
    assert len(engine.calls) == calls


async def test_cancel_wakes_a_consumer_that_waits_for_text(pool: Scheduler):
    utterance = speak(fake_voice(), pool)
    consumer = asyncio.create_task(collect(utterance))
    await settle()
    utterance.cancel()
    assert await consumer == []


async def test_a_cancelled_block_that_waits_for_a_thread_never_runs():
    pool = Scheduler(1)
    gate = Gate("encoder")
    blocker = speak(fake_voice(FakeEngine(before_call=gate)), pool)
    blocker.append(TEXT)
    blocking = asyncio.create_task(collect(blocker))
    await gate.reached.wait()
    engine = FakeEngine()
    waiting = speak(fake_voice(engine), pool)
    waiting.append(TEXT)
    consumer = asyncio.create_task(collect(waiting))
    await settle()
    assert pool.statistics().waiting == 1
    waiting.cancel()
    assert await consumer == []
    blocker.cancel()
    gate.open()
    await blocking
    pool.close()
    assert engine.calls == []


async def test_cancelling_the_consumers_task_cancels_the_utterance(pool: Scheduler):
    gate = Gate("decoder", 2)
    utterance = speak(fake_voice(FakeEngine(before_call=gate)), pool)
    utterance.append(TEXT)
    consumer = asyncio.create_task(collect(utterance))
    await gate.reached.wait()
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    gate.open()
    assert utterance.cancelled


async def test_a_cancelled_utterance_leaves_nothing_behind(pool: Scheduler):
    voice = fake_voice()
    utterance = speak(voice, pool)
    utterance.append(TEXT)
    events = utterance.events()
    await until(events, AudioReady)
    observer = weakref.ref(utterance)
    utterance.cancel()
    await events.aclose()  # type: ignore[attr-defined]
    await called(pool, lambda: None)
    del utterance, events
    await settle()
    gc.collect()
    assert observer() is None


async def test_nothing_is_computed_ahead_of_the_consumer(pool: Scheduler):
    engine = FakeEngine()
    utterance = speak(fake_voice(engine), pool)
    utterance.append(TEXT)
    events = utterance.events()
    await until(events, AudioReady)
    await settle()
    assert engine.calls.count("vocoder") == 1
    await until(events, AudioReady)
    assert engine.calls.count("vocoder") == 2
    utterance.cancel()


async def test_silence_of_the_writer_speaks_the_unfinished_sentence(pool: Scheduler):
    clock = Clock()
    utterance = speak(fake_voice(), pool, policy=TextPolicy(max_delay_ms=400), clock=clock)
    utterance.append("今天")
    clock.now_s += 0.4
    events = utterance.events()
    started = await until(events, SegmentStarted)
    assert isinstance(started, SegmentStarted)
    assert started.segment.text == "今天"
    utterance.append("明天")
    utterance.end()
    rest = receipt([event async for event in events])
    assert rest.ttfc_ms == pytest.approx(400.0)  # our waiting is counted


async def test_the_delay_starts_anew_with_every_append_and_fires_once(pool: Scheduler):
    clock = Clock()
    utterance = speak(fake_voice(), pool, policy=TextPolicy(max_delay_ms=400), clock=clock)
    utterance.append("今天")
    clock.now_s += 0.3
    utterance.append("很好")
    consumer = asyncio.create_task(collect(utterance))
    await settle()
    assert pool.statistics().finished == 0
    utterance.end()
    events = await consumer
    assert receipt(events).segments == 1


async def test_a_real_timer_fires_the_delay(pool: Scheduler):
    utterance = speak(fake_voice(), pool, policy=TextPolicy(max_delay_ms=1))
    utterance.append("今天")
    started = await until(utterance.events(), SegmentStarted)
    assert isinstance(started, SegmentStarted)
    utterance.cancel()


async def test_without_a_delay_an_unfinished_sentence_waits(pool: Scheduler):
    clock = Clock()
    engine = FakeEngine()
    utterance = speak(fake_voice(engine), pool, clock=clock)
    utterance.append("今天")
    consumer = asyncio.create_task(collect(utterance))
    clock.now_s += 1e6
    await settle()
    assert engine.calls == []
    utterance.end()
    assert receipt(await consumer).segments == 1


async def test_the_receipt_adds_up(pool: Scheduler):
    utterance = speak(fake_voice(), pool)
    utterance.append(TEXT)
    utterance.end()
    events = []
    async for event in utterance.events():
        if isinstance(event, AudioReady):
            utterance.note_first_audio_sent()
        events.append(event)
    result = receipt(events)
    assert result.samples == joined(events).size
    assert result.chars == len(TEXT)
    assert result.segments == sum(isinstance(event, SegmentStarted) for event in events)
    assert result.ttfc_ms is not None
    assert result.queue_ms is not None
    assert result.total_ms >= result.ttfc_ms >= result.queue_ms >= 0.0
    stages = result.stages
    assert min(stages.frontend_ms, stages.encoder_ms, stages.decoder_ms, stages.vocoder_ms) > 0.0
    assert result.rtf == pytest.approx(stages.total_ms / (1000 * result.samples / 16_000))


async def test_a_full_queue_is_told_as_overload():
    pool = Scheduler(1, max_waiting=1)
    gate = Gate("encoder")
    first = speak(fake_voice(FakeEngine(before_call=gate)), pool)
    first.append(TEXT)
    tasks = [asyncio.create_task(collect(first))]
    await gate.reached.wait()
    second = speak(fake_voice(), pool)
    second.append(TEXT)
    tasks.append(asyncio.create_task(collect(second)))
    await settle()
    third = speak(fake_voice(), pool)
    third.append(TEXT)
    with pytest.raises(OverloadedError):
        await collect(third)
    first.cancel()
    second.cancel()
    gate.open()
    await asyncio.gather(*tasks)
    pool.close()


async def test_events_can_be_consumed_once(pool: Scheduler):
    utterance = speak(fake_voice(), pool)
    utterance.end()
    await collect(utterance)
    with pytest.raises(RuntimeError, match="once"):
        await collect(utterance)


# -- a voice that is not loaded yet ----------------------------------------------------------


def to_come(load: asyncio.Future[LoadedVoice]) -> PendingVoice:
    async def loaded() -> LoadedVoice:
        return await load

    return PendingVoice(fake_voice().manifest, loaded)


async def test_text_is_taken_while_the_voice_is_loaded_and_the_wait_counts_as_time_to_first_audio(
    pool: Scheduler,
):
    clock, load = Clock(), asyncio.get_running_loop().create_future()
    utterance = speak(to_come(load), pool, clock=clock)
    utterance.append("你好。")
    speaking = asyncio.create_task(collect(utterance))
    await settle()
    utterance.append("再见。")
    utterance.end()
    clock.now_s += 2.0
    load.set_result(fake_voice())
    events = await speaking
    assert receipt(events).ttfc_ms == 2000.0
    np.testing.assert_array_equal(
        joined(events), joined(await spoken(fake_voice(), pool, "你好。", "再见。"))
    )


async def test_cancel_ends_an_utterance_whose_voice_is_still_being_loaded(pool: Scheduler):
    utterance = speak(to_come(asyncio.get_running_loop().create_future()), pool)
    utterance.append("你好。")
    speaking = asyncio.create_task(collect(utterance))
    await settle()
    utterance.cancel()
    assert await asyncio.wait_for(speaking, 30) == []


async def test_a_cancelled_utterance_has_no_voice_loaded(pool: Scheduler):
    async def never() -> LoadedVoice:
        raise AssertionError

    utterance = speak(PendingVoice(fake_voice().manifest, never), pool)
    utterance.cancel()
    assert await collect(utterance) == []


async def test_a_voice_that_cannot_be_loaded_is_the_error_of_its_utterance(pool: Scheduler):
    load = asyncio.get_running_loop().create_future()
    load.set_exception(VoiceBundleError("bad graph"))
    with pytest.raises(VoiceBundleError, match="bad graph"):
        await collect(speak(to_come(load), pool))


async def test_a_style_is_refused_before_the_voice_is_loaded(pool: Scheduler):
    with pytest.raises(UnknownVoiceError, match="no speaker 'bach'"):
        speak(to_come(asyncio.get_running_loop().create_future()), pool, style=Style(speaker="bach"))


async def paused(pool: Scheduler, text: str, *, ssml: bool = False) -> tuple[list[Event], list[int]]:
    """Return the events, and the silence (ms) before every segment."""
    policy = TextPolicy(pauses=Pauses(sentence_ms=200, paragraph_ms=500), ssml=ssml)
    utterance = speak(fake_voice(), pool, policy=policy)
    utterance.append(text)
    utterance.end()
    events = await collect(utterance)
    silences: list[int] = []
    silent, position, starts = 0, 0, False
    for event in events:
        if isinstance(event, SegmentStarted):
            assert event.start_sample == position
            starts = True
        elif isinstance(event, AudioReady):
            assert event.start_sample == position
            position += event.samples.size
            silent += int(np.flatnonzero(event.samples)[0]) if event.samples.any() else event.samples.size
            if event.samples.any():
                silences += [1000 * silent // fake_voice().manifest.sample_rate] * starts
                starts, silent = False, 0
    assert receipt(events).samples == position
    return events, silences


@pytest.mark.parametrize(
    ("text", "silences"),
    [
        ("今天好。明天好。", [0, 200]),
        ("今天好。\n\n明天好。", [0, 500]),
        ("今天好。😀\n\n明天好。……", [0, 500]),  # nothing after the last word
    ],
)
async def test_sentences_are_parted_by_silence(pool: Scheduler, text: str, silences: list[int]) -> None:
    events, heard = await paused(pool, text)
    assert heard == silences
    last = events[-2]
    assert isinstance(last, AudioReady)
    assert last.samples.any()


async def test_a_break_takes_the_place_of_the_pause(pool: Scheduler) -> None:
    _, heard = await paused(
        pool, "<speak>今天好。<break time='1s'/>明天好。<break time='0s'/>后天好。</speak>", ssml=True
    )
    assert heard == [0, 1000, 0]


async def test_words_after_a_pause_are_heard_when_they_say(pool: Scheduler) -> None:
    events, _ = await paused(pool, "今天好。明天好。")
    starts = [event.start_sample for event in events if isinstance(event, SegmentStarted)]
    words = [event.words[0].start_sample for event in events if isinstance(event, WordsTimed)]
    pause = fake_voice().manifest.sample_rate * 200 // 1000
    assert words == [starts[0], starts[1] + pause]
