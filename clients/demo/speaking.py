"""Speak what a form says, and tell what it cost.

Input   a Form, the server's URL
Output  Progress: the next audio, a line for people
State   one connection per utterance, for as long as it lasts
It does not know Gradio. Whoever stops iterating early cancels the utterance.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from websockets.exceptions import InvalidHandshake, InvalidURI

from clients.demo.adts import AdtsError, Segment, SegmentCutter
from clients.demo.voices import DemoError
from clients.python.client import Client, ConnectionLostError, SpeakOptions
from clients.python.playback import PlaybackClock, PlaybackStats
from clients.python.wire import Done, ProtocolError, ServerError

RATE = 24000
FORMAT = "aac"  # what browsers stream; the server makes it, so that the page needs no ffmpeg


@dataclass(frozen=True, slots=True)
class Form:
    """What a person filled in; None leaves it to the voice."""

    text: str
    voice: str | None = None
    speaker: str | None = None
    emotion: str | None = None
    emotion_intensity: float | None = None
    speed: float | None = None
    pitch: float | None = None
    volume: float | None = None

    def options(self) -> SpeakOptions:
        """Return what is asked of the server."""
        return SpeakOptions(
            voice=self.voice,
            speaker=self.speaker,
            emotion=self.emotion,
            emotion_intensity=self.emotion_intensity,
            speed=self.speed,
            pitch=self.pitch,
            volume=self.volume,
            rate=RATE,
            format=FORMAT,
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """The next audio, if there is any, and what to tell."""

    segment: Segment | None
    line: str


async def speak(url: str, token: str | None, form: Form) -> AsyncGenerator[Progress, None]:
    """Yield audio as it is made; the last line is the receipt.

    Closing the generator, or cancelling who waits for it, cancels the utterance at the server.

    Raises:
        DemoError: Nothing to say, no server, or it refused.
    """
    if not form.text.strip():
        raise DemoError("there is no text to speak")
    try:
        async with Client(url, token=token) as client, client.speak(form.text, form.options()) as speech:
            clock, cutter = PlaybackClock(RATE, FORMAT), SegmentCutter(RATE)
            async for chunk in speech:
                if speech.sent_s is not None:
                    clock.note_request(speech.sent_s)
                clock.note_chunk(chunk)
                for segment in cutter.push(chunk.pcm):
                    yield Progress(segment, _line(clock.stats(), speech.done))
            for segment in cutter.flush():
                yield Progress(segment, _line(clock.stats(), speech.done))
            yield Progress(None, _line(clock.stats(), speech.done))
    except ServerError as error:
        raise DemoError(error.message) from error
    except (OSError, InvalidURI, InvalidHandshake, TimeoutError) as error:
        raise DemoError(f"no server answers at {url}") from error
    except (ProtocolError, ConnectionLostError, AdtsError) as error:
        raise DemoError(str(error)) from error


def _line(stats: PlaybackStats, done: Done | None) -> str:
    """Return what it cost, as seen from here; RTF and leading silence are in the server's receipt."""
    if stats.ttfc_ms is None:
        return "nothing was spoken"
    ttfc = f"TTFC {stats.ttfc_ms:.0f} ms"
    if done is None:
        return f"{ttfc} · speaking"
    audible = "-"
    if done.audible_ttfc_ms is not None and done.ttfc_ms is not None:
        audible = f"{stats.ttfc_ms + done.audible_ttfc_ms - done.ttfc_ms:.0f} ms"
    rtf = "-" if done.rtf is None else f"{done.rtf:.3f}"
    cached = " · from the cache" if done.cached else ""
    return (
        f"{ttfc} · audible TTFC {audible} · RTF {rtf} · underruns {stats.underruns} · "
        f"{done.samples / RATE:.1f} s of audio{cached}"
    )
