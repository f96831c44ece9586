from __future__ import annotations

from server.rendering import Sound
from server.wyoming.audio import CHUNK_BYTES, SentenceAudio, WholeAudio
from server.wyoming.framing import WyomingEvent


def kinds(events: list[WyomingEvent]) -> list[str]:
    return [event.type for event in events]


def events_of(audio: WholeAudio, *sounds: Sound) -> list[WyomingEvent]:
    return [event for sound in sounds for event in audio.push(sound)] + audio.flush()


SOUNDS = (
    Sound(bytes(3200), 0, ends_segment=False),
    Sound(bytes(6400), 0, ends_segment=True),
    Sound(bytes(3200), 1, ends_segment=True),
)


def test_a_whole_text_starts_and_stops_once() -> None:
    assert kinds(events_of(WholeAudio(16000), *SOUNDS)) == [
        "audio-start", "audio-chunk", "audio-chunk", "audio-chunk", "audio-stop",
    ]  # fmt: skip


def test_sentences_start_and_stop_each_and_the_end_is_said() -> None:
    assert kinds(events_of(SentenceAudio(16000), *SOUNDS)) == [
        "audio-start", "audio-chunk", "audio-chunk", "audio-stop",
        "audio-start", "audio-chunk", "audio-stop",
        "synthesize-stopped",
    ]  # fmt: skip


def test_where_nothing_is_heard_the_end_is_said_all_the_same() -> None:
    assert kinds(events_of(WholeAudio(16000))) == ["audio-start", "audio-stop"]
    assert kinds(events_of(SentenceAudio(16000))) == ["synthesize-stopped"]


def test_a_sentence_that_was_left_open_is_stopped() -> None:
    assert kinds(events_of(SentenceAudio(16000), SOUNDS[0]))[-2:] == ["audio-stop", "synthesize-stopped"]


def test_every_event_has_the_format_and_times_go_on_over_sentences() -> None:
    events = events_of(SentenceAudio(16000), *SOUNDS)
    formats = {(e.data["rate"], e.data["width"], e.data["channels"]) for e in events if "rate" in e.data}
    assert formats == {(16000, 2, 1)}
    assert [event.data["timestamp"] for event in events[:-1]] == [0, 0, 100, 300, 300, 300, 400]


def test_long_audio_is_cut() -> None:
    data = bytes(range(256)) * 80
    chunks = WholeAudio(16000).push(Sound(data, 0, ends_segment=False))[1:]
    assert max(len(chunk.payload) for chunk in chunks) == CHUNK_BYTES
    assert b"".join(chunk.payload for chunk in chunks) == data
