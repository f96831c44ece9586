/**
 * The loudspeaker: an AudioContext, an output, the utterances that are queued in it.
 *
 * Input   samples of utterances, at any rate
 * Output  sound; of each utterance: when it starts, how far it was rendered, how far it was *heard*, when it is over
 * State   the context, the queue's reports that were not heard yet, the cushion
 * Rendered is what left the queue; heard is what left the device, `latencyMs` later. It does not know the network.
 */

import { Cushion } from "./cushion.js";
import { Emitter } from "./emitter.js";
import { Gestures } from "./gestures.js";
import { ScheduledOutput } from "./scheduled-output.js";
import { Track } from "./track.js";
import { WorkletOutput } from "./worklet-output.js";

/** @typedef {import("./ring.js").Report} Report */
/** @typedef {import("./ring.js").Order} Order */
/**
 * What plays: takes orders, gives reports, and knows which frame is being heard.
 * @typedef {{rate: number, kind: string, latencyMs: number, heardFrame: () => number, post: (order: Order) => void, listen: (onReport: (report: Report) => void) => void, close: () => void}} Output
 */
/**
 * @typedef {object} PlayerOptions
 * @property {number} [rate] Hz at which to open the AudioContext; where that is refused, sound is resampled (24000)
 * @property {AudioContext} [context] your own, if you have one; it stays open
 * @property {AudioNode} [destination] where sound goes instead of the context's destination
 * @property {AudioContextLatencyCategory | number} [latencyHint] as of AudioContext ("interactive")
 * @property {boolean} [worklet] false: AudioBufferSourceNodes even where there are worklets
 * @property {{startMs?: number, minMs?: number, maxMs?: number}} [cushion]
 * @property {Output} [output] plays in the place of all this; for tests and for other machines than loudspeakers
 */
/**
 * `blocked`: the browser wants a gesture first; `unblocked`: it had one. `level`: a report, some 50 times a second.
 * `underrun`: audio was late by `ms`. `cushion`: its new length.
 * @typedef {{blocked: null, unblocked: null, level: {bufferedMs: number, playing: boolean, latencyMs: number}, underrun: {ms: number, count: number}, cushion: {ms: number}}} PlayerEvents
 */

/** @extends {Emitter<PlayerEvents>} */
export class Player extends Emitter {
  /** @param {PlayerOptions} [options] */
  constructor(options = {}) {
    super();
    this.cushion = new Cushion(options.cushion);
    this.underruns = 0;
    this.underrunMs = 0;
    this.blocked = false;
    /** @type {AudioContext | null} */
    this.context = options.context ?? null;
    /** The last node before the destination: connect an analyser to it. @type {GainNode | null} */
    this.node = null;
    /** @type {Output | null} */
    this.output = null;
    this._options = options;
    /** @type {Promise<Output> | null} */
    this._opening = null;
    /** @type {Gestures | null} */
    this._gestures = null;
    /** @type {Order[]} */
    this._early = []; // orders from before the output was there
    /** @type {Map<number, Track>} */
    this._tracks = new Map();
    this._numbers = 0;
    /** @type {Report[]} */
    this._unheard = [];
    this._timer = /** @type {ReturnType<typeof setTimeout> | null} */ (null);
    this._cushionMs = 0; // what the queue was told
  }

  /**
   * Make the output ready before it is needed; best called in a handler of a gesture, which also lets sound out.
   * @param {number} [rate] Hz, of the audio that will come first
   */
  async prepare(rate = this._options.rate ?? 24_000) {
    this._opening ??= this._open(rate);
    const output = await this._opening;
    this._gestures?.unlock();
    return output;
  }

  /**
   * Queue an utterance behind the others; its samples may come at once or later.
   * @param {number} rate Hz, of the samples that will be pushed
   * @returns {Track}
   */
  track(rate) {
    const track = new Track(++this._numbers, rate, (order) => this._post(order));
    this._tracks.set(track.id, track);
    this._post({ type: "add", id: track.id });
    void this.prepare(rate).catch((error) => this._fail(error));
    return track;
  }

  /** Tell the queue how long the cushion is now; whoever changes it calls this. */
  tellCushion() {
    if (!this.output || this._cushionMs === this.cushion.ms) return;
    this._cushionMs = this.cushion.ms;
    this.output.post({ type: "cushion", samples: Math.ceil((this._cushionMs / 1000) * this.output.rate) });
    this.emit("cushion", { ms: this._cushionMs });
  }

  /** Tell the utterances what has been heard by now; it happens by itself some 50 times a second. */
  hear() {
    if (this.output) this._hear(this.output);
  }

  /** Stop all sound, with a fade. */
  silence() {
    for (const track of this._tracks.values()) track.drop();
  }

