import assert from "node:assert/strict";
import { test } from "node:test";
import { PlaybackQueue, Ring } from "../../../clients/browser/ring.js";

const RATE = 24_000;
const FADE = 120; // 5 ms

/** Samples 1, 2, 3, ... scaled to stay audible. */
const ramp = (count, from = 1) => Float32Array.from({ length: count }, (_, i) => (from + i) / 10_000);
const push = (queue, id, samples, pause = false) => queue.take({ type: "push", id, samples, pause });

function queueWith(cushion, ...ids) {
  const queue = new PlaybackQueue(RATE);
  queue.take({ type: "cushion", samples: cushion });
  for (const id of ids) queue.take({ type: "add", id });
  return queue;
}

/** Render `count` samples in blocks; returns them and the events. */
function render(queue, count, block = 128) {
  const out = new Float32Array(count);
  const events = [];
  for (let at = 0; at < count; at += block) {
    const part = out.subarray(at, Math.min(count, at + block));
    queue.render(part);
    events.push(...queue.report().events);
  }
  return { out, events };
}

test("a ring gives back what was written, across its border and its growth", () => {
  const ring = new Ring(8);
  const read = [];
  let written = 0;
  for (const [count, take] of [[5, 3], [6, 2], [20, 25], [3, 3], [100, 101]]) {
    ring.write(ramp(count, written + 1));
    written += count;
    const out = new Float32Array(take);
    read.push(...out.subarray(0, ring.read(out, 0, take)));
  }
  assert.deepEqual(read, [...ramp(written)]);
});

test("every cut of the input and of the output gives the same samples", () => {
  const samples = ramp(1000);
  for (const piece of [1, 7, 128, 333, 1000]) {
    for (const block of [1, 64, 128, 441]) {
      const queue = queueWith(0, 1);
      for (let at = 0; at < samples.length; at += piece) push(queue, 1, samples.slice(at, at + piece));
      queue.take({ type: "end", id: 1 });
      assert.deepEqual(render(queue, 1000, block).out, samples);
    }
  }
});

test("playing starts when the cushion is full, or when all is there", () => {
  const queue = queueWith(500, 1);
  push(queue, 1, ramp(499));
  assert.ok(render(queue, 256).out.every((sample) => sample === 0));
  push(queue, 1, ramp(1, 500));
  const { out, events } = render(queue, 128);
  assert.deepEqual(out, ramp(128));
  assert.deepEqual(events, [{ type: "start", id: 1, frame: 256, samples: 0 }]);

  const short = queueWith(500, 1);
  push(short, 1, ramp(10));
  short.take({ type: "end", id: 1 });
  assert.deepEqual(render(short, 10).out, ramp(10));
});

test("the next utterance follows in the next sample", () => {
  const queue = queueWith(50, 1, 2);
  push(queue, 2, ramp(300, 1001)); // whoever is later in the queue may be earlier on the wire
  push(queue, 1, ramp(100));
  queue.take({ type: "end", id: 1 });
  queue.take({ type: "end", id: 2 });
  const { out, events } = render(queue, 512);
  assert.deepEqual(out.slice(0, 400), Float32Array.from([...ramp(100), ...ramp(300, 1001)]));
  assert.deepEqual(events.map(({ type, id, frame }) => [type, id, frame]), [["start", 1, 0], ["end", 1, 100], ["start", 2, 100], ["end", 2, 400]]);
});

test("the second utterance never overtakes the first", () => {
  const queue = queueWith(10, 1, 2);
  push(queue, 2, ramp(500, 1001));
  assert.ok(render(queue, 256).out.every((sample) => sample === 0));
});

test("running dry is concealed, counted, and loses no sample", () => {
  const queue = queueWith(200, 1);
  push(queue, 1, new Float32Array(300).fill(0.5));
  const first = render(queue, 1280);
  push(queue, 1, new Float32Array(300).fill(0.5));
  queue.take({ type: "end", id: 1 });
  const second = render(queue, 512);
  const all = [...first.out, ...second.out.slice(0, 300)];
  const largest = Math.max(...all.slice(1).map((sample, i) => Math.abs(sample - all[i])));
  assert.ok(largest <= 0.5 / FADE + 1e-6, `a step of ${largest}`);
  assert.equal(all.filter((sample) => sample === 0.5).length, 300 + 300 - FADE); // the fade-in is quieter, not shorter
  const [underrun] = second.events;
  assert.deepEqual([underrun.type, underrun.samples], ["underrun", 1280 - 300]);
  assert.equal(second.events.at(-1).samples, 600);
});

test("concealment continues the wave backwards: no step where it begins", () => {
  const queue = queueWith(0, 1);
  const wave = Float32Array.from({ length: 333 }, (_, i) => Math.sin(i / 9));
  push(queue, 1, wave);
  const { out } = render(queue, 640);
  const step = Math.abs(out[333] - out[332]);
  assert.ok(step < 0.02, `${step}`);
  assert.ok(out.slice(333 + FADE).every((sample) => sample === 0));
});

test("waiting for text is a pause, not an underrun", () => {
  const queue = queueWith(0, 1);
  push(queue, 1, ramp(100), true);
  render(queue, 256);
  push(queue, 1, ramp(100));
  assert.equal(render(queue, 50).events[0].type, "pause");
});

test("an end that comes late is no underrun", () => {
  const queue = queueWith(0, 1);
  push(queue, 1, ramp(100));
  render(queue, 256);
  queue.take({ type: "end", id: 1 });
  assert.deepEqual(render(queue, 128).events.map(({ type }) => type), ["end"]);
});

test("a drop fades out within 5 ms and tells what was played", () => {
  const queue = queueWith(0, 1, 2);
  push(queue, 1, new Float32Array(5000).fill(0.5));
  push(queue, 2, new Float32Array(100).fill(0.25));
  queue.take({ type: "end", id: 2 });
  render(queue, 256);
  queue.take({ type: "drop", id: 1 });
  const { out, events } = render(queue, 512);
  assert.ok(out[0] < 0.5 && out[0] > 0.49);
  assert.ok(out.slice(1, FADE).every((sample, i) => sample < out[i]));
  assert.deepEqual(out.slice(FADE, FADE + 100), new Float32Array(100).fill(0.25));
  assert.ok(out.slice(FADE + 100).every((sample) => sample === 0));
  assert.deepEqual(events[0], { type: "end", id: 1, frame: 256, samples: 256, dropped: true });
});

test("audio of a dropped utterance that still arrives is not heard", () => {
  const queue = queueWith(0, 1);
  queue.take({ type: "drop", id: 1 });
  push(queue, 1, ramp(100));
  assert.ok(render(queue, 256).out.every((sample) => sample === 0));
  assert.ok(queue.isIdle);
});

test("an utterance without audio ends without a start", () => {
  const queue = queueWith(100, 1);
  queue.take({ type: "end", id: 1 });
  assert.deepEqual(render(queue, 128).events.map(({ type }) => type), ["end"]);
});
