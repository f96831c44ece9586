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
  static async open(context, destination) {
    await context.audioWorklet.addModule(new URL("./ring.js", import.meta.url));
    return new WorkletOutput(context, destination);
  }

  /** @param {AudioContext} context @param {AudioNode} destination */
  constructor(context, destination) {
    this.kind = "worklet";
    this.rate = context.sampleRate;
    this._context = context;
    this._node = new AudioWorkletNode(context, "zhiyin-ring", { numberOfInputs: 0, outputChannelCount: [1] });
    this._node.connect(destination);
  }

  get latencyMs() {
    return 1000 * outputLatency(this._context);
  }

  /** The frame that leaves the loudspeaker now. */
  heardFrame() {
    return (this._context.currentTime - outputLatency(this._context)) * this.rate;
  }

  /** @param {(report: Report) => void} onReport */
  listen(onReport) {
    this._node.port.onmessage = ({ data }) => onReport(data);
  }

  /** @param {import("./ring.js").Order} order */
  post(order) {
    if (order.type === "push") this._node.port.postMessage(order, [order.samples.buffer]);
    else this._node.port.postMessage(order);
  }

  close() {
    this._node.port.postMessage({ type: "close" });
    this._node.disconnect();
  }
}

/**
 * Seconds from the end of the graph to the ear, as far as the browser tells.
 * @param {AudioContext} context
 */
export function outputLatency(context) {
  return context.outputLatency || context.baseLatency || 0;
}
