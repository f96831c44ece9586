/**
 * How it is spoken: the controls, filled with what the server offers.
 *
 * Input   `GET /v1/voices`; the user's choices
 * Output  the fields of `open`
 * State   the controls
 */

import { PLAYABLE } from "../index.js";
import { find } from "./dom.js";

const RATES = [8000, 16000, 22050, 24000, 44100, 48000];
const FILES = ["wav", "mp3", "opus", "flac", "aac"];
const DEFAULT_RATE = 24000;

/** @typedef {{name: string, default: boolean, speakers: string[], emotions: string[], controls: Record<string, [number, number]>}} Voice */

export class Settings {
  constructor() {
    this._voice = find("voice", HTMLSelectElement);
    this._speaker = find("speaker", HTMLSelectElement);
    this._emotion = find("emotion", HTMLSelectElement);
    this._format = find("format", HTMLSelectElement);
    this._rate = find("rate", HTMLSelectElement);
    this._file = find("file-format", HTMLSelectElement);
    /** @type {Voice[]} */
    this._voices = [];
    fill(this._format, PLAYABLE.slice(0, 1)); // until the server has said what it offers
    fill(this._rate, RATES.map(String), String(DEFAULT_RATE));
    fill(this._file, FILES.slice(0, 1));
    this._voice.addEventListener("change", () => this._show());
    for (const id of ["speed", "pitch", "pace"]) follow(id);
  }

  /** Characters per second that trickle in. */
  get pace() {
    return Number(find("pace", HTMLInputElement).value);
  }

  get fileFormat() {
    return this._file.value;
  }

  /** What shapes the voice, in any format. */
  get style() {
    const chosen = {
      voice: this._voice.value,
      speaker: this._speaker.value,
      emotion: this._emotion.value,
      speed: Number(find("speed", HTMLInputElement).value),
      pitch: Number(find("pitch", HTMLInputElement).value),
    };
    return Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== ""));
  }

  /** The fields of `open`. @returns {import("../speech.js").SpeakFields} */
  get fields() {
    const format = /** @type {"pcm_s16le"} */ (this._format.value);
    return { ...this.style, format, rate: Number(this._rate.value), words: true };
  }

  /** @param {Voice[]} voices */
  offer(voices) {
    this._voices = voices;
    const names = voices.map(({ name }) => name);
    fill(this._voice, names, voices.find((voice) => voice.default)?.name);
    this._show();
  }

  /**
   * Offer the formats that the server has: some need a library there.
   * @param {string[]} formats
   */
  offerFormats(formats) {
    const [live, file] = [PLAYABLE, FILES].map((names) => names.filter((name) => formats.includes(name)));
    fill(this._format, live, this._format.value);
    fill(this._file, file, this._file.value);
  }

  _show() {
    const voice = this._voices.find(({ name }) => name === this._voice.value);
    fill(this._speaker, voice?.speakers ?? []);
    fill(this._emotion, voice?.emotions ?? []);
    for (const name of ["speed", "pitch"]) {
      const limits = voice?.controls[name];
      const input = find(name, HTMLInputElement);
      input.disabled = !limits;
      if (limits) [input.min, input.max] = limits.map(String);
    }
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {string[]} values
 * @param {string} [chosen]
 */
function fill(select, values, chosen) {
  select.replaceChildren(...values.map((value) => new Option(value, value, false, value === chosen)));
  select.disabled = values.length < 2;
}

/** @param {string} id */
function follow(id) {
  const input = find(id, HTMLInputElement);
  const output = find(`${id}-value`, HTMLOutputElement);
  const show = () => {
    output.value = Number.isInteger(Number(input.step)) ? input.value : Number(input.value).toFixed(2);
  };
  input.addEventListener("input", show);
  show();
}
