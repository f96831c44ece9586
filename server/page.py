"""The page at `/` and the browser client's files under `/browser/`.

Input   HTTP requests; the files of clients/browser, read once at start
Output  the page for browsers, plain text for everybody else, files with their ETag
State   the files
A request names a key of a table and never a path, so there is nothing to traverse. It does not know
what the files do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ETag, hdrs, web

FOLDER = Path(__file__).resolve().parents[1] / "clients" / "browser"
FILES_PATH = "/browser/{name:.+}"
INDEX = "page/index.html"
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}
HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")
HTML_QUALITY = re.compile(r"text/html\s*(?:;[^,]*?q=(?P<quality>[0-9.]+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    content: bytes
    content_type: str
    etag: str


class PageEndpoint:
    """Serves the page. Belongs to one event loop."""

    def __init__(self, welcome: Callable[[web.Request], str], folder: Path = FOLDER) -> None:
        """Read the files; `welcome` makes the text for those who are no browser."""
        self._welcome = welcome
        self._assets = read_assets(folder)

    async def index(self, request: web.Request) -> web.Response:
        """Answer with the page, or with text where HTML was not asked for."""
        if INDEX in self._assets and wants_html(request.headers.get(hdrs.ACCEPT, "")):
            response = self._answer(request, self._assets[INDEX])
        else:
            response = web.Response(text=self._welcome(request))
        response.headers[hdrs.VARY] = hdrs.ACCEPT
        return response

    async def file(self, request: web.Request) -> web.Response:
        """Answer with a file of the browser client.

        Raises:
            HTTPNotFound: There is none of this name.
        """
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        return self._answer(request, asset)

    def _answer(self, request: web.Request, asset: Asset) -> web.Response:
        known = request.if_none_match or ()
        is_known = any(tag.value in (asset.etag, "*") for tag in known)
        response = web.Response(status=304) if is_known else web.Response(body=asset.content)
        if not is_known:
            response.content_type = asset.content_type
            response.charset = "utf-8"
        response.etag = ETag(value=asset.etag)
        response.headers[hdrs.CACHE_CONTROL] = "no-cache"  # ask each time; the ETag makes it cheap
        response.headers["Content-Security-Policy"] = content_policy(request.host)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def read_assets(folder: Path) -> dict[str, Asset]:
    """Return what a browser may ask for, by its name relative to `folder`."""
    paths = (path for place in (folder, folder / "page") for path in sorted(place.glob("*")))
    return {
        path.relative_to(folder).as_posix(): _asset(path)
        for path in paths
        if path.suffix in TYPES and path.is_file()
    }


def wants_html(accept: str) -> bool:
    """Tell whether an `Accept` header names HTML, as those of browsers do; `*/*` does not."""
    found = HTML_QUALITY.search(accept)
    if found is None:
        return False
    try:
        return float(found["quality"] or 1.0) > 0
    except ValueError:
        return False


def content_policy(host: str) -> str:
    """Return the page's policy: everything from here, nothing inline, nothing framed.

    Older Safari does not take `'self'` to include WebSockets, so that the host is named.
    """
    sockets = f" ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        f"connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:32])
