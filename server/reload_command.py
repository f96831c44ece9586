"""`zhiyin voices reload`: tell a running server to look at its folders again.

Input   the server's address, a token
Output  what the server found, as text
State   none
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import ProxyHandler, Request, build_opener

from streaming.errors import ConfigError

RELOAD_PATH = "/v1/voices/reload"
TIMEOUT_S = 5.0
SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}  # also what `zhiyin say` takes
NOT_OURS = "this does not answer as a zhiyin server does"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def reload_voices(url: str, token: str) -> str:
    """Ask the server and return its answer, a line per kind of news.

    Args:
        url: The server's address, http or ws; a path is ignored.
        token: "" where the server wants none.

    Raises:
        ConfigError: The address cannot be used, no server answers, or it refuses.
    """
    address = _reload_url(url)
    request = Request(address, data=b"", method="POST")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    opener = build_opener(ProxyHandler({} if urlsplit(address).hostname in LOOPBACK else None))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as response:
            return _report(json.load(response))
    except HTTPError as error:
        with error:
            raise ConfigError(f"{address}: {_refusal(error)}") from None
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise ConfigError(f"no server answers at {address}: {reason}") from None
    except (ValueError, LookupError, TypeError, AttributeError):  # no JSON, or other JSON than ours
        raise ConfigError(f"{address}: {NOT_OURS}") from None


def _reload_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc:
        raise ConfigError(f"url: found {url!r}; allowed: http://HOST:PORT")
    return urlunsplit((SCHEMES[parts.scheme], parts.netloc, RELOAD_PATH, "", ""))


def _refusal(answer: HTTPError) -> str:
    """Return what the server says, or what the status means if it says nothing of ours."""
    try:
        return str(json.load(answer)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return f"{answer.code} {HTTPStatus(answer.code).phrase}; {NOT_OURS}"


def _report(found: Mapping[str, Any]) -> str:
    lines = [f"{kind}: {', '.join(found[kind])}" for kind in ("added", "removed", "changed") if found[kind]]
    lines += [f"! {name}: {reason}" for name, reason in found["broken"].items()]
    return "\n".join(lines or ["nothing has changed"]) + "\n"
