/**
 * The wire format of the native protocol, as a browser sees it.
 *
 * Input   received frames; fields of messages to send
 * Output  typed messages; frames
 * State   none
 * It does not know sockets or sound. docs/protocol.md describes the format; unknown fields and
 * unknown types are ignored, so that a newer server can be talked to.
 */

export const SUBPROTOCOL = "tts.v1.json"; // JSON needs no library here, and audio frames are binary in both

const AUDIO = 0x01;
const HEADER_BYTES = 24;
const FIRST = 1;
const LAST_OF_SENTENCE = 2;
const LAST = 4;
const META = 8;
const CACHED = 16;

/**
 * What the server offers.
 * @typedef {{type: "ready", version: string, voices: string[], rates: number[], formats: string[], max_ctx: number, max_chars: number, idle_s: number}} Ready
 */
/**
 * A sentence (or first clause) begins at `sample`.
 * @typedef {{type: "sentence", ctx: number, index: number, text: string, char_start: number, char_end: number, sample: number}} SentenceMessage
 */
/**
 * `[text, start_sample, end_sample, char_start, char_end]`; ends are exclusive, characters are Unicode code points.
 * @typedef {[string, number, number, number, number]} WordItem
 */
/** @typedef {{type: "words", ctx: number, index: number, items: WordItem[]}} WordsMessage */
/**
 * `[name, start_sample, end_sample]` of a phone or a mouth shape.
 * @typedef {[string, number, number]} SpanItem
 */
/** @typedef {{type: "phonemes" | "visemes", ctx: number, index: number, items: SpanItem[]}} SpansMessage */
/** @typedef {{type: "flushed", ctx: number, id: number | string, sample: number}} Flushed */
/**
 * The receipt of a finished utterance; docs/metrics.md defines the times, which are in milliseconds.
 * @typedef {{type: "done", ctx: number, samples: number, chars: number, sentences: number, ttfc_ms: number | null, audible_ttfc_ms: number | null, queue_ms: number | null, total_ms: number, rtf: number | null, cached: boolean, stages: Record<string, number>}} Done
 */
/** @typedef {{type: "cancelled", ctx: number, samples: number, text_done: number}} Cancelled */
/** @typedef {{type: "error", ctx?: number | null, code: string, message: string, retry_after_ms?: number | null}} ErrorMessage */
/**
 * Audio of one utterance; `sample` counts from its start, `payload` is what the format makes of `samples` samples.
 * @typedef {{type: "audio", ctx: number, seq: number, sample: number, samples: number, sentence: number, isFirst: boolean, endsSentence: boolean, isLast: boolean, cached: boolean, payload: Uint8Array}} AudioFrame
 */
/** @typedef {Ready | SentenceMessage | WordsMessage | SpansMessage | Flushed | Done | Cancelled | ErrorMessage | AudioFrame} Message */

const KNOWN = new Set(["ready", "sentence", "words", "phonemes", "visemes", "flushed", "done", "cancelled", "error"]);

/** The server sent something that is not this protocol. */
export class ProtocolError extends Error {
  /** @param {string} message what was found */
  constructor(message) {
    super(message);
    this.name = "ProtocolError";
  }
}

/** The server refused or failed; `code` is stable, `ctx` null means the whole connection. */
export class ServerError extends Error {
  /** @param {ErrorMessage} message what the server said */
  constructor(message) {
    super(`${message.code}: ${message.message}`);
    this.name = "ServerError";
    this.code = message.code;
    this.ctx = message.ctx ?? null;
    this.retryAfterMs = message.retry_after_ms ?? null;
  }
}

/**
 * Return the frame of a message to the server; fields that are null or undefined are left out.
 * @param {Record<string, unknown>} fields
 * @returns {string}
 */
export function encode(fields) {
  return JSON.stringify(fields, (_, value) => (value === null ? undefined : value));
}

/**
 * Return the message in a received frame; null for a type that is not known here.
 * @param {string | ArrayBuffer} frame
 * @returns {Message | null}
 * @throws {ProtocolError} the frame does not follow the protocol
 */
export function decode(frame) {
  return typeof frame === "string" ? control(frame) : audio(frame);
}

/**
 * @param {string} text
 * @returns {Message | null}
 */
function control(text) {
  let fields;
  try {
    fields = JSON.parse(text);
  } catch (error) {
    throw new ProtocolError(`unreadable message of ${text.length} characters: ${error}`);
  }
  if (typeof fields !== "object" || fields === null || typeof fields.type !== "string") {
    throw new ProtocolError("a message without a type");
  }
  return KNOWN.has(fields.type) ? fields : null;
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {AudioFrame}
 */
function audio(buffer) {
  if (buffer.byteLength < HEADER_BYTES) {
    throw new ProtocolError(`a frame of ${buffer.byteLength} bytes; the header has ${HEADER_BYTES}`);
  }
  const view = new DataView(buffer);
  if (view.getUint8(0) !== AUDIO) {
    throw new ProtocolError(`unknown kind of frame: ${view.getUint8(0)}`);
  }
  const flags = view.getUint8(1);
  const start = HEADER_BYTES + (flags & META ? view.getUint16(22, true) : 0);
  if (start > buffer.byteLength) {
    throw new ProtocolError(`a frame of ${buffer.byteLength} bytes whose audio starts at ${start}`);
  }
  return {
    type: "audio",
    ctx: view.getUint16(2, true),
    seq: view.getUint32(4, true),
    sample: Number(view.getBigUint64(8, true)),
    samples: view.getUint32(16, true),
    sentence: view.getUint16(20, true),
    isFirst: Boolean(flags & FIRST),
    endsSentence: Boolean(flags & LAST_OF_SENTENCE),
    isLast: Boolean(flags & LAST),
    cached: Boolean(flags & CACHED),
    payload: new Uint8Array(buffer, start),
  };
}
