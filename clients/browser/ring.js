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

export const FADE_MS = 5;

/**
 * `start`: its first sample is at `frame`. `stall`: it ran dry; `underrun`: it goes on after `samples` of silence that
 * should not have been. `pause`: it goes on after text was waited for, which is nobody's fault. `end`: all of it was
 * played, or `dropped`.
 * @typedef {{type: "start" | "stall" | "underrun" | "pause" | "end", id: number, frame: number, samples: number, dropped?: boolean}} RingEvent
 */
/**
 * What the queue reports: at `frame`, `played` samples of utterance `id` (0: none) had been rendered.
 * @typedef {{frame: number, id: number, played: number, buffered: number, playing: boolean, events: RingEvent[]}} Report
 */
/** @typedef {{type: "add", id: number} | {type: "push", id: number, samples: Float32Array, pause: boolean} | {type: "end", id: number} | {type: "drop", id: number} | {type: "cushion", samples: number}} Order */

const FIRST_CAPACITY = 16_384;

/** A ring buffer that doubles when it is full; positions only grow. */
export class Ring {
  constructor(capacity = FIRST_CAPACITY) {
    this._data = new Float32Array(capacity); // a power of two
    this._read = 0;
    this._written = 0;
  }

  get length() {
    return this._written - this._read;
  }

  /** @param {Float32Array} samples */
  write(samples) {
    while (this.length + samples.length > this._data.length) this._double();
    const at = this._written & (this._data.length - 1);
    const fits = Math.min(samples.length, this._data.length - at);
    this._data.set(samples.subarray(0, fits), at);
    this._data.set(samples.subarray(fits), 0);
    this._written += samples.length;
  }

  /**
   * Move samples to `out[at..]`; returns how many there were, `count` at most.
   * @param {Float32Array} out
   * @param {number} at
   * @param {number} count
   */
  read(out, at, count) {
    const n = Math.min(count, this.length);
    const from = this._read & (this._data.length - 1);
    const fits = Math.min(n, this._data.length - from);
    out.set(this._data.subarray(from, from + fits), at);
    out.set(this._data.subarray(0, n - fits), at + fits);
    this._read += n;
    return n;
  }

  _double() {
    const wider = new Float32Array(2 * this._data.length);
    const n = this.length;
    this.read(wider, 0, n);
    this._data = wider;
    this._read = 0;
    this._written = n;
  }
}

/** One utterance in the queue. */
class Track {
  /** @param {number} id */
  constructor(id) {
    this.id = id;
    this.ring = new Ring();
    this.played = 0;
    this.ended = false;
    this.mayPause = false; // its last sample ends a sentence, and the next one's text is still being written
  }
}

/** The queue; all counts are samples at the device's rate. */
export class PlaybackQueue {
  /** @param {number} rate */
  constructor(rate) {
    this.frame = 0; // samples rendered so far
    this._fade = Math.max(1, Math.round((rate * FADE_MS) / 1000));
    this._cushion = 0;
    /** @type {Track[]} */
    this._tracks = [];
    this._playing = false;
    this._stalledAt = -1; // frame since which samples are missing
    this._isPause = false;
    this._fadeIn = 0; // samples of the fade-in that are left
    /** @type {Float32Array} */
    this._tail = new Float32Array(0); // a fade-out that goes before everything else
    this._tailAt = 0;
    this._history = new Float32Array(this._fade); // what was played last, a ring
    this._historyAt = 0;
    /** @type {RingEvent[]} */
    this._events = [];
  }

  /**
   * Do what a message says.
   * @param {Order} order
   */
  take(order) {
    if (order.type === "add") this._tracks.push(new Track(order.id));
    else if (order.type === "cushion") this._cushion = order.samples;
    else if (order.type === "drop") this._drop(order.id);
    else if (order.type === "push" || order.type === "end") {
      const track = this._tracks.find(({ id }) => id === order.id);
      if (!track) return; // dropped meanwhile
      if (order.type === "end") track.ended = true;
      else {
        track.ring.write(order.samples);
        track.mayPause = order.pause;
      }
    }
  }

  /**
   * Fill a block.
   * @param {Float32Array} out
   */
  render(out) {
    let at = 0;
    while (at < out.length) {
      const n = this._tailAt < this._tail.length ? this._renderTail(out, at) : this._renderHead(out, at);
      this.frame += n;
      at += n;
    }
    this._remember(out);
  }

  /** Return where playing is and what happened since the last report. */
  report() {
    const [head] = this._tracks;
    const events = this._events;
    this._events = [];
    /** @type {Report} */
    const report = {
      frame: this.frame,
      id: this.head,
      played: head?.played ?? 0,
      buffered: this._tracks.reduce((sum, track) => sum + track.ring.length, 0),
      playing: this._playing,
      events,
    };
    return report;
  }

  /** The utterance that plays, or will next; 0: none. */
  get head() {
    return this._tracks[0]?.id ?? 0;
  }

  get isIdle() {
    return this._tracks.length === 0 && this._tailAt >= this._tail.length;
  }

  /** Forget a fade-out that has begun: whoever plays the blocks later fades what is playing by itself. */
  skipFade() {
    this._tailAt = this._tail.length;
    this._fadeIn = 0;
    this._history.fill(0);
  }

  get hasEvents() {
    return this._events.length > 0;
  }

  /** @param {Float32Array} out @param {number} at */
  _renderTail(out, at) {
    const n = Math.min(out.length - at, this._tail.length - this._tailAt);
    out.set(this._tail.subarray(this._tailAt, this._tailAt + n), at);
    this._tailAt += n;
    return n;
  }

