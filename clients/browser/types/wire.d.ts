/**
 * Return the frame of a message to the server; fields that are null or undefined are left out.
 * @param {Record<string, unknown>} fields
 * @returns {string}
 */
export function encode(fields: Record<string, unknown>): string;
/**
 * Return the message in a received frame; null for a type that is not known here.
 * @param {string | ArrayBuffer} frame
 * @returns {Message | null}
 * @throws {ProtocolError} the frame does not follow the protocol
 */
export function decode(frame: string | ArrayBuffer): Message | null;
/**
 * The wire format of the native protocol, as a browser sees it.
 *
 * Input   received frames; fields of messages to send
 * Output  typed messages; frames
 * State   none
 * It does not know sockets or sound. docs/protocol.md describes the format; unknown fields and
 * unknown types are ignored, so that a newer server can be talked to.
 */
export const SUBPROTOCOL: "tts.v1.json";
/** The server sent something that is not this protocol. */
export class ProtocolError extends Error {
    /** @param {string} message what was found */
    constructor(message: string);
}
/** The server refused or failed; `code` is stable, `ctx` null means the whole connection. */
export class ServerError extends Error {
    /** @param {ErrorMessage} message what the server said */
    constructor(message: ErrorMessage);
    code: string;
    ctx: number | null;
    retryAfterMs: number | null;
}
/**
 * What the server offers.
 */
export type Ready = {
    type: "ready";
    version: string;
    voices: string[];
    rates: number[];
    formats: string[];
    max_ctx: number;
    max_chars: number;
    idle_s: number;
};
/**
 * A sentence (or first clause) begins at `sample`.
 */
export type SentenceMessage = {
    type: "sentence";
    ctx: number;
    index: number;
    text: string;
    char_start: number;
    char_end: number;
    sample: number;
};
/**
 * `[text, start_sample, end_sample, char_start, char_end]`; ends are exclusive, characters are Unicode code points.
 */
export type WordItem = [string, number, number, number, number];
export type WordsMessage = {
    type: "words";
    ctx: number;
    index: number;
    items: WordItem[];
};
/**
 * `[name, start_sample, end_sample]` of a phone or a mouth shape.
 */
export type SpanItem = [string, number, number];
export type SpansMessage = {
    type: "phonemes" | "visemes";
    ctx: number;
    index: number;
    items: SpanItem[];
};
export type Flushed = {
    type: "flushed";
    ctx: number;
    id: number | string;
    sample: number;
};
/**
 * The receipt of a finished utterance; docs/metrics.md defines the times, which are in milliseconds.
 */
export type Done = {
    type: "done";
    ctx: number;
    samples: number;
    chars: number;
    sentences: number;
    ttfc_ms: number | null;
    audible_ttfc_ms: number | null;
    queue_ms: number | null;
    total_ms: number;
    rtf: number | null;
    cached: boolean;
    stages: Record<string, number>;
};
export type Cancelled = {
    type: "cancelled";
    ctx: number;
    samples: number;
    text_done: number;
};
export type ErrorMessage = {
    type: "error";
    ctx?: number | null;
    code: string;
    message: string;
    retry_after_ms?: number | null;
};
/**
 * Audio of one utterance; `sample` counts from its start, `payload` is what the format makes of `samples` samples.
 */
export type AudioFrame = {
    type: "audio";
    ctx: number;
    seq: number;
    sample: number;
    samples: number;
    sentence: number;
    isFirst: boolean;
    endsSentence: boolean;
    isLast: boolean;
    cached: boolean;
    payload: Uint8Array;
};
export type Message = Ready | SentenceMessage | WordsMessage | SpansMessage | Flushed | Done | Cancelled | ErrorMessage | AudioFrame;
