/** Made by `Player.track`. Set the callbacks that you need. */
export class Track {
    /**
     * @param {number} id
     * @param {number} rate Hz, of the samples that are pushed
     * @param {(order: import("./ring.js").Order) => void} post
     */
    constructor(id: number, rate: number, post: (order: import("./ring.js").Order) => void);
    id: number;
    rate: number;
    deviceRate: number;
    underruns: number;
    underrunMs: number;
    renderedSamples: number;
    heardSamples: number;
    /** The first sample is heard since `agoMs`. @type {(agoMs: number) => void} */
    onStart: (agoMs: number) => void;
    /** @type {(samples: number) => void} */
    onRendered: (samples: number) => void;
    /** @type {(samples: number) => void} */
    onHeard: (samples: number) => void;
    /** @type {(ms: number) => void} */
    onUnderrun: (ms: number) => void;
    /** All was heard, or it was dropped. @type {(dropped: boolean) => void} */
    onEnd: (dropped: boolean) => void;
    /** There will be no sound. @type {(error: unknown) => void} */
    onError: (error: unknown) => void;
    _post: (order: import("./ring.js").Order) => void;
    _pushed: number;
    /** @type {{samples: Float32Array, pause: boolean}[]} */
    _early: {
        samples: Float32Array;
        pause: boolean;
    }[];
    _isEnded: boolean;
    /** @type {Resampler | null} */
    _resampler: Resampler | null;
    /**
     * @param {Float32Array} samples they are taken over: do not use them again
     * @param {boolean} pause the text that comes after these is still being written
     */
    push(samples: Float32Array, pause: boolean): void;
    /** There are no more samples. */
    end(): void;
    /** Fade out at once and forget the rest. */
    drop(): void;
    /** The output is open and `deviceRate` known: send what waited. For the player only. */
    release(): void;
    /** @param {number} agoMs */
    started(agoMs: number): void;
    /** @param {number} frames at the device's rate */
    rendered(frames: number): void;
    /** @param {number} frames at the device's rate */
    heardTo(frames: number): void;
    /** @param {number} ms */
    underrun(ms: number): void;
    /** @param {number} frames @param {boolean} dropped */
    ended(frames: number, dropped: boolean): void;
    /** @param {unknown} error */
    fail(error: unknown): void;
    /** @param {number} frames */
    _samples(frames: number): number;
    /** @param {Float32Array} samples @param {boolean} pause */
    _send(samples: Float32Array, pause: boolean): void;
    _finish(): void;
}
import { Resampler } from "./resampler.js";
