/**
 * Seconds from the end of the graph to the ear, as far as the browser tells.
 * @param {AudioContext} context
 */
export function outputLatency(context: AudioContext): number;
/**
 * Sound by an AudioWorklet: the queue lives in the audio thread and no timer of the page can make it stutter.
 *
 * Input   orders for the queue (`ring.js`)
 * Output  sound at a node; the queue's reports
 * State   the node
 */
/** @typedef {import("./ring.js").Report} Report */
/** An `Output` of the player. */
export class WorkletOutput {
    /**
     * Load the processor into a context.
     * @param {AudioContext} context
     * @param {AudioNode} destination
     */
    static open(context: AudioContext, destination: AudioNode): Promise<WorkletOutput>;
    /** @param {AudioContext} context @param {AudioNode} destination */
    constructor(context: AudioContext, destination: AudioNode);
    kind: string;
    rate: number;
    _context: AudioContext;
    _node: AudioWorkletNode;
    get latencyMs(): number;
    /** The frame that leaves the loudspeaker now. */
    heardFrame(): number;
    /** @param {(report: Report) => void} onReport */
    listen(onReport: (report: Report) => void): void;
    /** @param {import("./ring.js").Order} order */
    post(order: import("./ring.js").Order): void;
    close(): void;
}
export type Report = import("./ring.js").Report;
