/**
 * A client of the native protocol that is heard.
 *
 *     const client = connect("wss://tts.example.com/v1/stream");
 *     const speech = client.speak("你好，世界。", { words: true });
 *     speech.on("word", (word) => light(word));
 *     await speech.finished;
 *
 * Input   texts
 * Output  sound; speeches, which tell what is heard
 * State   the connection, the player, the utterances that the server has not finished
 */

import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { Player } from "./player.js";
import { Speech } from "./speech.js";
import { ServerError } from "./wire.js";

const MAX_CTX = 65_535;
const FEWEST = 1; // utterances at a time, until the server has said how many it takes

/**
 * @typedef {object} ConnectFields
 * @property {string} [token] of the server, if it wants one
 * @property {import("./speech.js").SpeakFields} [defaults] of every `speak`
 * @property {number} [retries] failures in a row after which it gives up (no limit)
 * @property {import("./backoff.js").Backoff} [backoff] other delays
 * @property {(url: string, protocol: string) => WebSocket} [socket] in the place of `new WebSocket`
 * @property {() => number} [now] milliseconds ("performance.now")
 */
/** @typedef {ConnectFields & import("./player.js").PlayerOptions} ConnectOptions */
/**
 * `replaces`: stop these and speak this: the user interrupted.
 * @typedef {import("./speech.js").SpeakFields & {replaces?: "all" | Speech | Speech[]}} SpeakOptions
 */
/**
 * `ready`: what the server offers, at each connection. `lost`, `waiting`: it is coming back. `closed`: it is not.
 * `blocked`: the browser waits for a gesture before it lets sound out. `error`: the server's, about no utterance.
 * @typedef {{ready: import("./wire.js").Ready, lost: Error, waiting: {ms: number, attempt: number}, closed: Error, error: ServerError, speech: Speech} & import("./player.js").PlayerEvents} ClientEvents
 */

/**
 * Connect to a server; there is nothing to wait for before speaking.
 * @param {string | URL} url `wss://…/v1/stream`; http and relative addresses are understood
 * @param {ConnectOptions} [options]
 */
export function connect(url, options = {}) {
  return new Client(url, options);
}

/** @extends {Emitter<ClientEvents>} */
export class Client extends Emitter {
  /**
   * @param {string | URL} url
   * @param {ConnectOptions} [options]
   */
  constructor(url, options = {}) {
    super();
    const { token, retries, backoff, socket, defaults = {}, now = () => performance.now(), ...player } = options;
    /** What the server offers. @type {import("./wire.js").Ready | null} */
    this.offer = null;
    this.player = new Player({ ...(defaults.rate && { rate: defaults.rate }), ...player });
    this._defaults = defaults;
    this._now = now;
    this._nextCtx = 1;
    /** @type {Map<number, Speech>} */
    this._served = new Map(); // those that the server has, or will have, something to say about
    /** @type {Set<Speech>} */
    this._audible = new Set(); // those that are not over for the listener
    this._connection = new Connection(webSocketUrl(url), { token, retries, backoff, socket });
    this._listen();
    this._connection.open();
  }

  /** "connecting", "open", "waiting" (for the next attempt), "idle" (connects when needed) or "closed". */
  get state() {
    return this._connection.state;
  }

  /** Utterances that are being spoken or wait for it, oldest first. */
  get speeches() {
    return [...this._audible];
  }

  /**
   * Speak a text: a string, or pieces as they are written. Utterances are heard one after the other.
   * @param {import("./pieces.js").Text} text
   * @param {SpeakOptions} [options]
   * @returns {Speech}
   * @throws {RangeError} the format cannot be played
   */
  speak(text, options = {}) {
    const { replaces, ...fields } = options;
    const replaced = replaces === "all" ? this.speeches : [replaces ?? []].flat();
    const link = {
      send: (/** @type {Record<string, unknown>} */ message) => this._send(message),
      forget: (/** @type {Speech} */ speech) => this._forget(speech),
      now: this._now,
      player: this.player,
    };
    this._connection.open();
    for (const speech of replaced) speech.cancel();
    const speech = new Speech(link, this._freeCtx(), text, { ...this._defaults, ...fields });
    this._served.set(speech.ctx, speech);
    this._audible.add(speech);
    void speech.finished.catch(() => {}).then(() => this._audible.delete(speech));
    if (this._connection.state === "closed") speech.fail(new Error("the client is closed"));
    this.emit("speech", speech);
    return speech;
  }

  /** Stop everything at once. */
  cancel() {
    for (const speech of this.speeches) speech.cancel();
    this.player.silence(); // what failed, and is still heard as far as it came
  }

  /**
   * Make the loudspeaker ready; in the handler of a gesture this also lets sound out.
   * @param {number} [rate] Hz, if not that of the defaults
   */
  async prepare(rate) {
    await this.player.prepare(rate);
  }

  /** Stop, disconnect, and free the loudspeaker. */
  async close() {
    this.cancel();
    this._connection.close();
    await this.player.close();
  }

  _listen() {
    const connection = this._connection;
    connection.on("open", () => this._openWaiting());
    connection.on("message", (message) => this._dispatch(message));
    connection.on("lost", (error) => {
      this.emit("lost", error);
      const goOn = [...this._served.values()].filter((speech) => speech.lost(error));
      if (goOn.length) queueMicrotask(() => connection.open()); // if it went idle; otherwise it waits for its turn
    });
    connection.on("waiting", (value) => this.emit("waiting", value));
    connection.on("closed", (error) => {
      for (const speech of [...this._served.values()]) speech.fail(error);
      this.emit("closed", error);
    });
    for (const name of /** @type {const} */ (["blocked", "unblocked", "level", "underrun", "cushion"])) {
      this.player.on(name, (value) => this.emit(name, /** @type {any} */ (value)));
    }
  }

  /** @param {import("./wire.js").Message} message */
  _dispatch(message) {
    if (message.type === "ready") {
      this.offer = message;
      this._openWaiting();
      this.emit("ready", message);
    } else if (message.type === "error" && message.ctx == null) this.emit("error", new ServerError(message));
    else this._served.get(/** @type {number} */ (message.ctx))?.receive(message);
  }

  /**
   * Send a message; an utterance more than the server takes at a time waits for its turn.
   * @param {Record<string, unknown>} message
   */
  _send(message) {
    const isFull = () => [...this._served.values()].filter((speech) => speech.isOpen).length >= (this.offer?.max_ctx ?? FEWEST);
    return !(message.type === "open" && isFull()) && this._connection.send(message);
  }

  /** Give the server the utterances that it does not have, as many as it takes. */
  _openWaiting() {
    if (this.state !== "open") return;
    for (const speech of [...this._served.values()]) if (!speech.isOpen) speech.connected();
  }

  /** @param {Speech} speech */
  _forget(speech) {
    if (this._served.get(speech.ctx) === speech) this._served.delete(speech.ctx);
    this._openWaiting();
  }

  _freeCtx() {
    while (this._served.has(this._nextCtx)) this._nextCtx = (this._nextCtx % MAX_CTX) + 1;
    const ctx = this._nextCtx;
    this._nextCtx = (ctx % MAX_CTX) + 1;
    return ctx;
  }
}

/** @param {string | URL} url */
function webSocketUrl(url) {
  const address = new URL(url, globalThis.document?.baseURI);
  if (address.protocol === "http:") address.protocol = "ws:";
  if (address.protocol === "https:") address.protocol = "wss:";
  return address.href;
}