  /**
   * Fill from the first utterance, as far as it reaches; returns how many samples were filled, which may be none.
   * @param {Float32Array} out
   * @param {number} at
   */
  _renderHead(out, at) {
    const track = this._tracks[0];
    if (!track || !(this._playing || this._begin(track))) {
      out.fill(0, at);
      return out.length - at;
    }
    const n = track.ring.read(out, at, out.length - at);
    if (this._fadeIn) this._applyFadeIn(out.subarray(at, at + n));
    track.played += n;
    if (track.ring.length === 0) this._ranOut(track, out.subarray(0, at + n), n);
    return n;
  }

  /**
   * Begin an utterance, or go on with it, if there is enough.
   * @param {Track} track
   */
  _begin(track) {
    const { length } = track.ring;
    if (!track.ended && length < Math.max(1, this._cushion)) return false;
    this._playing = true;
    if (this._stalledAt >= 0 && length) {
      const type = this._isPause ? "pause" : "underrun";
      this._tell(type, track.id, this.frame - this._stalledAt);
      this._fadeIn = this._fade;
    }
    this._stalledAt = -1;
    if (track.played === 0 && length) this._tell("start", track.id, 0);
    return true;
  }

  /**
   * The first utterance has no more samples: it is over, or they are late.
   * @param {Track} track
   * @param {Float32Array} block what was filled of the present block
   * @param {number} n how much of it just now
   */
  _ranOut(track, block, n) {
    this._playing = false;
    if (track.ended) {
      this._tracks.shift();
      this._fadeIn = 0;
      this._events.push({ type: "end", id: track.id, frame: this.frame + n, samples: track.played });
      return;
    }
    this._stalledAt = this.frame + n;
    this._isPause = track.mayPause;
    this._events.push({ type: "stall", id: track.id, frame: this.frame + n, samples: 0 });
    this._conceal(block);
  }

  /** @param {number} id */
  _drop(id) {
    const index = this._tracks.findIndex((track) => track.id === id);
    if (index < 0) return;
    const [track] = this._tracks.splice(index, 1);
    this._events.push({ type: "end", id, frame: this.frame, samples: track.played, dropped: true });
    if (index > 0) return;
    if (this._playing) {
      const fade = new Float32Array(this._fade);
      const n = track.ring.read(fade, 0, fade.length);
      if (n < fade.length) fade.set(this._mirror(fade.subarray(0, n)).subarray(0, fade.length - n), n);
      this._setTail(fade);
    }
    this._playing = false;
    this._fadeIn = 0;
    this._stalledAt = -1;
  }

  /** @param {Float32Array} block */
  _conceal(block) {
    this._setTail(this._mirror(block));
  }

  /**
   * Return the last 5 ms backwards: those of `block`, and before it those of earlier blocks.
   * @param {Float32Array} block
   */
  _mirror(block) {
    const fade = this._fade;
    const mirrored = new Float32Array(fade);
    for (let i = 0; i < fade; i++) {
      const back = i - block.length; // how far before this block
      mirrored[i] = back < 0 ? block[block.length - 1 - i] : this._history[(this._historyAt + 2 * fade - 1 - back) % fade];
    }
    return mirrored;
  }

  /** @param {Float32Array} samples */
  _setTail(samples) {
    for (let i = 0; i < samples.length; i++) samples[i] *= 1 - (i + 1) / samples.length;
    this._tail = samples;
    this._tailAt = 0;
  }

  /** @param {Float32Array} samples */
  _applyFadeIn(samples) {
    for (let i = 0; i < samples.length && this._fadeIn > 0; i++, this._fadeIn--) samples[i] *= 1 - this._fadeIn / this._fade;
  }

  /** @param {Float32Array} block */
  _remember(block) {
    const fade = this._fade;
    for (let i = Math.max(0, block.length - fade); i < block.length; i++) {
      this._history[this._historyAt] = block[i];
      this._historyAt = (this._historyAt + 1) % fade;
    }
  }

  /** @param {RingEvent["type"]} type @param {number} id @param {number} samples */
  _tell(type, id, samples) {
    this._events.push({ type, id, frame: this.frame, samples });
  }
}

const REPORT_S = 0.02;
const LINGER_S = 1.0; // reports go on for a while: what was rendered is heard later

/** @param {any} scope the global scope of a worklet */
function register(scope) {
  class RingProcessor extends scope.AudioWorkletProcessor {
    constructor() {
      super();
      this._queue = new PlaybackQueue(scope.sampleRate);
      this._base = 0; // what `currentFrame` was at the queue's frame 0
      this._reportedAt = 0;
      this._busyAt = -Infinity;
      this._closed = false;
      this.port.onmessage = (/** @type {MessageEvent<Order | {type: "close"}>} */ { data }) => {
        if (data.type === "close") this._closed = true;
        else this._queue.take(data);
      };
    }

    /** @param {Float32Array[][]} _ @param {Float32Array[][]} outputs */
    process(_, outputs) {
      const queue = this._queue;
      const [out, ...others] = outputs[0];
      queue.frame = scope.currentFrame;
      queue.render(out);
      for (const other of others) other.set(out);
      if (!queue.isIdle) this._busyAt = scope.currentTime;
      const isDue = scope.currentTime - this._reportedAt >= REPORT_S && scope.currentTime - this._busyAt < LINGER_S;
      if (isDue || queue.hasEvents) {
        this._reportedAt = scope.currentTime;
        this.port.postMessage(queue.report());
      }
      return !this._closed;
    }
  }
  scope.registerProcessor("zhiyin-ring", RingProcessor);
}

if (typeof (/** @type {any} */ (globalThis).registerProcessor) === "function") register(globalThis);
