"""The voices that a server offers, for people who choose one.

Input   the WebSocket's URL of a server, a token
Output  Voice, the server's default first; DemoError with words for people
State   none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from clients.python.client import LOOPBACK

ASK_S = 10.0
SCHEMES = {"ws": "http", "wss": "https"}
STREAM_PATH = "/v1/stream"


class DemoError(Exception):
    """What went wrong, for the person in front of the page."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What `GET /v1/voices` says of one voice, as far as a form needs it."""

    name: str
    description: str
    speakers: tuple[str, ...]
    emotions: tuple[str, ...]
    controls: Mapping[str, tuple[float, float]]

    def honours(self, control: str) -> bool:
        """Whether the voice can do anything about speed, pitch, volume or emotion_intensity."""
        return control in self.controls


def voices_url(url: str) -> str:
    """Return where the server of a WebSocket lists its voices.

    Raises:
        DemoError: It is no URL of the native protocol.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.path.endswith(STREAM_PATH):
        raise DemoError(f"found {url}; a server's URL is ws://HOST:PORT{STREAM_PATH}")
    path = parts.path.removesuffix("stream") + "voices"
    return urlunsplit((SCHEMES[parts.scheme], parts.netloc, path, "", ""))


async def fetch_voices(url: str, token: str | None) -> list[Voice]:
    """Return the voices that can be used, at least one.

    Raises:
        DemoError: No server answers, it refuses us, or it has no voice.
    """
    address = voices_url(url)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=ASK_S)
    uses_proxy = urlsplit(address).hostname not in LOOPBACK
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=uses_proxy) as session,
            session.get(address) as response,
        ):
            if response.status == 401:
                raise DemoError(f"{url} wants a token: --token, or ZHIYIN_TOKEN")
            if response.status != 200:
                raise DemoError(f"{address} answers {response.status}; is this a Zhiyin server?")
            return _voices(await response.json())
    except aiohttp.ClientConnectorError as error:
        raise DemoError(f"no server answers at {url}; start one with: zhiyin serve") from error
    except TimeoutError as error:
        raise DemoError(f"{address} has not answered for {ASK_S:.0f} s") from error
    except (aiohttp.ClientError, ValueError, KeyError, TypeError) as error:
        raise DemoError(f"cannot read the voices of {address}: {error!r}") from error


def _voices(answer: Mapping[str, Any]) -> list[Voice]:
    described = sorted(answer["voices"], key=lambda voice: not voice["default"])  # stable: the rest as listed
    if not described:
        raise DemoError("the server has no voice that can be used; see: zhiyin voices")
    return [_voice(voice) for voice in described]


def _voice(described: Mapping[str, Any]) -> Voice:
    return Voice(
        name=described["name"],
        description=described["description"],
        speakers=tuple(described["speakers"]),
        emotions=tuple(described["emotions"]),
        controls={name: (low, high) for name, (low, high) in described["controls"].items()},
    )
