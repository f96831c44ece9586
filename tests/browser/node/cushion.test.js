import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../../clients/browser/backoff.js";
import { Cushion, Lateness } from "../../../clients/browser/cushion.js";

test("audio that comes faster than it is heard needs no cushion", () => {
  const lateness = new Lateness();
  for (let i = 0; i < 10; i++) lateness.arrived(100 + 20 * i, 100 * i);
  assert.equal(lateness.needMs, 0);
});

test("the need is the worst lateness after the first arrival", () => {
  const lateness = new Lateness();
  for (const [now, place] of [[500, 0], [560, 40], [900, 240], [910, 440]]) lateness.arrived(now, place);
  assert.equal(lateness.needMs, 160);
});

test("time that the writer took is not lateness", () => {
  const lateness = new Lateness();
  lateness.arrived(0, 0);
  lateness.paused();
  lateness.arrived(9000, 500);
  lateness.arrived(9100, 600);
  assert.equal(lateness.needMs, 0);
});

test("the cushion grows at once, and comes back slowly", () => {
  const cushion = new Cushion();
  assert.equal(cushion.ms, 40);
  cushion.needed(200);
  assert.equal(cushion.ms, 250);
  cushion.over({ needMs: 200, ranDry: false });
  for (let i = 0; i < 7; i++) cushion.over({ needMs: 0, ranDry: false });
  assert.equal(cushion.ms, 250); // eight utterances are remembered
  const seen = [];
  for (let i = 0; i < 30; i++) {
    cushion.over({ needMs: 0, ranDry: false });
    seen.push(cushion.ms);
  }
  assert.ok(seen.every((ms, i) => i === 0 || ms <= seen[i - 1]));
  assert.ok(seen[0] > 190 && seen[29] < 21 && seen[29] >= 20);
});

test("running dry grows it by half and keeps it", () => {
  const cushion = new Cushion();
  cushion.ranDry();
  assert.equal(cushion.ms, 80);
  cushion.over({ needMs: 0, ranDry: true });
  assert.equal(cushion.ms, 80);
});

test("limits are kept", () => {
  const cushion = new Cushion({ startMs: 5, minMs: 30, maxMs: 100 });
  assert.equal(cushion.ms, 30);
  cushion.needed(5000);
  assert.equal(cushion.ms, 100);
});

test("delays double, with jitter, up to the limit, and begin anew after success", () => {
  for (const [random, factor] of [[0, 0.5], [1, 1]]) {
    const backoff = new Backoff({ random: () => random });
    const delays = Array.from({ length: 8 }, () => backoff.failed());
    assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000].map((ms) => ms * factor));
    assert.equal(backoff.failed(60_000), 60_000);
    backoff.worked();
    assert.equal(backoff.failed(), 250 * factor);
  }
});
