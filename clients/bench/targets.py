"""The servers that are measured: what the command line calls them, and their adapters.

Input   NAME:KIND=URL, KIND=URL or URL
Output  Target; its adapter
State   none
It does not know what is measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from clients.bench.adapters.adapter import Adapter
from clients.bench.adapters.dashscope import DashScopeSettings, dashscope_connect
from clients.bench.adapters.elevenlabs import ElevenLabsSettings, elevenlabs_connect
from clients.bench.adapters.lines import Connect, LineAdapter
from clients.bench.adapters.native import NativeAdapter
from clients.bench.adapters.native_connection import NativeSettings
from clients.bench.adapters.wyoming import WyomingSettings, wyoming_connect
from clients.python.client import DEFAULT_URL
from clients.python.speech import DEFAULT_RATE

SCHEMES = {
    "native": ("ws", "wss"),
    "http": ("http", "https"),
    "openai": ("http", "https"),
    "dashscope": ("ws", "wss"),
    "elevenlabs": ("ws", "wss"),
    "wyoming": ("tcp",),
}
WHOLE_TEXTS = ("http", "openai")  # these protocols cannot take a text as it is written
MODELS = {"openai": "tts-1", "dashscope": "cosyvoice-v2", "elevenlabs": "eleven_flash_v2_5"}
VOICES = {"openai": "alloy", "dashscope": "longxiaochun_v2"}  # where the protocol wants one
# Where each is on a server of ours; Wyoming has a port of its own, which is usually this.
PATHS = {
    "native": "/v1/stream",
    "http": "/v1/tts",
    "openai": "/v1/audio/speech",
    "dashscope": "/api-ws/v1/inference",
    "elevenlabs": "/v1/text-to-speech/alloy/stream-input",
}
WYOMING_PORT = 10200
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")  # it becomes a label in plots and pages


class TargetError(Exception):
    """It names no server."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server to measure."""

    name: str
    kind: str
    url: str

    @property
    def public_url(self) -> str:
        """Return the URL without what may be secret in it."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))

    @property
    def host(self) -> str:
        """Return host and port."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Voice:
    """How the targets are to speak; None leaves it to the server."""

    token: str | None = None
    voice: str | None = None
    speaker: str | None = None
    model: str | None = None
    rate: int = DEFAULT_RATE
    openai_rate: int = DEFAULT_RATE


def parse_target(text: str) -> Target:
    """Read one --target.

    Raises:
        TargetError: The kind is unknown, or the URL is none of that kind.
    """
    head, equals, url = text.partition("=")
    if not equals or "://" in head:
        head, url = "native", text
    name, colon, kind = head.rpartition(":")
    name = name if colon else kind
    if kind not in SCHEMES:
        raise TargetError(f"unknown kind {kind!r} in {text!r}; known: {', '.join(SCHEMES)}")
    if not NAME.fullmatch(name):
        raise TargetError(f"the name {name!r} of a target may have letters, digits and _.- only")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in SCHEMES[kind] and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise TargetError(f"{url!r} is no URL of a {kind} target: {'://... or '.join(SCHEMES[kind])}://...")
    return Target(name, kind, url)


def target_on(kind: str, native_url: str) -> Target:
    """Return a protocol of the server of ours that speaks the native one at `native_url`."""
    parts = urlsplit(native_url)
    if kind == "wyoming":
        return Target(kind, kind, f"tcp://{parts.hostname}:{WYOMING_PORT}")
    scheme = SCHEMES[kind][parts.scheme == "wss"]
    return Target(kind, kind, urlunsplit((scheme, parts.netloc, PATHS[kind], "", "")))


def parse_targets(
    texts: list[str], default_url: str = DEFAULT_URL, protocols: Sequence[str] = ()
) -> tuple[Target, ...]:
    """Read all --target, and after them --protocol; without any it is the native server at `default_url`.

    Raises:
        TargetError: One names no server, or two have the same name.
    """
    if not (texts or protocols):
        texts = [default_url]
    given = [parse_target(text) for text in texts]
    targets = (*given, *(target_on(kind, default_url) for kind in protocols))
    names = [target.name for target in targets]
    for name in names:
        if names.count(name) > 1:
            raise TargetError(f"two targets are called {name!r}; name them: A:native=URL B:native=URL")
    return targets


def adapter_of(
    target: Target, voice: Voice, timeout_s: float, multiplex: int, clock: Callable[[], float]
) -> Adapter:
    """Return the adapter of a target; nothing is connected yet."""
    match target.kind:
        case "native":
            fields = {"voice": voice.voice, "speaker": voice.speaker, "rate": voice.rate}
            return NativeAdapter(NativeSettings(target.url, voice.token, fields, timeout_s, multiplex, clock))
        case "http" | "openai":
            # Half a second of imports that the others do not need.
            from clients.bench.adapters.http_pcm import HttpAdapter, HttpSettings

            text_field, fields = http_fields(target.kind, voice)
            rate = voice.openai_rate if target.kind == "openai" else voice.rate
            return HttpAdapter(
                HttpSettings(target.url, voice.token, text_field, fields, rate, timeout_s, clock)
            )
        case _:
            return LineAdapter(_connect(target, voice, timeout_s), voice.rate, clock)


def http_fields(kind: str, voice: Voice) -> tuple[str, dict[str, Any]]:
    """Return what the text is called in a request of this kind, and what else is in it."""
    if kind == "openai":
        return "input", {
            "model": voice.model or MODELS[kind],
            "voice": voice.voice or VOICES[kind],
            "response_format": "pcm",
            "stream_format": "audio",
        }
    names = {"voice": voice.voice, "speaker": voice.speaker}
    chosen = {key: name for key, name in names.items() if name}
    return "text", {**chosen, "format": "pcm", "rate": voice.rate}


def _connect(target: Target, voice: Voice, timeout_s: float) -> Connect:
    """Return what opens connections of a protocol that has an utterance on each."""
    url, token, kind = target.url, voice.token, target.kind
    if kind == "wyoming":
        return wyoming_connect(WyomingSettings(url, voice.voice, voice.speaker, timeout_s))
    model = voice.model or MODELS[kind]
    if kind == "elevenlabs":
        return elevenlabs_connect(ElevenLabsSettings(url, token, model, voice.rate, timeout_s))
    speaks = voice.voice or VOICES[kind]
    return dashscope_connect(DashScopeSettings(url, token, model, speaks, voice.rate, timeout_s))
