/**
 * Sound without worklets: the same queue, rendered ahead by a timer into AudioBufferSourceNodes.
 *
 * Input   orders for the queue (`ring.js`)
 * Output  sound at a node; the queue's reports
 * State   the queue, what is scheduled
 * For pages that are neither https nor localhost, and for old browsers. It renders AHEAD_S before it is heard, so that a
 * busy page is heard as a gap later than that; a new utterance can replace what is scheduled but not yet heard.
 */

import { PlaybackQueue } from "./ring.js";
import { outputLatency } from "./worklet-output.js";

const TICK_MS = 20;
const BLOCK_S = 0.02;
const LEAD_S = 0.01; // from now to the first block
const AHEAD_S = 0.12;
const HIDDEN_AHEAD_S = 1.5; // browsers let the timers of hidden pages run once a second
const FADE_S = 0.005;

/** An `Output` of the player. */
export class ScheduledOutput {
  /** @param {AudioContext} context @param {AudioNode} destination */
  constructor(context, destination) {
    this.kind = "scheduled";
    this.rate = context.sampleRate;
    this._context = context;
    this._destination = destination;
    this._queue = new PlaybackQueue(this.rate);
    this._cursor = 0; // frame of the next block
    this._block = Math.round(BLOCK_S * this.rate);
    /** @type {Set<AudioBufferSourceNode>} */
    this._sources = new Set();
    this._gain = this._newGain();
    /** @type {(report: import("./ring.js").Report) => void} */
    this._onReport = () => {};
    this._timer = setInterval(() => this._pump(), TICK_MS);
  }

  get latencyMs() {
    return 1000 * outputLatency(this._context);
  }

  /** The frame that leaves the loudspeaker now. */
  heardFrame() {
    return (this._context.currentTime - outputLatency(this._context)) * this.rate;
  }

  /** @param {(report: import("./ring.js").Report) => void} onReport */
  listen(onReport) {
    this._onReport = onReport;
  }

  /** @param {import("./ring.js").Order} order */
  post(order) {
    if (order.type === "drop" && this._queue.head === order.id) this._cut(order.id);
    else this._queue.take(order);
    this._pump();
  }

  close() {
    clearInterval(this._timer);
    for (const source of this._sources) source.stop();
    this._gain.disconnect();
  }

  /** Render what is due, as far ahead as the page needs. */
  _pump() {
    const now = this._context.currentTime * this.rate;
    if (this._context.state !== "running") return;
    const ahead = (typeof document !== "undefined" && document.hidden ? HIDDEN_AHEAD_S : AHEAD_S) * this.rate;
    if (this._cursor < now) this._cursor = Math.ceil(now + LEAD_S * this.rate);
    while (this._cursor < now + ahead && !(this._queue.isIdle && !this._queue.hasEvents)) this._render();
  }

  _render() {
    const queue = this._queue;
    const block = new Float32Array(this._block);
    queue.frame = this._cursor;
    queue.render(block);
    if (block.some((sample) => sample !== 0)) this._schedule(block);
    this._cursor += block.length;
    this._onReport(queue.report());
  }

  /** @param {Float32Array<ArrayBuffer>} block */
  _schedule(block) {
    const buffer = this._context.createBuffer(1, block.length, this.rate);
    buffer.copyToChannel(block, 0);
    const source = new AudioBufferSourceNode(this._context, { buffer });
    source.connect(this._gain);
    source.onended = () => this._sources.delete(source);
    this._sources.add(source);
    source.start(this._cursor / this.rate);
  }

  /**
   * Drop the utterance that is playing: fade what is heard now, unschedule the rest.
   * @param {number} id
   */
  _cut(id) {
    const { currentTime } = this._context;
    const unheard = Math.max(0, Math.floor(this._cursor - currentTime * this.rate));
    this._gain.gain.setValueAtTime(1, currentTime);
    this._gain.gain.linearRampToValueAtTime(0, currentTime + FADE_S);
    for (const source of this._sources) source.stop(currentTime + FADE_S);
    this._gain = this._newGain();
    this._queue.take({ type: "drop", id });
    this._queue.skipFade();
    this._cursor = Math.ceil((currentTime + FADE_S) * this.rate);
    const report = this._queue.report();
    for (const event of report.events) {
      if (event.id !== id || event.type !== "end") continue;
      event.samples = Math.max(0, event.samples - unheard);
      event.frame = this._cursor;
    }
    this._onReport({ ...report, frame: this._cursor });
  }

  _newGain() {
    const gain = this._context.createGain();
    gain.connect(this._destination);
    return gain;
  }
}
