/**
 * One utterance: its text on the way out, its audio on the way in, its sound as it is heard.
 *
 * Input   a text, whole or as it is written; the server's messages about it; the player's reports
 * Output  messages to the server, samples to the player; events, when they are *heard*
 * State   the text so far, what was received, what is still to be told
 *
 * After a lost connection it asks again and skips what it has: the same request gives the same samples. It is only told
 * to fail where that is not so (`flush` and `max_delay_ms` make time a part of the request).
 */

import { Captions } from "./captions.js";
import { Lateness } from "./cushion.js";
import { Emitter } from "./emitter.js";
import { decoder } from "./formats.js";
import { Onset } from "./onset.js";
import { cut, pieces } from "./pieces.js";
import { ProtocolError, ServerError } from "./wire.js";

export const DEFAULT_RATE = 24_000;
export const DEFAULT_WINDOW_MS = 10_000; // audio that may wait here to be played
const FULL_MS = 250; // so close to the window, the server may be waiting for credit
const KEEP_ALIVE_MS = 20_000; // an utterance that waits for others to be heard must not look dead to the server

/**
 * The fields of `open` in docs/protocol.md; what is left out is the server's default.
 * @typedef {object} SpeakFields
 * @property {string} [voice]
 * @property {string} [speaker]
 * @property {string} [emotion]
 * @property {number} [emotion_intensity]
 * @property {number} [speed]
 * @property {number} [pitch]
 * @property {number} [volume]
 * @property {string} [language]
 * @property {number} [seed]
 * @property {boolean} [words] events `word`
 * @property {boolean} [phonemes] events `phoneme`
 * @property {boolean} [visemes] events `viseme`
 * @property {"pcm_s16le" | "pcm_f32le" | "ulaw" | "alaw"} [format]
 * @property {number} [rate]
 * @property {number} [window_ms]
 * @property {number} [max_delay_ms]
 * @property {number} [max_ahead_ms]
 * @property {number} [sentence_pause_ms]
 * @property {number} [paragraph_pause_ms]
 * @property {boolean} [ssml]
 * @property {Record<string, string>} [lexicon]
 */
/** @typedef {import("./pieces.js").Text} Text */
/** @typedef {{text: string, start: number, end: number, charStart: number, charEnd: number}} Word in samples, and code points of the utterance's text */
/** @typedef {{name: string, start: number, end: number}} Span */
/** @typedef {{text: string, index: number, sample: number, charStart: number, charEnd: number}} Sentence */
/**
 * Times in milliseconds after `speak`; null when it did not come to that. `sent`: the first text was sent. `received`: the
 * first audio came. `heard`: its first sample was heard. `audible`: `heard` and the leading silence.
 * @typedef {{sent: number | null, received: number | null, heard: number | null, audible: number | null, over: number | null}} Timing
 */
/**
 * How it ended. `receipt` is the server's; `heardSamples` counts at `rate`.
 * @typedef {{outcome: "heard" | "cancelled", receipt: import("./wire.js").Done | null, timing: Timing, heardSamples: number, rate: number, leadingSilenceMs: number | null, underruns: number, underrunMs: number, cushionMs: number}} Result
 */
/**
 * All but `audio` and `receipt`, which tell what arrived, tell what is heard.
 * @typedef {{start: Timing, word: Word, viseme: Span, phoneme: Span, sentence: Sentence, heard: {samples: number, ms: number}, underrun: {ms: number}, audio: {samples: number, total: number}, receipt: import("./wire.js").Done, resumed: {samples: number}, end: Result, error: Error}} SpeechEvents
 */
/**
 * What an utterance needs of its client.
 * @typedef {{send: (fields: Record<string, unknown>) => boolean, forget: (speech: Speech) => void, now: () => number, player: import("./player.js").Player}} Link
 */

