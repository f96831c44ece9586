"""The page: a form, a player, a line of numbers. The only file that knows Gradio.

Input   voices to choose from; what people do in their browsers
Output  HTML, audio
State   the voices, asked for anew with every page that is loaded
Nothing is fetched from elsewhere and nothing is told to anybody: no web fonts, no analytics, no sharing.

Gradio's own way to stream audio starts one ffmpeg per utterance and encodes what it is handed. Here the
server makes the AAC, so `stream_output` and `combine_stream` of the player are replaced: they hand on bytes,
and no ffmpeg has to be installed.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from clients.demo.adts import FRAME_SAMPLES, frame_ends
from clients.demo.examples import EXAMPLES
from clients.demo.speaking import RATE, Form, speak
from clients.demo.voices import DemoError, Voice, fetch_voices

TITLE = "知音 Zhiyin"
STREAM_NAME = "speech.aac"
MAX_CHARS = 20_000  # of the text field
# Of the machine that shows the page; Gradio's themes would ask Google for theirs.
FONT = ("system-ui", "sans-serif")
MONO_FONT = ("ui-monospace", "monospace")
STYLES = ("emotion_intensity", "speed", "pitch", "volume")


class Page:
    """The page of one server."""

    def __init__(self, url: str, token: str | None, voices: list[Voice]) -> None:
        """Build it."""
        self._url = url
        self._token = token
        self._voices = {voice.name: voice for voice in voices}
        self._blocks = self._build(voices[0])

    def serve(self, host: str, port: int, announce: Callable[[str], None]) -> None:
        """Serve until KeyboardInterrupt; `announce` is given the address once it answers."""
        _, address, _ = self._blocks.launch(
            server_name=host,
            server_port=port,
            theme=gr.themes.Default(font=FONT, font_mono=MONO_FONT),
            share=False,
            inbrowser=False,
            quiet=True,
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            footer_links=["api"],
            prevent_thread_lock=True,
        )
        announce(address)
        try:
            threading.Event().wait()
        finally:
            self._blocks.close(verbose=False)

    def _build(self, first: Voice) -> gr.Blocks:
        with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600)) as blocks:
            gr.Markdown(f"## {TITLE}")
            with gr.Row():
                with gr.Column(scale=3):
                    text = gr.Textbox(EXAMPLES[0], label="Text", lines=5, max_length=MAX_CHARS)
                    with gr.Row():
                        start = gr.Button("Speak", variant="primary")
                        stop = gr.Button("Stop", variant="stop")
                    player = _player()
                    line = gr.Textbox(label="What it cost", interactive=False, lines=1)
                    # Examples would run a chain of their own; clicking one only fills in the text.
                    gr.Examples([[example] for example in EXAMPLES], inputs=[text], label="Examples")
                with gr.Column(scale=2):
                    voice = gr.Dropdown(list(self._voices), value=first.name, label="Voice")
                    of_voice = [
                        gr.Dropdown(list(names), value=names[0], label=label)
                        for label, names in (
                            ("Speaker", _names(first.speakers)),
                            ("Emotion", _names(first.emotions)),
                        )
                    ]
                    of_voice += [
                        gr.Slider(0, 2, 1, step=0.05, label="Intensity of the emotion"),
                        gr.Slider(0.5, 2, 1, step=0.05, label="Speed"),
                        gr.Slider(0.5, 2, 1, step=0.05, label="Pitch"),
                        gr.Slider(0, 100, 50, step=1, label="Volume"),
                    ]
            blocks.load(self._reload, [voice], [voice, *of_voice], api_name="voices")
            voice.input(self._choose, [voice], of_voice, api_name="choose")
            speaking = gr.on(
                [start.click, text.submit],
                self._speak,
                [text, voice, *of_voice],
                [player, line],
                api_name="speak",
                concurrency_limit=None,  # the server decides how many it can take
                trigger_mode="multiple",
                show_progress="hidden",
            )
            stop.click(None, None, None, cancels=[speaking], api_name="stop")
        return blocks

    async def _reload(self, name: str | None) -> list[Any]:
        """Ask the server again: voices come and go while it runs."""
        with _told():
            voices = await fetch_voices(self._url, self._token)
        self._voices = {voice.name: voice for voice in voices}
        chosen = name if name in self._voices else voices[0].name
        return [gr.update(choices=list(self._voices), value=chosen), *self._choose(chosen)]

    def _choose(self, name: str) -> list[Any]:
        """Show what this voice can do, and what it cannot greyed out."""
        voice = self._voices[name]
        updates = [
            gr.update(choices=list(names), value=names[0], interactive=len(names) > 1)
            for names in (_names(voice.speakers), _names(voice.emotions))
        ]
        for control in STYLES:
            low, high = voice.controls.get(control, (None, None))
            limits = {} if low is None else {"minimum": low, "maximum": high}
            updates.append(gr.update(interactive=voice.honours(control), **limits))
        return updates

    async def _speak(
        self,
        text: str,
        voice: str,
        speaker: str,
        emotion: str,
        emotion_intensity: float,
        speed: float,
        pitch: float,
        volume: float,
    ) -> AsyncGenerator[tuple[bytes | None, str], None]:
        """Stream the audio; Gradio closes this when somebody presses Stop or leaves the page."""
        wishes = dict(
            zip(STYLES, (float(emotion_intensity), float(speed), float(pitch), float(volume)), strict=True)
        )
        known = self._voices.get(voice)
        honoured = {name: wish for name, wish in wishes.items() if known is None or known.honours(name)}
        form = Form(text, voice, speaker or None, emotion or None, **honoured)
        with _told():
            progress = speak(self._url, self._token, form)
            try:
                async for step in progress:
                    yield None if step.segment is None else step.segment.data, step.line
            finally:
                await progress.aclose()


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what to choose from: nothing at all would be a broken field."""
    return names or ("",)


class _told:  # noqa: N801 -- reads as a statement
    """Show what DemoError says on the page."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, DemoError):
            raise gr.Error(str(error), duration=None, print_exception=False) from error


def _player() -> gr.Audio:
    """Return a player that is fed with whole ADTS frames."""
    player = gr.Audio(label="Speech", streaming=True, autoplay=True, interactive=False)
    player.stream_output = _stream_output
    player.combine_stream = lambda stream, *_, **__: _combined(stream, player.GRADIO_CACHE)
    return player


async def _stream_output(value: bytes | None, output_id: str, first_chunk: bool) -> tuple[Any, Any]:
    """Return the next segment of the playlist `output_id`, and the file that the page plays."""
    file = {
        "path": output_id,
        "is_stream": True,
        "orig_name": STREAM_NAME,
        "meta": {"_type": "gradio.FileData"},
    }
    if not value:
        return None, file
    duration_s = len(frame_ends(value)) * FRAME_SAMPLES / RATE
    return {"data": value, "duration": duration_s, "extension": ".aac"}, file


async def _combined(stream: list[bytes], folder: str) -> gr.FileData:
    """Return the file to download: the segments, joined, are one."""
    path = save_bytes_to_cache(b"".join(stream), STREAM_NAME, cache_dir=folder)
    return gr.FileData(path=path, orig_name=STREAM_NAME)
