/**
 * What is playing, to look at: the waveform of the last seconds and the level of the buffer.
 *
 * Input   the player's last node; its reports
 * Output  a canvas, figures
 * State   the peaks of the last seconds
 */

import { find } from "./dom.js";

const BARS = 160;
const BAR_MS = 25;
const FULL_MS = 4000; // the server computes so far ahead
const FLOOR = 0.015;

export class Stage {
  /** @param {import("../client.js").Client} client */
  constructor(client) {
    this._client = client;
    this._canvas = find("wave", HTMLCanvasElement);
    this._buffer = find("buffer", HTMLElement);
    this._peaks = new Float32Array(BARS);
    this._at = 0;
    this._peak = 0;
    this._nextMs = 0;
    this._bufferedMs = 0;
    this._quietBars = BARS;
    this._isDrawing = false;
    /** @type {AnalyserNode | null} */
    this._analyser = null;
    this._samples = new Float32Array(1024);
    client.on("level", ({ bufferedMs, playing }) => this._level(bufferedMs, playing));
    client.on("cushion", ({ ms }) => {
      find("cushion", HTMLElement).textContent = String(Math.round(ms));
    });
    client.on("underrun", ({ count }) => {
      find("underruns", HTMLElement).textContent = String(count);
    });
    client.on("blocked", () => this._block(true));
    client.on("unblocked", () => this._block(false));
    new ResizeObserver(() => this._fit()).observe(this._canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this._draw());
    this._fit();
  }

  /** Paint again: the colours changed. */
  repaint() {
    this._draw();
  }

  /** @param {boolean} blocked */
  _block(blocked) {
    find("blocked", HTMLElement).hidden = !blocked;
  }

  /** @param {number} bufferedMs @param {boolean} playing */
  _level(bufferedMs, playing) {
    this._bufferedMs = bufferedMs;
    this._buffer.textContent = String(Math.round(bufferedMs));
    if (playing) this._quietBars = 0;
    if (this._isDrawing) return;
    this._isDrawing = true;
    requestAnimationFrame((now) => this._tick(now));
  }

  /** @param {number} now */
  _tick(now) {
    this._listen();
    if (now >= this._nextMs) {
      this._nextMs = now + BAR_MS;
      this._peaks[this._at] = this._peak;
      this._at = (this._at + 1) % BARS;
      this._quietBars = this._peak > 0 ? 0 : this._quietBars + 1;
      this._peak = 0;
      this._draw();
    }
    this._isDrawing = this._quietBars < BARS;
    if (this._isDrawing) requestAnimationFrame((next) => this._tick(next));
  }

  _listen() {
    const { node, context } = this._client.player;
    if (!node || !context) return;
    if (!this._analyser) {
      this._analyser = context.createAnalyser();
      this._analyser.fftSize = this._samples.length;
      node.connect(this._analyser);
    }
    this._analyser.getFloatTimeDomainData(this._samples);
    for (const sample of this._samples) this._peak = Math.max(this._peak, Math.abs(sample));
  }

  _fit() {
    const { clientWidth, clientHeight } = this._canvas;
    const scale = devicePixelRatio || 1;
    this._canvas.width = Math.round(clientWidth * scale);
    this._canvas.height = Math.round(clientHeight * scale);
    this._draw();
  }

  _draw() {
    const { width, height } = this._canvas;
    const context = this._canvas.getContext("2d");
    if (!context || !width) return;
    const style = getComputedStyle(this._canvas);
    const [ink, seal, line] = ["--ink-soft", "--seal", "--line"].map((name) => style.getPropertyValue(name));
    context.clearRect(0, 0, width, height);
    const gauge = Math.max(2, Math.round(height / 36));
    const middle = (height - 4 * gauge) / 2;
    const step = width / BARS;
    for (let i = 0; i < BARS; i++) {
      const peak = Math.max(FLOOR, this._peaks[(this._at + i) % BARS]);
      const half = Math.min(1, peak ** 0.7) * middle * 0.95;
      context.fillStyle = peak > FLOOR ? (i > BARS - 4 ? seal : ink) : line;
      context.beginPath();
      context.roundRect(i * step + step * 0.22, middle - half, step * 0.56, 2 * half, step * 0.28);
      context.fill();
    }
    context.fillStyle = line;
    context.fillRect(0, height - gauge, width, gauge);
    context.fillStyle = seal;
    context.fillRect(0, height - gauge, width * Math.min(1, this._bufferedMs / FULL_MS), gauge);
  }
}
