import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, ProtocolError } from "../../../clients/browser/wire.js";

/** A frame by hand, as docs/protocol.md has it. */
export function frame({ kind = 1, flags = 0, ctx = 7, seq = 3, sample = 2n ** 33n, samples = 2, sentence = 1, meta = 0, payload = [1, 0, 2, 0] } = {}) {
  const buffer = new ArrayBuffer(24 + payload.length);
  const view = new DataView(buffer);
  view.setUint8(0, kind);
  view.setUint8(1, flags);
  view.setUint16(2, ctx, true);
  view.setUint32(4, seq, true);
  view.setBigUint64(8, sample, true);
  view.setUint32(16, samples, true);
  view.setUint16(20, sentence, true);
  view.setUint16(22, meta, true);
  new Uint8Array(buffer).set(payload, 24);
  return buffer;
}

test("an audio frame is read field by field", () => {
  const message = decode(frame({ flags: 1 | 4 | 16 }));
  assert.equal(message.ctx, 7);
  assert.equal(message.sample, 2 ** 33);
  assert.deepEqual([message.seq, message.samples, message.sentence], [3, 2, 1]);
  assert.deepEqual([message.isFirst, message.endsSentence, message.isLast, message.cached], [true, false, true, true]);
  assert.deepEqual([...message.payload], [1, 0, 2, 0]);
});

test("a meta block is skipped if the flag says that there is one", () => {
  assert.deepEqual([...decode(frame({ flags: 8, meta: 2, payload: [9, 9, 5, 0] })).payload], [5, 0]);
  assert.deepEqual([...decode(frame({ meta: 2, payload: [9, 9, 5, 0] })).payload], [9, 9, 5, 0]);
});

test("what is no frame of the protocol is refused", () => {
  const bad = [new ArrayBuffer(0), new ArrayBuffer(23), frame({ kind: 2 }), frame({ flags: 8, meta: 5 }), "{", "[]", "null", '{"ctx":1}'];
  for (const data of bad) assert.throws(() => decode(data), ProtocolError);
});

test("unknown types and unknown fields are ignored", () => {
  assert.equal(decode('{"type":"novelty"}'), null);
  assert.equal(decode('{"type":"done","ctx":1,"more":2}').ctx, 1);
});

test("what is null or undefined is left out of a message", () => {
  assert.equal(encode({ type: "open", ctx: 1, text: null, end: undefined, speed: 1 }), '{"type":"open","ctx":1,"speed":1}');
});
