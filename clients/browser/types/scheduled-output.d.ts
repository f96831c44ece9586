/** An `Output` of the player. */
export class ScheduledOutput {
    /** @param {AudioContext} context @param {AudioNode} destination */
    constructor(context: AudioContext, destination: AudioNode);
    kind: string;
    rate: number;
    _context: AudioContext;
    _destination: AudioNode;
    _queue: PlaybackQueue;
    _cursor: number;
    _block: number;
    /** @type {Set<AudioBufferSourceNode>} */
    _sources: Set<AudioBufferSourceNode>;
    _gain: GainNode;
    /** @type {(report: import("./ring.js").Report) => void} */
    _onReport: (report: import("./ring.js").Report) => void;
    _timer: number;
    get latencyMs(): number;
    /** The frame that leaves the loudspeaker now. */
    heardFrame(): number;
    /** @param {(report: import("./ring.js").Report) => void} onReport */
    listen(onReport: (report: import("./ring.js").Report) => void): void;
    /** @param {import("./ring.js").Order} order */
    post(order: import("./ring.js").Order): void;
    close(): void;
    /** Render what is due, as far ahead as the page needs. */
    _pump(): void;
    _render(): void;
    /** @param {Float32Array<ArrayBuffer>} block */
    _schedule(block: Float32Array<ArrayBuffer>): void;
    /**
     * Drop the utterance that is playing: fade what is heard now, unschedule the rest.
     * @param {number} id
     */
    _cut(id: number): void;
    _newGain(): GainNode;
}
import { PlaybackQueue } from "./ring.js";
