"""How soon a server forgets clients that are killed while they listen.

`zhiyin serve` and its clients are processes of their own. In each round every client has a text spoken and
plays it; when all hear something, half of them are killed (SIGKILL). Measured is the time until the server
has closed their connections, dropped their streams and holds none of their work, asked for over
`GET /v1/load`; then the rest must hear their texts to the end.

The bar is the time that one block takes: a network call that runs is not interrupted. The last line printed
is one JSON object with every figure. Run with `python -m benchmarks.killed_clients`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import multiprocessing
import os
import random
import shlex
import signal
import statistics
import sys
import time
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from benchmarks.machine import describe_machine
from benchmarks.server import NO_CACHE, running_server

DISTRIBUTIONS = ("zhiyin", "onnxruntime", "numpy", "aiohttp", "uvloop", "websockets")
TEXT = "第{n}位听众正在听一句话，剩下的人会听到最后一个字。"
RATE = 24_000
WINDOW_MS = 400
GIVE_UP_S = 10.0
Figures = dict[str, Any]


def listen(address: str, number: int, pipe: Connection) -> None:
    """Be one client: tell when the first audio is there, play in real time, tell how it ended."""
    url = f"ws://{address}/v1/stream"
    with connect(url, subprotocols=[Subprotocol("tts.v1.json")], compression=None) as socket:
        text = TEXT.format(n=number)
        socket.send(
            json.dumps({"type": "open", "ctx": 1, "text": text, "end": True, "rate": RATE, "window_ms": 400})
        )
        heard = 0
        while True:
            message = socket.recv(GIVE_UP_S)
            if isinstance(message, bytes):
                if not heard:
                    pipe.send("heard")
                n_samples = int.from_bytes(message[16:20], "little")
                heard += n_samples
                played_ms = math.ceil(1000 * n_samples / RATE)
                time.sleep(played_ms / 1000)
                socket.send(json.dumps({"type": "credit", "ctx": 1, "ms": played_ms}))
            elif (kind := json.loads(message)["type"]) in ("done", "error"):
                pipe.send(kind)
                return


class Server:
    """What the server tells of itself, over one kept connection."""

    def __init__(self, address: str) -> None:
        self._http = http.client.HTTPConnection(address, timeout=GIVE_UP_S)

    def load(self) -> Figures:
        """Ask once."""
        self._http.request("GET", "/v1/load")
        found: Figures = json.load(self._http.getresponse())
        return found

    def holds(self) -> tuple[int, int]:
        """Return connections and streams."""
        load = self.load()
        return load["connections"], load["admission"]["streams"]

    def forgets_after_s(self, n_left: int) -> float:
        """Wait until no more than `n_left` connections and streams are left; return how long it took.

        Raises:
            RuntimeError: They are still there after ten seconds.
        """
        begun_s = time.perf_counter()
        while max(found := self.holds()) > n_left:
            if time.perf_counter() - begun_s > GIVE_UP_S:
                raise RuntimeError(f"{found} connections and streams are left of {n_left}")
        return time.perf_counter() - begun_s


def play_round(server: Server, address: str, n_clients: int, number: int) -> tuple[float, list[str]]:
    """Let clients listen, kill half of them; return how long the server held on, and how the others ended."""
    context = multiprocessing.get_context("fork")
    clients: list[tuple[ForkProcess, Connection]] = []
    for index in range(n_clients):
        ours, theirs = context.Pipe()
        process = context.Process(target=listen, args=(address, number * n_clients + index, theirs))
        process.start()
        theirs.close()
        clients.append((process, ours))
    waiting = {pipe for _, pipe in clients}
    while waiting:
        for pipe in wait(list(waiting), GIVE_UP_S):
            assert isinstance(pipe, Connection)
            assert pipe.recv() == "heard"
            waiting.remove(pipe)
    doomed = random.Random(number).sample(range(n_clients), n_clients // 2)
    for index in doomed:
        pid = clients[index][0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    forgotten_s = server.forgets_after_s(n_clients - len(doomed))
    ends = [pipe.recv() for index, (_, pipe) in enumerate(clients) if index not in doomed]
    for process, pipe in clients:
        process.join(GIVE_UP_S)
        pipe.close()
    return forgotten_s, ends


def run(options: argparse.Namespace) -> Figures:
    """Play all rounds."""
    with running_server([], NO_CACHE) as address:
        server = Server(address)
        play_round(server, address, options.clients, 0)  # what a server does once, it does now
        before = server.load()
        forgotten_ms, ends = [], []
        for number in range(1, options.rounds + 1):
            forgotten_s, ended = play_round(server, address, options.clients, number)
            forgotten_ms.append(1000 * forgotten_s)
            ends += ended
            server.forgets_after_s(0)
        after = server.load()
    scheduler = {name: after["scheduler"][name] - before["scheduler"][name] for name in before["scheduler"]}
    return {
        "rounds": options.rounds,
        "clients": options.clients,
        "killed": options.rounds * (options.clients // 2),
        "survivors_done": ends.count("done"),
        "survivors_failed": len(ends) - ends.count("done"),
        "forgotten_p50_ms": round(statistics.median(forgotten_ms), 2),
        "forgotten_max_ms": round(max(forgotten_ms), 2),
        "block_mean_ms": round(1000 * scheduler["busy_s"] / scheduler["finished"], 2),
        "blocks_left": after["scheduler"]["waiting"] + after["scheduler"]["running"],
        "chars_left": after["admission"]["chars"],
        "peak_memory_mb": [before["peak_memory_mb"], after["peak_memory_mb"]],
        "forgotten_ms": [round(value, 2) for value in forgotten_ms],
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.killed_clients", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--clients", type=int, default=8, help="in each round; half of them are killed")
    options = parser.parse_args(arguments)
    machine = describe_machine(DISTRIBUTIONS)
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.killed_clients", *given])
    result = run(options)
    n_clients = result["rounds"] * result["clients"]
    before_mb, after_mb = result["peak_memory_mb"]
    lines = [
        *machine.head(command),
        f"killed    {result['killed']} of {n_clients} clients, in the middle of their speech;"
        f" {result['survivors_done']} others heard theirs to the end",
        f"forgotten after {result['forgotten_p50_ms']} ms (median), {result['forgotten_max_ms']} ms (most)",
        f"block     {result['block_mean_ms']} ms of computing in the mean, 200 ms of speech",
        f"left      {result['blocks_left']} blocks, {result['chars_left']} characters;"
        f" peak memory {before_mb} MB before, {after_mb} MB after",
        json.dumps({"benchmark": "killed_clients", **result, **asdict(machine), "command": command}),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