  /** Free everything; a context of yours stays open. */
  async close() {
    if (this._timer !== null) clearTimeout(this._timer);
    this._gestures?.close();
    this.output?.close();
    this.node?.disconnect();
    if (this.context && !this._options.context && this.context.state !== "closed") await this.context.close();
  }

  /** @param {number} rate */
  async _open(rate) {
    const output = this._options.output ?? (await this._openContext(rate));
    this.output = output;
    output.listen((report) => this._report(report));
    for (const track of this._tracks.values()) track.deviceRate = output.rate;
    const early = this._early;
    this._early = [];
    this.tellCushion();
    for (const order of early) this._post(order);
    for (const track of this._tracks.values()) track.release();
    return output;
  }

  /** @param {number} rate @returns {Promise<Output>} */
  async _openContext(rate) {
    this.context ??= newContext(rate, this._options.latencyHint ?? "interactive");
    const { context } = this;
    this.node = context.createGain();
    this.node.connect(this._options.destination ?? context.destination);
    this._gestures = new Gestures(context, (blocked) => {
      this.blocked = blocked;
      this.emit(blocked ? "blocked" : "unblocked", null);
    });
    // Without a secure context (https, localhost) there are no worklets.
    if (this._options.worklet === false || !context.audioWorklet) return new ScheduledOutput(context, this.node);
    return WorkletOutput.open(context, this.node);
  }

  /** @param {Order} order */
  _post(order) {
    if (!this.output) {
      this._early.push(order);
      return;
    }
    if (order.type === "add") {
      const track = this._tracks.get(order.id);
      if (track) track.deviceRate = this.output.rate;
    }
    this.output.post(order);
  }

  /** @param {Report} report */
  _report(report) {
    const output = /** @type {Output} */ (this.output);
    for (const event of report.events) this._happened(event, output.rate);
    this._tracks.get(report.id)?.rendered(report.played);
    this.emit("level", {
      bufferedMs: (1000 * report.buffered) / output.rate,
      playing: report.playing,
      latencyMs: output.latencyMs,
    });
    this._unheard.push(report);
    this._hear(output);
  }

  /** @param {import("./ring.js").RingEvent} event @param {number} rate */
  _happened(event, rate) {
    const track = this._tracks.get(event.id);
    if (event.type === "underrun") {
      const ms = (1000 * event.samples) / rate;
      this.underruns++;
      this.underrunMs += ms;
      this.cushion.ranDry();
      this.tellCushion();
      track?.underrun(ms);
      this.emit("underrun", { ms, count: this.underruns });
    } else if (event.type === "end") {
      track?.rendered(event.samples);
    }
  }

  /**
   * Tell what has been heard by now, and come back for the rest.
   * @param {Output} output
   */
  _hear(output) {
    const heard = output.heardFrame();
    while (this._unheard.length && this._unheard[0].frame <= heard) {
      this._heard(/** @type {Report} */ (this._unheard.shift()), heard);
    }
    const [next] = this._unheard;
    if (!next) return;
    for (const event of next.events) if (event.frame <= heard) this._eventHeard(event, heard);
    next.events = next.events.filter((event) => event.frame > heard);
    if (next.playing && !next.events.length) this._tracks.get(next.id)?.heardTo(next.played - (next.frame - heard));
    const dueMs = Math.min(20, Math.max(1, (1000 * (next.frame - heard)) / output.rate));
    this._timer ??= setTimeout(() => {
      this._timer = null;
      this._hear(output);
    }, dueMs);
  }

  /** @param {Report} report @param {number} heard */
  _heard(report, heard) {
    for (const event of report.events) this._eventHeard(event, heard);
    this._tracks.get(report.id)?.heardTo(report.played);
  }

  /** @param {import("./ring.js").RingEvent} event @param {number} heard the frame that is being heard now */
  _eventHeard(event, heard) {
    const track = this._tracks.get(event.id);
    if (!track) return;
    if (event.type === "start") track.started(((heard - event.frame) * 1000) / /** @type {Output} */ (this.output).rate);
    if (event.type === "end") {
      this._tracks.delete(event.id);
      track.ended(event.samples, event.dropped === true);
    }
  }

  /** @param {unknown} error */
  _fail(error) {
    for (const track of this._tracks.values()) track.fail(error);
    this._tracks.clear();
  }
}

/**
 * Open a context at the stream's rate, or, where the browser cannot, at the device's.
 * @param {number} rate
 * @param {AudioContextLatencyCategory | number} latencyHint
 */
function newContext(rate, latencyHint) {
  try {
    return new AudioContext({ sampleRate: rate, latencyHint });
  } catch {
    return new AudioContext({ latencyHint });
  }
}
