"""`zhiyin demo`: a page in the browser, served from here, that speaks through a running server.

Input   arguments
Output  a web page; an exit status: 0 fine, 1 could not do it, 2 wrong usage
State   none after it returns
Gradio is imported when everything else is known to be there, and told beforehand to keep to itself.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import socket
import sys
from collections.abc import Sequence

from clients.demo.voices import DemoError, fetch_voices
from clients.python.client import DEFAULT_URL

MAX_PORT = 65535
DEFAULT_PORT = 7860  # where Gradio's users look
# Gradio asks itself whether it is up, by HTTP: not through a proxy.
HERE = "127.0.0.1,localhost"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C."""
    parsed = _parser().parse_args(argv)
    if importlib.util.find_spec("gradio") is None:
        return _fail("the demo needs gradio: pip install 'zhiyin[gradio]'")
    try:
        voices = asyncio.run(fetch_voices(parsed.url, parsed.token))
        port = _free_port(parsed.host, parsed.port)
        _silence()
        from clients.demo.page import Page

        page = Page(parsed.url, parsed.token, voices)
        page.serve(parsed.host, port, lambda address: _say(f"ready: {address}\n"))
    except DemoError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        pass  # how it ends
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zhiyin demo",
        description="A page in the browser that speaks what one types, through a running server.",
    )
    parser.add_argument("--url", default=os.environ.get("ZHIYIN_URL", DEFAULT_URL), help=DEFAULT_URL)
    parser.add_argument("--token", default=os.environ.get("ZHIYIN_TOKEN"), help="or ZHIYIN_TOKEN")
    parser.add_argument("--host", default="127.0.0.1", help="address of the page (127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help=f"TCP port; 0 takes a free one ({DEFAULT_PORT})"
    )
    return parser


def _free_port(host: str, port: int) -> int:
    """Return `port`, or a free one for 0.

    Raises:
        DemoError: It cannot be listened on.
    """
    if not 0 <= port <= MAX_PORT:
        raise DemoError(f"found port {port}; allowed is 0 to {MAX_PORT}")
    try:
        with socket.create_server((host, port)) as taken:
            return int(taken.getsockname()[1])
    except OSError as error:
        reason = error.strerror or error
        raise DemoError(f"cannot listen on {host}:{port}: {reason}; --port 0 takes a free one") from error


def _silence() -> None:
    """Set what Gradio and what it brings along read when they are imported."""
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1"
    )
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), HERE)))


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _fail(message: str) -> int:
    sys.stderr.write(f"zhiyin demo: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
