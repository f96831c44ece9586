import assert from "node:assert/strict";
import { test } from "node:test";
import { Captions } from "../../../clients/browser/captions.js";
import { decoder, PLAYABLE } from "../../../clients/browser/formats.js";
import { Onset } from "../../../clients/browser/onset.js";
import { cut, pieces } from "../../../clients/browser/pieces.js";

test("an item is told once, when it begins", () => {
  const captions = new Captions();
  for (const sample of [0, 100, 100, 250]) captions.add(sample, sample);
  assert.deepEqual(captions.until(0), [0]);
  assert.deepEqual(captions.until(99), []);
  assert.deepEqual(captions.until(100), [100, 100]);
  assert.deepEqual(captions.until(Infinity), [250]);
  assert.deepEqual(captions.until(Infinity), []);
});

test("items that come late or out of order are told in the order of their times", () => {
  const captions = new Captions();
  captions.add(300, "c");
  captions.add(100, "a");
  captions.add(200, "b");
  assert.deepEqual(captions.until(250), ["a", "b"]);
  captions.add(50, "late");
  assert.deepEqual(captions.until(250), ["late"]);
});

test("a long text does not pile up", () => {
  const captions = new Captions();
  for (let i = 0; i < 10_000; i++) {
    captions.add(i, i);
    assert.deepEqual(captions.until(i), [i]);
  }
  assert.ok(captions._ahead.length < 100);
  assert.equal(captions.length, 0);
});

test("pieces joined are the text, and no character is cut in two", async () => {
  const text = "😀好".repeat(1700);
  const parts = [...cut(text)];
  assert.equal(parts.join(""), text);
  assert.ok(parts.every((part) => part.isWellFormed?.() ?? true));
  assert.ok(parts.every((part) => [...part].length <= 1000));
  async function* halves() {
    for (let i = 0; i < 50; i++) yield text[i]; // cut inside every pair
  }
  const got = [];
  for await (const piece of pieces(halves())) got.push(piece);
  assert.equal(got.join(""), text.slice(0, 50));
  assert.ok(got.every((part) => !/[\ud800-\udbff]$/.test(part)));
});

test("16-bit and float samples are exact", () => {
  const ints = Int16Array.of(0, 1, -1, 32767, -32768);
  assert.deepEqual([...decoder("pcm_s16le")(new Uint8Array(ints.buffer))].map((sample) => sample * 32768), [...ints]);
  const floats = Float32Array.of(0, 0.1, -1);
  assert.deepEqual(decoder("pcm_f32le")(new Uint8Array(floats.buffer)), floats);
});

test("G.711 is that of the standard", () => {
  const told = (name, codes) => [...decoder(name)(Uint8Array.from(codes))].map((sample) => Math.round(sample * 32768));
  assert.deepEqual(told("ulaw", [0xff, 0x7f, 0x80, 0x00]), [0, -0, 32124, -32124].map((v) => v + 0));
  assert.deepEqual(told("alaw", [0xd5, 0x55, 0xaa, 0x2a]), [8, -8, 32256, -32256]);
});

test("a format that cannot be played is refused with those that can", () => {
  assert.throws(() => decoder("mp3"), new RegExp(PLAYABLE.join(".*")));
});

test("leading silence is counted in windows of 10 ms, however it is cut", () => {
  const samples = new Float32Array(2400);
  samples.fill(0.3, 730);
  for (const piece of [1, 100, 2400]) {
    const onset = new Onset(24_000);
    for (let at = 0; at < samples.length; at += piece) onset.push(samples.subarray(at, at + piece));
    assert.equal(onset.silenceMs, 30);
  }
});
