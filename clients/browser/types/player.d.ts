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
export class Player extends Emitter<PlayerEvents> {
    /** @param {PlayerOptions} [options] */
    constructor(options?: PlayerOptions);
    cushion: Cushion;
    underruns: number;
    underrunMs: number;
    blocked: boolean;
    /** @type {AudioContext | null} */
    context: AudioContext | null;
    /** The last node before the destination: connect an analyser to it. @type {GainNode | null} */
    node: GainNode | null;
    /** @type {Output | null} */
    output: Output | null;
    _options: PlayerOptions;
    /** @type {Promise<Output> | null} */
    _opening: Promise<Output> | null;
    /** @type {Gestures | null} */
    _gestures: Gestures | null;
    /** @type {Order[]} */
    _early: Order[];
    /** @type {Map<number, Track>} */
    _tracks: Map<number, Track>;
    _numbers: number;
    /** @type {Report[]} */
    _unheard: Report[];
    _timer: number | null;
    _cushionMs: number;
    /**
     * Make the output ready before it is needed; best called in a handler of a gesture, which also lets sound out.
     * @param {number} [rate] Hz, of the audio that will come first
     */
    prepare(rate?: number): Promise<Output>;
    /**
     * Queue an utterance behind the others; its samples may come at once or later.
     * @param {number} rate Hz, of the samples that will be pushed
     * @returns {Track}
     */
    track(rate: number): Track;
    /** Tell the queue how long the cushion is now; whoever changes it calls this. */
    tellCushion(): void;
    /** Tell the utterances what has been heard by now; it happens by itself some 50 times a second. */
    hear(): void;
    /** Stop all sound, with a fade. */
    silence(): void;
    /** Free everything; a context of yours stays open. */
    close(): Promise<void>;
    /** @param {number} rate */
    _open(rate: number): Promise<Output>;
    /** @param {number} rate @returns {Promise<Output>} */
    _openContext(rate: number): Promise<Output>;
    /** @param {Order} order */
    _post(order: Order): void;
    /** @param {Report} report */
    _report(report: Report): void;
    /** @param {import("./ring.js").RingEvent} event @param {number} rate */
    _happened(event: import("./ring.js").RingEvent, rate: number): void;
    /**
     * Tell what has been heard by now, and come back for the rest.
     * @param {Output} output
     */
    _hear(output: Output): void;
    /** @param {Report} report @param {number} heard */
    _heard(report: Report, heard: number): void;
    /** @param {import("./ring.js").RingEvent} event @param {number} heard the frame that is being heard now */
    _eventHeard(event: import("./ring.js").RingEvent, heard: number): void;
    /** @param {unknown} error */
    _fail(error: unknown): void;
}
export type Report = import("./ring.js").Report;
export type Order = import("./ring.js").Order;
/**
 * What plays: takes orders, gives reports, and knows which frame is being heard.
 */
export type Output = {
    rate: number;
    kind: string;
    latencyMs: number;
    heardFrame: () => number;
    post: (order: Order) => void;
    listen: (onReport: (report: Report) => void) => void;
    close: () => void;
};
export type PlayerOptions = {
    /**
     * Hz at which to open the AudioContext; where that is refused, sound is resampled (24000)
     */
    rate?: number | undefined;
    /**
     * your own, if you have one; it stays open
     */
    context?: AudioContext | undefined;
    /**
     * where sound goes instead of the context's destination
     */
    destination?: AudioNode | undefined;
    /**
     * as of AudioContext ("interactive")
     */
    latencyHint?: number | AudioContextLatencyCategory | undefined;
    /**
     * false: AudioBufferSourceNodes even where there are worklets
     */
    worklet?: boolean | undefined;
    cushion?: {
        startMs?: number;
        minMs?: number;
        maxMs?: number;
    } | undefined;
    /**
     * plays in the place of all this; for tests and for other machines than loudspeakers
     */
    output?: Output | undefined;
};
/**
 * `blocked`: the browser wants a gesture first; `unblocked`: it had one. `level`: a report, some 50 times a second.
 * `underrun`: audio was late by `ms`. `cushion`: its new length.
 */
export type PlayerEvents = {
    blocked: null;
    unblocked: null;
    level: {
        bufferedMs: number;
        playing: boolean;
        latencyMs: number;
    };
    underrun: {
        ms: number;
        count: number;
    };
    cushion: {
        ms: number;
    };
};
import { Emitter } from "./emitter.js";
import { Cushion } from "./cushion.js";
import { Gestures } from "./gestures.js";
import { Track } from "./track.js";
