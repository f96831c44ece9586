"""Run the server as a process: start, tell where it is, stop cleanly.

Input   the configuration, signals
Output  a listening server; one `ready` line for people and for scripts
State   none after it returns
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from server.app import BACKEND, NATIVE, WYOMING, build_app
from server.backend import Backend, start_backend
from server.config import ServerConfig
from server.native import PATH
from server.wyoming.server import WyomingServer
from streaming.errors import ConfigError

logger = logging.getLogger(__name__)

HTTP_SHUTDOWN_S = 5.0  # for HTTP requests that are still being answered; WebSockets were ended before
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


async def serve(config: ServerConfig, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then stop cleanly; a second signal kills.

    `announce` gets the lines that tell where the server is.

    Raises:
        ConfigError: No voice can speak, or the address cannot be listened on.
    """
    stop = _stop_on_signal()
    backend = await asyncio.to_thread(start_backend, config)
    runner = web.AppRunner(build_app(backend), access_log=None, shutdown_timeout=HTTP_SHUTDOWN_S)
    await runner.setup()
    try:
        address = await _listen(runner, config)
        await _listen_to_wyoming(runner.app[WYOMING], config)
        announce(_where(address, runner.app[WYOMING], backend))
        await stop.wait()
        logger.info("stopping")
    finally:
        await shut_down(runner)
        logger.info("stopped")


async def shut_down(runner: web.AppRunner) -> None:
    """Stop serving, in steps; each is bounded in time."""
    # 1. Take no new connections.
    runner.app[WYOMING].stop_listening()
    for site in list(runner.sites):
        await site.stop()
    # 2. End the WebSockets with 1001; who speaks may finish within `limits.drain_s`. This comes
    #    before the runner's cleanup, which begins by ignoring everything that clients send.
    app = runner.app
    backend = app[BACKEND]
    drain_s = backend.config.limits.drain_s
    await asyncio.gather(app[NATIVE].close(drain_s), backend.door.close(drain_s))
    # 3. Finish HTTP requests, 4. stop the worker threads (the application's cleanup).
    await runner.cleanup()


def run(config: ServerConfig, announce: Callable[[str], None]) -> None:
    """Run `serve` on uvloop, where there is one.

    Raises:
        ConfigError: See `serve`.
    """
    if sys.platform == "win32":
        asyncio.run(serve(config, announce))
    else:
        import uvloop

        uvloop.run(serve(config, announce))


def _stop_on_signal() -> asyncio.Event:
    """Return an event that the first SIGINT or SIGTERM sets; later ones act as usual."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def on_signal() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    if sys.platform != "win32":  # there, Ctrl-C cancels `serve`, whose cleanup is the same
        for number in signals:
            loop.add_signal_handler(number, on_signal)
    return stop


async def _listen(runner: web.AppRunner, config: ServerConfig) -> str:
    """Listen and return `host:port` with the real port."""
    site = web.TCPSite(runner, config.host, config.port)
    try:
        await site.start()
    except OSError as error:
        hint = "is another server running? try --port 0" if config.port else "check --host"
        reason = error.strerror or str(error)
        raise ConfigError(f"cannot listen on {config.host}:{config.port}: {reason} ({hint})") from None
    return _address(config.host, runner.addresses[0][1])


async def _listen_to_wyoming(server: WyomingServer, config: ServerConfig) -> None:
    port = config.wyoming.port
    if port is None:
        return
    if config.auth.tokens:
        logger.warning("wyoming.port: this protocol has no tokens; whoever reaches the port may speak")
    try:
        await server.listen(config.host, port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"wyoming.port: cannot listen on {config.host}:{port}: {reason}") from None


def _address(host: str, port: int) -> str:
    """Return what a client on this machine connects to."""
    host = WILDCARDS.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def typed_command(program: Path, on_path: str | None) -> str:
    """Return what to type to run `zhiyin` again: its name where the shell finds it, else its path.

    Args:
        program: How this process was started (`sys.argv[0]`).
        on_path: What the shell finds under `zhiyin`, if anything.
    """
    if program.name != "zhiyin" or on_path is not None:
        return "zhiyin"
    return os.path.relpath(program)


def _where(address: str, wyoming: WyomingServer, backend: Backend) -> str:
    command = typed_command(Path(sys.argv[0]), shutil.which("zhiyin"))
    url = f"ws://{address}{PATH}"
    voices = ", ".join(backend.library.names)
    return (
        f"ready: http://{address}\n"
        f"  voices     {voices}\n"
        f"  WebSocket  {url}\n"
        f"{_where_wyoming(wyoming, backend.config.host)}"
        f'  try        {command} say "你好，欢迎使用语音合成服务。" -o hello.wav --stats --url {url}\n'
    )


def _where_wyoming(server: WyomingServer, host: str) -> str:
    return "" if server.port is None else f"  Wyoming    tcp://{_address(host, server.port)}\n"
