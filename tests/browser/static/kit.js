/** What the tests do inside the page. */
import { connect } from "/browser/index.js";
import { PlaybackQueue } from "/browser/ring.js";

/** A client whose sound is recorded on its way to the loudspeaker; `url` may be a proxy's. */
export async function recorded(url, options = {}) {
  const rate = options.defaults?.rate ?? 24_000;
  const context = new AudioContext({ sampleRate: options.contextRate ?? rate });
  await context.audioWorklet.addModule("/test/tap.js");
  const tap = new AudioWorkletNode(context, "tap", { numberOfInputs: 1, outputChannelCount: [1], channelCount: 1, channelCountMode: "explicit" });
  tap.connect(context.destination);
  const client = connect(url, { ...options, context, destination: tap });
  await client.prepare();
  /** Everything so far, base64 of float32, and the frame at which each 128 samples of it start. */
  const heard = () =>
    new Promise((resolve) => {
      tap.port.onmessage = ({ data }) => resolve({ ...data, samples: packed(data.samples) });
      tap.port.postMessage("all");
    });
  return { client, context, heard };
}

/** Float32Array to base64, which crosses to Python faster than a list. */
export function packed(samples) {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(text);
}

/** A loudspeaker that is as fast as it is driven: its clock is the number of samples that were pulled. */
export class FakeOutput {
  constructor(rate) {
    this.rate = rate;
    this.kind = "fake";
    this.latencyMs = 0;
    this.maxBuffered = 0;
    this.digests = [];
    this._queue = new PlaybackQueue(rate);
    this._block = new Float32Array(rate / 10);
    this._minute = new Int16Array(60 * rate);
    this._filled = 0;
    this._onReport = () => {};
  }

  heardFrame() {
    return this._queue.frame;
  }

  listen(onReport) {
    this._onReport = onReport;
  }

  post(order) {
    this._queue.take(order);
  }

  close() {}

  /** Play a tenth of a second, if it is there or `isLast`; returns whether it was. */
  async pull(isLast) {
    const before = this._queue.report();
    this._onReport(before);
    this.maxBuffered = Math.max(this.maxBuffered, before.buffered);
    if (before.buffered <= this._block.length && !isLast) return false; // at the very end it would run dry
    this._queue.render(this._block);
    for (const sample of this._block) this._minute[this._filled++] = Math.round(sample * 32768);
    if (this._filled === this._minute.length) await this.digest();
    this._onReport(this._queue.report());
    return true;
  }

  /** SHA-256 of the minute so far, as hexadecimal; the next one begins. */
  async digest() {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", this._minute.subarray(0, this._filled)));
    this.digests.push([...hash].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
    this._filled = 0;
  }
}

/** Let the browser do everything else that is due. */
export function breathe() {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

export { connect };
