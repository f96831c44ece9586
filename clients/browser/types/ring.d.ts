/**
 * The queue that is played: one ring per utterance, one utterance after the other, without a gap.
 *
 * Input   samples at the device's rate; ends and drops of utterances; the cushion
 * Output  blocks of samples, and what happened in them
 * State   the rings, where playing is, the last 5 ms that were played
 *
 * In a worklet it is the processor of an AudioWorkletNode; anywhere else it is driven by whoever calls `render`. It has
 * no imports, because not every browser allows them in worklets, and knows no clock: time is the samples rendered.
 *
 * - An utterance starts when the cushion is full, or when all of it is there. The next follows in the next sample.
 * - Where samples are missing, the last 5 ms are played backwards and faded to silence: no step, nothing cut off, nothing
 *   guessed. The cushion is then waited for again, and the first 5 ms fade in. Samples are never dropped.
 * - A drop fades the next 5 ms and forgets the rest.
 */
export const FADE_MS: 5;
/** A ring buffer that doubles when it is full; positions only grow. */
export class Ring {
    constructor(capacity?: number);
    _data: Float32Array<ArrayBuffer>;
    _read: number;
    _written: number;
    get length(): number;
    /** @param {Float32Array} samples */
    write(samples: Float32Array): void;
    /**
     * Move samples to `out[at..]`; returns how many there were, `count` at most.
     * @param {Float32Array} out
     * @param {number} at
     * @param {number} count
     */
    read(out: Float32Array, at: number, count: number): number;
    _double(): void;
}
/** The queue; all counts are samples at the device's rate. */
export class PlaybackQueue {
    /** @param {number} rate */
    constructor(rate: number);
    frame: number;
    _fade: number;
    _cushion: number;
    /** @type {Track[]} */
    _tracks: Track[];
    _playing: boolean;
    _stalledAt: number;
    _isPause: boolean;
    _fadeIn: number;
    /** @type {Float32Array} */
    _tail: Float32Array;
    _tailAt: number;
    _history: Float32Array<ArrayBuffer>;
    _historyAt: number;
    /** @type {RingEvent[]} */
    _events: RingEvent[];
    /**
     * Do what a message says.
     * @param {Order} order
     */
    take(order: Order): void;
    /**
     * Fill a block.
     * @param {Float32Array} out
     */
    render(out: Float32Array): void;
    /** Return where playing is and what happened since the last report. */
    report(): Report;
    /** The utterance that plays, or will next; 0: none. */
    get head(): number;
    get isIdle(): boolean;
    /** Forget a fade-out that has begun: whoever plays the blocks later fades what is playing by itself. */
    skipFade(): void;
    get hasEvents(): boolean;
    /** @param {Float32Array} out @param {number} at */
    _renderTail(out: Float32Array, at: number): number;
    /**
     * Fill from the first utterance, as far as it reaches; returns how many samples were filled, which may be none.
     * @param {Float32Array} out
     * @param {number} at
     */
    _renderHead(out: Float32Array, at: number): number;
    /**
     * Begin an utterance, or go on with it, if there is enough.
     * @param {Track} track
     */
    _begin(track: Track): boolean;
    /**
     * The first utterance has no more samples: it is over, or they are late.
     * @param {Track} track
     * @param {Float32Array} block what was filled of the present block
     * @param {number} n how much of it just now
     */
    _ranOut(track: Track, block: Float32Array, n: number): void;
    /** @param {number} id */
    _drop(id: number): void;
    /** @param {Float32Array} block */
    _conceal(block: Float32Array): void;
    /**
     * Return the last 5 ms backwards: those of `block`, and before it those of earlier blocks.
     * @param {Float32Array} block
     */
    _mirror(block: Float32Array): Float32Array<ArrayBuffer>;
    /** @param {Float32Array} samples */
    _setTail(samples: Float32Array): void;
    /** @param {Float32Array} samples */
    _applyFadeIn(samples: Float32Array): void;
    /** @param {Float32Array} block */
    _remember(block: Float32Array): void;
    /** @param {RingEvent["type"]} type @param {number} id @param {number} samples */
    _tell(type: RingEvent["type"], id: number, samples: number): void;
}
/**
 * `start`: its first sample is at `frame`. `stall`: it ran dry; `underrun`: it goes on after `samples` of silence that
 * should not have been. `pause`: it goes on after text was waited for, which is nobody's fault. `end`: all of it was
 * played, or `dropped`.
 */
export type RingEvent = {
    type: "start" | "stall" | "underrun" | "pause" | "end";
    id: number;
    frame: number;
    samples: number;
    dropped?: boolean;
};
/**
 * What the queue reports: at `frame`, `played` samples of utterance `id` (0: none) had been rendered.
 */
export type Report = {
    frame: number;
    id: number;
    played: number;
    buffered: number;
    playing: boolean;
    events: RingEvent[];
};
export type Order = {
    type: "add";
    id: number;
} | {
    type: "push";
    id: number;
    samples: Float32Array;
    pause: boolean;
} | {
    type: "end";
    id: number;
} | {
    type: "drop";
    id: number;
} | {
    type: "cushion";
    samples: number;
};
/** One utterance in the queue. */
declare class Track {
    /** @param {number} id */
    constructor(id: number);
    id: number;
    ring: Ring;
    played: number;
    ended: boolean;
    mayPause: boolean;
}
export {};
