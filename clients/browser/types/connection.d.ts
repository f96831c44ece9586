/** The connection is gone. */
export class ConnectionLostError extends Error {
    /** @param {string} message @param {number} code the WebSocket's close code */
    constructor(message: string, code: number);
    code: number;
}
/**
 * `waiting`: the next attempt is in `ms`. `closed`: there will be none.
 * @typedef {{open: null, message: import("./wire.js").Message, lost: ConnectionLostError, waiting: {ms: number, attempt: number}, closed: Error}} ConnectionEvents
 */
/** @typedef {"connecting" | "open" | "waiting" | "idle" | "closed"} ConnectionState */
/** @extends {Emitter<ConnectionEvents>} */
export class Connection extends Emitter<ConnectionEvents> {
    /**
     * @param {string} url
     * @param {{token?: string, retries?: number, backoff?: Backoff, socket?: (url: string, protocol: string) => WebSocket}} [options]
     */
    constructor(url: string, { token, retries, backoff, socket }?: {
        token?: string;
        retries?: number;
        backoff?: Backoff;
        socket?: (url: string, protocol: string) => WebSocket;
    });
    url: string;
    token: string;
    /** @type {ConnectionState} */
    state: ConnectionState;
    _retries: number;
    _backoff: Backoff;
    _newSocket: (url: string, protocol: string) => WebSocket;
    /** @type {WebSocket | null} */
    _socket: WebSocket | null;
    _timer: number | undefined;
    _steady: number | undefined;
    _retryAfterMs: number;
    _online: () => void;
    /** Connect, if there is no connection and none on its way. */
    open(): void;
    /**
     * Send a message; returns whether there was a connection to send it on.
     * @param {Record<string, unknown>} fields
     */
    send(fields: Record<string, unknown>): boolean;
    /** Close for good. */
    close(): void;
    _connect(): void;
    _opened(): void;
    /** @param {string | ArrayBuffer} data */
    _received(data: string | ArrayBuffer): void;
    /** @param {number} code @param {string} reason */
    _lost(code: number, reason: string): void;
    _wait(): void;
    /** @param {Error} error */
    _end(error: Error): void;
}
/**
 * `waiting`: the next attempt is in `ms`. `closed`: there will be none.
 */
export type ConnectionEvents = {
    open: null;
    message: import("./wire.js").Message;
    lost: ConnectionLostError;
    waiting: {
        ms: number;
        attempt: number;
    };
    closed: Error;
};
export type ConnectionState = "connecting" | "open" | "waiting" | "idle" | "closed";
import { Emitter } from "./emitter.js";
import { Backoff } from "./backoff.js";