/** @extends {Emitter<SpeechEvents>} */
export class Speech extends Emitter {
  /**
   * For the client only: `client.speak` makes them.
   * @param {Link} link
   * @param {number} ctx
   * @param {Text} text
   * @param {SpeakFields} fields
   */
  constructor(link, ctx, text, fields) {
    super();
    this.ctx = ctx;
    this.rate = fields.rate ?? DEFAULT_RATE;
    /** @type {Timing} */
    this.timing = { sent: null, received: null, heard: null, audible: null, over: null };
    /** @type {import("./wire.js").Done | null} */
    this.receipt = null;
    /** Whether it is over, for the listener. */
    this.isOver = false;
    /** @type {Promise<Result>} */
    this.finished = new Promise((resolve, reject) => {
      this._resolve = resolve;
      this._reject = reject;
    });
    this.finished.catch(() => {}); // whoever waits for it gets it; nobody has to
    this._link = link;
    this._fields = { format: "pcm_s16le", window_ms: DEFAULT_WINDOW_MS, ...fields, rate: this.rate };
    this._decode = decoder(this._fields.format);
    this._createdMs = link.now();
    this._text = "";
    this._textEnded = false;
    this._isOpen = false; // the server has it
    this._isServed = false; // the server has said its last word
    this._isDropped = false;
    this._wasFlushed = false;
    this._received = 0;
    this._creditedMs = 0;
    this._mayPause = false;
    this._heardMs = -1;
    this._onset = new Onset(this.rate);
    this._lateness = new Lateness();
    this._indices = { words: -1, visemes: -1, phonemes: -1, sentence: -1 };
    this._keepAlive = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);
    /** @type {Captions<() => void>} */
    this._captions = new Captions();
    this._cushionMs = link.player.cushion.ms;
    this._track = this._queue(link.player);
    this._begin(text);
  }

  /** Samples that the user has heard by now. */
  get heardSamples() {
    return this._track.heardSamples;
  }

  /** Whether the server has it. For the client only. */
  get isOpen() {
    return this._isOpen && !this._isServed;
  }

  /** Silence that it begins with, as far as is known. */
  get leadingSilenceMs() {
    return this._onset.silenceMs;
  }

  /** Samples that were received. */
  get receivedSamples() {
    return this._received;
  }

  /**
   * Speak now what was written so far, finished or not.
   * @param {number | string} [id]
   */
  flush(id = 0) {
    this._wasFlushed = true;
    this._link.send({ type: "flush", ctx: this.ctx, id });
  }

  /** Stop at once, with a fade of 5 ms; tells the server how much was heard. */
  cancel() {
    if (this.isOver) return;
    this._link.player.hear();
    const played = this.heardSamples;
    this._isDropped = true;
    this._track.drop();
    const isTold = this._isOpen && this._link.send({ type: "cancel", ctx: this.ctx, played });
    if (!isTold) this._served();
    this._ended(true);
  }

  /** There is a connection, again or for the first time: ask for what is missing. For the client only. */
  connected() {
    if (this._isServed || this._isDropped) return;
    if (!this._isOpen && this._text === "" && !this._textEnded) return this._open("", false);
    const all = [...cut(this._text)];
    this._creditedMs = 0;
    this._lateness.paused();
    if (all.length <= 1 && this._textEnded) this._open(this._text, true);
    else {
      this._open("", false);
      if (!this._isOpen) return; // the server takes no more at a time: later
      for (const text of all) this._link.send({ type: "append", ctx: this.ctx, text });
      if (all.length) this._noteSent();
      if (this._textEnded) this._link.send({ type: "end", ctx: this.ctx });
    }
    if (this._received) {
      this.emit("resumed", { samples: this._received });
      this._giveCredit();
    }
  }

  /**
   * The connection is gone; returns whether it can go on with another. For the client only.
   * @param {Error} error
   */
  lost(error) {
    if (this._isServed) return false;
    this._isOpen = false;
    if (this._isDropped) this._served();
    else if (this._wasFlushed || this._fields.max_delay_ms) this.fail(error);
    else return true;
    return false;
  }

  /** @param {Error} error */
  fail(error) {
    if (this.isOver) return;
    this._served();
    this._track.end(); // what is here is heard
    this.isOver = true;
    this.emit("error", error);
    this._reject?.(error);
  }

  /**
   * Take what the server says about it. For the client only.
   * @param {import("./wire.js").Message} message
   */
  receive(message) {
    if (message.type === "done" || message.type === "cancelled" || message.type === "error") this._served();
    if (this._isDropped) return;
    if (message.type === "audio") this._takeAudio(message);
    else if (message.type === "sentence") this._takeSentence(message);
    else if (message.type === "words") this._takeWords(message);
    else if (message.type === "visemes" || message.type === "phonemes") this._takeSpans(message);
    else if (message.type === "error") this.fail(new ServerError(message));
    else if (message.type === "done") {
      this.receipt = message;
      this._track.end();
      this.emit("receipt", message);
    }
  }

  /** @param {Text} text */
  _begin(text) {
    const parts = typeof text === "string" ? [...cut(text)] : [];
    if (typeof text === "string" && parts.length <= 1) {
      this._text = text;
      this._textEnded = true;
      this._open(text, true);
    } else {
      this._open("", false);
      this._write(text).catch((error) => {
        if (!this._isServed && this._isOpen) this._link.send({ type: "cancel", ctx: this.ctx });
        this.fail(error);
      });
    }
    if (this._fields.window_ms) this._keepAlive = setInterval(() => this._stayAlive(), KEEP_ALIVE_MS);
  }

  /** @param {string} text @param {boolean} end */
  _open(text, end) {
    const optional = { text: text || null, end: end || null };
    this._isOpen = this._link.send({ type: "open", ctx: this.ctx, ...this._fields, ...optional });
    if (this._isOpen && text) this._noteSent();
  }

  /** @param {Text} text */
  async _write(text) {
    for await (const piece of pieces(text)) {
      if (this._isDropped || this.isOver) return;
      this._text += piece;
      if (this._isOpen && this._link.send({ type: "append", ctx: this.ctx, text: piece })) this._noteSent();
    }
    if (this._isDropped || this.isOver) return;
    this._textEnded = true;
    if (this._isOpen) this._link.send({ type: "end", ctx: this.ctx });
  }

  _noteSent() {
    this.timing.sent ??= this._link.now() - this._createdMs;
  }

  /** @param {import("./player.js").Player} player */
  _queue(player) {
    const track = player.track(this.rate);
    track.onStart = (agoMs) => this._started(agoMs);
    track.onRendered = () => this._giveCredit();
    track.onHeard = (samples) => this._heard(samples);
    track.onUnderrun = (ms) => this.emit("underrun", { ms });
    track.onEnd = (dropped) => this._ended(dropped);
    track.onError = (error) => this.fail(error instanceof Error ? error : new Error(String(error)));
    return track;
  }

  /** @param {import("./wire.js").AudioFrame} frame */
  _takeAudio(frame) {
    let samples = this._decode(frame.payload);
    if (frame.sample > this._received) {
      this.fail(new ProtocolError(`audio at sample ${frame.sample}; ${this._received} were received`));
      return;
    }
    samples = samples.subarray(Math.min(samples.length, this._received - frame.sample)); // after a resumption
    if (samples.length) this._takeSamples(samples.byteOffset ? samples.slice() : samples, frame);
    if (frame.isLast) this._track.end();
  }

  /** @param {Float32Array} samples @param {import("./wire.js").AudioFrame} frame */
  _takeSamples(samples, frame) {
    const now = this._link.now();
    this.timing.received ??= now - this._createdMs;
    this._measure(now);
    this._received += samples.length;
    this._onset.push(samples);
    this._mayPause = frame.endsSentence && !this._textEnded;
    const count = samples.length;
    this._track.push(samples, this._mayPause);
    this.emit("audio", { samples: count, total: this._received });
  }

  /** @param {number} now */
  _measure(now) {
    const { cushion } = this._link.player;
    const waitingMs = (1000 * (this._received - this._track.renderedSamples)) / this.rate;
    const isFull = this._fields.window_ms > 0 && waitingMs > this._fields.window_ms - FULL_MS;
    if (this._mayPause || isFull) this._lateness.paused();
    this._lateness.arrived(now, (1000 * this._received) / this.rate);
    cushion.needed(this._lateness.needMs);
    this._link.player.tellCushion();
    if (this.timing.heard === null) this._cushionMs = cushion.ms;
  }

  /** @param {import("./wire.js").SentenceMessage} message */
  _takeSentence({ index, text, sample, char_start, char_end }) {
    if (!this._isNew("sentence", index)) return;
    const sentence = { text, index, sample, charStart: char_start, charEnd: char_end };
    this._captions.add(sample, () => this.emit("sentence", sentence));
  }

  /** @param {import("./wire.js").WordsMessage} message */
  _takeWords({ index, items }) {
    if (!this._isNew("words", index)) return;
    for (const [text, start, end, charStart, charEnd] of items) {
      const word = { text, start, end, charStart, charEnd };
      this._captions.add(start, () => this.emit("word", word));
    }
  }

  /** @param {import("./wire.js").SpansMessage} message */
  _takeSpans({ type, index, items }) {
    if (!this._isNew(type, index)) return;
    const event = type === "visemes" ? "viseme" : "phoneme";
    for (const [name, start, end] of items) {
      const span = { name, start, end };
      this._captions.add(start, () => this.emit(event, span));
    }
  }

  /** @param {"sentence" | "words" | "visemes" | "phonemes"} kind @param {number} index */
  _isNew(kind, index) {
    if (index <= this._indices[kind]) return false; // told again after a resumption
    this._indices[kind] = index;
    return true;
  }

  /** Grant again what was rendered, in few messages. */
  _giveCredit() {
    const { window_ms } = this._fields;
    const renderedMs = Math.floor((1000 * this._track.renderedSamples) / this.rate);
    const owedMs = renderedMs - this._creditedMs;
    if (!window_ms || this._isServed || owedMs * 4 < window_ms) return;
    if (this._isOpen && this._link.send({ type: "credit", ctx: this.ctx, ms: owedMs })) this._creditedMs = renderedMs;
  }

  /** Tell the server that somebody is still waiting to hear this: one millisecond more will do. */
  _stayAlive() {
    if (!this._isServed && this._isOpen) this._link.send({ type: "credit", ctx: this.ctx, ms: 1 });
  }

  /** @param {number} agoMs */
  _started(agoMs) {
    const { timing } = this;
    // Devices are fed in blocks, so that their clock can be a block ahead of ours: nothing is heard before it came.
    timing.heard ??= Math.max(timing.received ?? 0, this._link.now() - this._createdMs - agoMs);
    if (this._onset.silenceMs !== null) timing.audible = timing.heard + this._onset.silenceMs;
    this.emit("start", timing);
  }

  /** @param {number} samples */
  _heard(samples) {
    const { timing } = this;
    if (timing.heard !== null && this._onset.silenceMs !== null) timing.audible ??= timing.heard + this._onset.silenceMs;
    const ms = (1000 * samples) / this.rate;
    if (ms > this._heardMs) this.emit("heard", { samples, ms });
    this._heardMs = Math.max(ms, this._heardMs);
    if (samples) for (const tell of this._captions.until(samples)) tell();
  }

  _served() {
    if (this._isServed) return;
    this._isServed = true;
    clearInterval(this._keepAlive);
    this._link.forget(this);
  }

  /** @param {boolean} dropped */
  _ended(dropped) {
    if (this.isOver) return;
    this.isOver = true;
    if (!dropped) for (const tell of this._captions.until(Infinity)) tell();
    this.timing.over = this._link.now() - this._createdMs;
    const { cushion } = this._link.player;
    if (!dropped) cushion.over({ needMs: this._lateness.needMs, ranDry: this._track.underruns > 0 });
    this._link.player.tellCushion();
    /** @type {Result} */
    const result = {
      outcome: dropped ? "cancelled" : "heard",
      receipt: this.receipt,
      timing: this.timing,
      heardSamples: this.heardSamples,
      rate: this.rate,
      leadingSilenceMs: this._onset.silenceMs,
      underruns: this._track.underruns,
      underrunMs: this._track.underrunMs,
      cushionMs: this._cushionMs,
    };
    this.emit("end", result);
    this._resolve?.(result);
  }
}
