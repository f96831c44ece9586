import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "../../../clients/browser/resampler.js";

const RATES = [[24_000, 48_000], [24_000, 44_100], [16_000, 44_100], [48_000, 44_100], [44_100, 24_000], [22_050, 48_000], [8_000, 48_000]];
const sine = (hz, rate, count) => Float32Array.from({ length: count }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));
const db = (ratio) => 20 * Math.log10(ratio);

function convert(from, to, samples, cuts = [samples.length]) {
  const resampler = new Resampler(from, to);
  const out = [];
  let at = 0;
  for (const cut of cuts) {
    out.push(...resampler.push(samples.subarray(at, at + cut)));
    at += cut;
  }
  assert.equal(at, samples.length);
  return Float32Array.from([...out, ...resampler.flush()]);
}

for (const [from, to] of RATES) {
  test(`${from} to ${to}: any cut gives the same samples, and the right number of them`, () => {
    const samples = Float32Array.from({ length: 700 }, (_, i) => Math.sin(i * i));
    const whole = convert(from, to, samples);
    assert.equal(whole.length, Math.ceil((samples.length * to) / from));
    assert.deepEqual(convert(from, to, samples, new Array(700).fill(1)), whole);
    assert.deepEqual(convert(from, to, samples, [0, 1, 13, 128, 0, 300, 258]), whole);
  });

  test(`${from} to ${to}: a tone stays itself, without delay`, () => {
    const hz = 1000;
    const out = convert(from, to, sine(hz, from, from / 4));
    const wanted = sine(hz, to, out.length);
    const edge = Math.round(to / 100);
    let error = 0;
    let power = 0;
    for (let i = edge; i < out.length - edge; i++) {
      error += (out[i] - wanted[i]) ** 2;
      power += wanted[i] ** 2;
    }
    assert.ok(db(Math.sqrt(error / power)) < -70, `${db(Math.sqrt(error / power))} dB`);
  });
}

test("what the lower rate cannot hold is removed, not mirrored", () => {
  const out = convert(48_000, 24_000, sine(14_000, 48_000, 12_000));
  const peak = Math.max(...out.slice(200, -200).map(Math.abs));
  assert.ok(db(peak / 0.5) < -70, `${db(peak / 0.5)} dB`);
});

test("images above the source's band are removed", () => {
  const out = convert(24_000, 48_000, sine(9_000, 24_000, 6_000)); // its image would be at 15 kHz
  const wanted = sine(9_000, 48_000, out.length);
  const peak = Math.max(...out.slice(400, -400).map((sample, i) => Math.abs(sample - wanted[i + 400])));
  assert.ok(db(peak / 0.5) < -60, `${db(peak / 0.5)} dB`);
});
