"""The servers that are measured: what the command line calls them, and their adapters.

Input   NAME:KIND=URL, KIND=URL or URL
Output  Target; its adapter
State   none
It does not know what is measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from clients.bench.adapters.adapter import Adapter
from clients.bench.adapters.native import NativeAdapter
from clients.bench.adapters.native_connection import NativeSettings
from clients.python.client import DEFAULT_URL

SCHEMES = {"native": ("ws", "wss"), "openai": ("http", "https")}
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

    token: str | None
    voice: str | None
    speaker: str | None
    model: str
    native_rate: int
    openai_rate: int


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


def parse_targets(texts: list[str], default_url: str = DEFAULT_URL) -> tuple[Target, ...]:
    """Read all --target; without any it is the native server at `default_url`.

    Raises:
        TargetError: One names no server, or two have the same name.
    """
    targets = tuple(parse_target(text) for text in texts or [default_url])
    names = [target.name for target in targets]
    for name in names:
        if names.count(name) > 1:
            raise TargetError(f"two targets are called {name!r}; name them: A:native=URL B:native=URL")
    return targets


def adapter_of(
    target: Target, voice: Voice, timeout_s: float, multiplex: int, clock: Callable[[], float]
) -> Adapter:
    """Return the adapter of a target; nothing is connected yet."""
    if target.kind == "openai":
        # Half a second of imports that a native run does not need.
        from clients.bench.adapters.openai import OpenAIAdapter, OpenAISettings

        return OpenAIAdapter(
            OpenAISettings(
                url=target.url,
                token=voice.token,
                model=voice.model,
                voice=voice.voice or "alloy",
                sample_rate=voice.openai_rate,
                timeout_s=timeout_s,
                clock=clock,
            )
        )
    fields = {"voice": voice.voice, "speaker": voice.speaker, "rate": voice.native_rate}
    return NativeAdapter(NativeSettings(target.url, voice.token, fields, timeout_s, multiplex, clock))
