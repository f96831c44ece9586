"""Drive `zhiyin demo` with gradio_client: choose, speak, be refused, stop."""

from __future__ import annotations

import base64
import json
import sys
import time

import gradio
import httpx
from gradio_client import Client
from gradio_client.exceptions import AppError

STYLE = (1, 1, 1, 50)


def main(port: int, server_port: int, text: str) -> None:
    here = f"http://127.0.0.1:{port}"
    client = Client(here, verbose=False, download_files=False)
    report: dict[str, object] = {"version": gradio.__version__}
    report["config"] = {key: client.config.get(key) for key in ("analytics_enabled", "is_space")}
    report["external"] = [
        word
        for path in ("/theme.css", "/")
        for word in httpx.get(here + path).text.split()
        if "google" in word
    ]
    report["voices"] = client.predict("shanquan", api_name="/voices")

    job = client.submit(text, "shanquan", "shanquan", "neutral", *STYLE, api_name="/speak")
    steps = list(job)
    player = steps[-1][0]
    report["lines"] = [step[1] for step in steps]
    playlist = httpx.get(player["url"]).text
    names = [line for line in playlist.splitlines() if line and not line.startswith("#")]
    folder = player["url"].rpartition("/")[0]
    segments = [httpx.get(f"{folder}/{name}").content for name in names]
    report["playlist"] = playlist
    report["first"] = len(segments[0])
    report["segments"] = base64.b64encode(b"".join(segments)).decode()
    report["download"] = base64.b64encode(httpx.get(f"{folder}/playlist-file").content).decode()

    happy = client.predict(text, "shanquan", "shanquan", "happy", 1.5, 1, 1, 50, api_name="/speak")
    report["happy"] = happy[1]
    report["refused"] = refusal(client)
    report["stopped"] = stopped(client, server_port)
    print(json.dumps(report))


def refusal(client: Client) -> str:
    try:
        client.predict(" ", "shanquan", "shanquan", "neutral", *STYLE, api_name="/speak")
    except AppError as error:
        return str(error)
    return ""


def stopped(client: Client, server_port: int) -> dict[str, float]:
    """Stop in the middle of minutes of speech; return how long the server went on."""
    long_text = "很长的一段话，怎么说也说不完。" * 500
    job = client.submit(long_text, "shanquan", "shanquan", "neutral", *STYLE, api_name="/speak")
    while not job.outputs():
        time.sleep(0.02)
    streams = n_streams(server_port)
    began_s = time.monotonic()
    job.cancel()
    while n_streams(server_port) and time.monotonic() < began_s + 30:
        time.sleep(0.02)
    return {"streams": streams, "after": n_streams(server_port), "took_s": time.monotonic() - began_s}


def n_streams(server_port: int) -> int:
    load = httpx.get(f"http://127.0.0.1:{server_port}/v1/load").json()
    return int(load["admission"]["streams"])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
