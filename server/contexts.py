"""The live utterances of one connection: performs what the conversation decides.

Input   actions of the conversation
Output  contexts and their tasks; control messages to the outbox; news to the conversation
State   the live contexts by number
It does not know the socket or how messages are read. Everything here is immediate: no method
waits, so that the reader can call it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from server.backend import Backend
from server.context import Context, ContextSettings, error_message
from server.conversation import Action, Conversation, Finish, Grant, Refuse, Speak, SpeakNow, Start, Stop
from server.framing import Codec
from server.lanes import Outbox
from server.messages import Open, ServerMessage, check_format
from server.packing import OutputFormat
from streaming.errors import StreamError, SynthesisError
from streaming.types import Style

logger = logging.getLogger(__name__)

Speech = Start | Speak | SpeakNow | Finish | Grant


@dataclass(frozen=True, slots=True)
class _Live:
    context: Context
    task: asyncio.Task[None]


class Contexts:
    """Starts, feeds and stops utterances. Belongs to one event loop."""

    def __init__(
        self,
        backend: Backend,
        conversation: Conversation,
        outbox: Outbox,
        codec: Codec,
        *,
        label: str,
        key: str,
        on_over: Callable[[], None],
    ) -> None:
        """Prepare; `on_over` is called whenever an utterance is no longer live."""
        self._key = key
        self._backend = backend
        self._conversation = conversation
        self._outbox = outbox
        self._codec = codec
        self._label = label
        self._on_over = on_over
        self._live: dict[int, _Live] = {}

    def __len__(self) -> int:
        return len(self._live)

    def perform(self, actions: list[Action], tasks: asyncio.TaskGroup) -> None:
        """Do what the conversation decided, in order; new utterances become tasks of `tasks`.

        A refusal found here (unknown voice, too much text) goes back to the conversation and out
        as `error`; the rest of the actions for that utterance is void.
        """
        for action in actions:
            match action:
                case Refuse():
                    self._refuse(action)
                case Stop():
                    self._stop(action)
                case Start() | Speak() | SpeakNow() | Finish() | Grant():
                    self._try_speech(action, tasks)

    def drop_all(self, outcome: str) -> None:
        """Stop every utterance without a word to the client."""
        for ctx in list(self._live):
            self._drop(ctx, outcome)

    def _try_speech(self, action: Speech, tasks: asyncio.TaskGroup) -> None:
        ctx = action.request.ctx if isinstance(action, Start) else action.ctx
        try:
            if isinstance(action, Start):
                self._start(action.request, tasks)
            elif ctx in self._live:  # not if its start was refused a moment ago
                _continue(self._live[ctx].context, action)
        except StreamError as error:
            self._refuse(self._conversation.refuse(ctx, error))
        except Exception:  # the outer edge of an utterance, on its text side
            logger.exception("%s/%d failed on a message", self._label, ctx)
            self._refuse(self._conversation.refuse(ctx, SynthesisError("failed")))

    def _start(self, request: Open, tasks: asyncio.TaskGroup) -> None:
        encoding = check_format(request)
        voice = self._backend.voice(request.voice, request.model, request.language)
        utterance = self._backend.utterance(
            voice,
            _style(request),
            key=self._key,
            max_delay_ms=request.max_delay_ms,
            sentence_pause_ms=request.sentence_pause_ms,
            paragraph_pause_ms=request.paragraph_pause_ms,
            max_ahead_ms=request.max_ahead_ms,
            lexicon=request.lexicon,
            ssml=request.ssml,
        )
        audio = self._backend.config.audio
        settings = ContextSettings(
            ctx=request.ctx,
            label=f"{self._label}/{request.ctx}",
            voice=voice.manifest.name,
            voice_rate=voice.manifest.sample_rate,
            output=OutputFormat(encoding, audio.first_frame_ms, audio.frame_ms),
            words=request.words,
            phonemes=request.phonemes,
            visemes=request.visemes,
            window_ms=audio.window_ms if request.window_ms is None else request.window_ms,
            idle_s=self._backend.config.limits.context_idle_s,
        )
        ctx = request.ctx
        context = Context(
            settings,
            utterance,
            self._outbox.lane(),
            self._codec,
            lambda failed: self._over(ctx, failed),
            self._backend.encoders,
        )
        self._live[ctx] = _Live(context, tasks.create_task(context.run(), name=settings.label))

    def _stop(self, stop: Stop) -> None:
        outcome = "cancelled" if stop.played is None else f"cancelled played={stop.played}"
        live = self._drop(stop.ctx, outcome)
        if live is not None:
            self._say(live.context.cancelled_message())

    def _refuse(self, refusal: Refuse) -> None:
        self._drop(refusal.ctx, refusal.error.code)
        self._say(error_message(refusal.error, refusal.ctx))

    def _over(self, ctx: int, failed: bool) -> None:
        """Forget an utterance whose last message is about to be written."""
        del self._live[ctx]
        if failed:
            self._conversation.failed(ctx)
        else:
            self._conversation.finished(ctx)
        self._on_over()

    def _drop(self, ctx: int, outcome: str) -> _Live | None:
        """Stop an utterance now: no frame of it leaves after this."""
        live = self._live.pop(ctx, None)
        if live is not None:
            live.context.lane.close()
            live.context.utterance.cancel()
            live.task.cancel()
            live.context.log_outcome(outcome)
            self._on_over()
        return live

    def _say(self, message: ServerMessage) -> None:
        self._outbox.say(self._codec.encode(message))


def _continue(context: Context, action: Speak | SpeakNow | Finish | Grant) -> None:
    context.note_alive()
    match action:
        case Speak():
            context.utterance.append(action.text)
        case SpeakNow():
            context.utterance.flush(action.flush_id)
        case Finish():
            context.finish_text()
        case Grant():
            context.grant(action.ms)


def _style(request: Open) -> Style:
    return Style(
        speaker=request.speaker,
        emotion=request.emotion,
        emotion_intensity=request.emotion_intensity,
        speed=request.speed,
        pitch=request.pitch,
        volume=request.volume,
        seed=request.seed,
    )
