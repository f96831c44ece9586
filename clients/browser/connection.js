/**
 * A WebSocket that comes back.
 *
 * Input   messages to send
 * Output  messages received; `open`, `lost`, `waiting`, `closed`
 * State   the socket, the backoff
 * It knows frames (`wire.js`) and close codes, but no utterances: who has something to say again after a loss says it.
 */

import { Backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { decode, encode, ProtocolError, SUBPROTOCOL } from "./wire.js";

const UNAUTHORIZED = 4401;
const IDLE = 4408;
const STEADY_MS = 5000; // a connection that lasted so long worked; the backoff begins anew

/** The connection is gone. */
export class ConnectionLostError extends Error {
  /** @param {string} message @param {number} code the WebSocket's close code */
  constructor(message, code) {
    super(message);
    this.name = "ConnectionLostError";
    this.code = code;
  }
}

/**
 * `waiting`: the next attempt is in `ms`. `closed`: there will be none.
 * @typedef {{open: null, message: import("./wire.js").Message, lost: ConnectionLostError, waiting: {ms: number, attempt: number}, closed: Error}} ConnectionEvents
 */
/** @typedef {"connecting" | "open" | "waiting" | "idle" | "closed"} ConnectionState */

/** @extends {Emitter<ConnectionEvents>} */
export class Connection extends Emitter {
  /**
   * @param {string} url
   * @param {{token?: string, retries?: number, backoff?: Backoff, socket?: (url: string, protocol: string) => WebSocket}} [options]
   */
  constructor(url, { token, retries = Infinity, backoff = new Backoff(), socket } = {}) {
    super();
    this.url = url;
    this.token = token ?? "";
    /** @type {ConnectionState} */
    this.state = "idle";
    this._retries = retries;
    this._backoff = backoff;
    this._newSocket = socket ?? ((address, protocol) => new WebSocket(address, protocol));
    /** @type {WebSocket | null} */
    this._socket = null;
    this._timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    this._steady = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    this._retryAfterMs = 0;
    this._online = () => {
      if (this.state === "waiting") this._connect();
    };
    globalThis.addEventListener?.("online", this._online);
  }

  /** Connect, if there is no connection and none on its way. */
  open() {
    if (this.state === "idle") this._connect();
  }

  /**
   * Send a message; returns whether there was a connection to send it on.
   * @param {Record<string, unknown>} fields
   */
  send(fields) {
    if (this.state !== "open" || this._socket?.readyState !== 1) return false;
    this._socket.send(encode(fields));
    return true;
  }

  /** Close for good. */
  close() {
    this._end(new ConnectionLostError("closed", 1000));
  }

  _connect() {
    clearTimeout(this._timer);
    this.state = "connecting";
    this._retryAfterMs = 0;
    const address = new URL(this.url);
    if (this.token) address.searchParams.set("token", this.token);
    const socket = this._newSocket(address.href, SUBPROTOCOL);
    this._socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this._opened();
    socket.onmessage = ({ data }) => this._received(data);
    socket.onclose = ({ code, reason }) => {
      if (this._socket === socket) this._lost(code, reason);
    };
  }

  _opened() {
    this.state = "open";
    this._steady = setTimeout(() => this._backoff.worked(), STEADY_MS);
    this.emit("open", null);
  }

  /** @param {string | ArrayBuffer} data */
  _received(data) {
    let message;
    try {
      message = decode(data);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this._end(error);
      return;
    }
    if (message?.type === "error" && message.ctx == null) this._retryAfterMs = message.retry_after_ms ?? 0;
    if (message) this.emit("message", message);
  }

  /** @param {number} code @param {string} reason */
  _lost(code, reason) {
    clearTimeout(this._steady);
    this._socket = null;
    const error = new ConnectionLostError(`the connection ended: ${reason || "no reason given"} (${code})`, code);
    if (code === UNAUTHORIZED || this._backoff.failures >= this._retries) {
      this._end(error);
      return;
    }
    this.state = "idle";
    this.emit("lost", error);
    if (code !== IDLE && this.state === "idle") this._wait(); // after idling, the next utterance connects
  }

  _wait() {
    const ms = this._backoff.failed(this._retryAfterMs);
    this.state = "waiting";
    this._timer = setTimeout(() => this._connect(), ms);
    this.emit("waiting", { ms, attempt: this._backoff.failures });
  }

  /** @param {Error} error */
  _end(error) {
    if (this.state === "closed") return;
    this.state = "closed";
    clearTimeout(this._timer);
    clearTimeout(this._steady);
    globalThis.removeEventListener?.("online", this._online);
    const socket = this._socket;
    this._socket = null;
    socket?.close();
    this.emit("closed", error);
  }
}
