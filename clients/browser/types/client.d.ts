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
export function connect(url: string | URL, options?: ConnectOptions): Client;
/** @extends {Emitter<ClientEvents>} */
export class Client extends Emitter<ClientEvents> {
    /**
     * @param {string | URL} url
     * @param {ConnectOptions} [options]
     */
    constructor(url: string | URL, options?: ConnectOptions);
    /** What the server offers. @type {import("./wire.js").Ready | null} */
    offer: import("./wire.js").Ready | null;
    player: Player;
    _defaults: import("./speech.js").SpeakFields;
    _now: () => number;
    _nextCtx: number;
    /** @type {Map<number, Speech>} */
    _served: Map<number, Speech>;
    /** @type {Set<Speech>} */
    _audible: Set<Speech>;
    _connection: Connection;
    /** "connecting", "open", "waiting" (for the next attempt), "idle" (connects when needed) or "closed". */
    get state(): import("./connection.js").ConnectionState;
    /** Utterances that are being spoken or wait for it, oldest first. */
    get speeches(): Speech[];
    /**
     * Speak a text: a string, or pieces as they are written. Utterances are heard one after the other.
     * @param {import("./pieces.js").Text} text
     * @param {SpeakOptions} [options]
     * @returns {Speech}
     * @throws {RangeError} the format cannot be played
     */
    speak(text: import("./pieces.js").Text, options?: SpeakOptions): Speech;
    /** Stop everything at once. */
    cancel(): void;
    /**
     * Make the loudspeaker ready; in the handler of a gesture this also lets sound out.
     * @param {number} [rate] Hz, if not that of the defaults
     */
    prepare(rate?: number): Promise<void>;
    /** Stop, disconnect, and free the loudspeaker. */
    close(): Promise<void>;
    _listen(): void;
    /** @param {import("./wire.js").Message} message */
    _dispatch(message: import("./wire.js").Message): void;
    /**
     * Send a message; an utterance more than the server takes at a time waits for its turn.
     * @param {Record<string, unknown>} message
     */
    _send(message: Record<string, unknown>): boolean;
    /** Give the server the utterances that it does not have, as many as it takes. */
    _openWaiting(): void;
    /** @param {Speech} speech */
    _forget(speech: Speech): void;
    _freeCtx(): number;
}
export type ConnectFields = {
    /**
     * of the server, if it wants one
     */
    token?: string | undefined;
    /**
     * of every `speak`
     */
    defaults?: import("./speech.js").SpeakFields | undefined;
    /**
     * failures in a row after which it gives up (no limit)
     */
    retries?: number | undefined;
    /**
     * other delays
     */
    backoff?: import("./backoff.js").Backoff | undefined;
    /**
     * in the place of `new WebSocket`
     */
    socket?: ((url: string, protocol: string) => WebSocket) | undefined;
    /**
     * milliseconds ("performance.now")
     */
    now?: (() => number) | undefined;
};
export type ConnectOptions = ConnectFields & import("./player.js").PlayerOptions;
/**
 * `replaces`: stop these and speak this: the user interrupted.
 */
export type SpeakOptions = import("./speech.js").SpeakFields & {
    replaces?: "all" | Speech | Speech[];
};
/**
 * `ready`: what the server offers, at each connection. `lost`, `waiting`: it is coming back. `closed`: it is not.
 * `blocked`: the browser waits for a gesture before it lets sound out. `error`: the server's, about no utterance.
 */
export type ClientEvents = {
    ready: import("./wire.js").Ready;
    lost: Error;
    waiting: {
        ms: number;
        attempt: number;
    };
    closed: Error;
    error: ServerError;
    speech: Speech;
} & import("./player.js").PlayerEvents;
import { Emitter } from "./emitter.js";
import { Player } from "./player.js";
import { Speech } from "./speech.js";
import { Connection } from "./connection.js";
import { ServerError } from "./wire.js";
