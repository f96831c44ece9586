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
  const samples = () =>
    new Promise((resolve) => {
      tap.port.onmessage = ({ data }) => resolve(data);
      tap.port.postMessage("all");
    });
  return { client, context, samples };
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
    this.sum = 0;
    this._queue = new PlaybackQueue(rate);
    this._block = new Float32Array(2400);
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

  /** Pull a tenth of a second if there is anything to play; returns whether there was. */
  pull() {
    const before = this._queue.report();
    if (before.events.length) this._onReport(before);
    if (before.buffered < this._block.length && !before.playing && !this._queue.isIdle && before.buffered === 0) return false;
    this.maxBuffered = Math.max(this.maxBuffered, before.buffered);
    this._queue.render(this._block);
    for (const sample of this._block) this.sum = (this.sum * 31 + Math.round(sample * 32768)) | 0;
    this._onReport(this._queue.report());
    return true;
  }
}

export { connect };
