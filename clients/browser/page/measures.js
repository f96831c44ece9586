/**
 * Where the time went, utterance by utterance.
 *
 * Input   speeches that have ended
 * Output  the figures, both bars, the history, the receipt
 * State   the last utterances, and which one is shown
 */

import { find, make, shown } from "./dom.js";
import { drawHistory } from "./history.js";
import { say } from "./words.js";

const KEPT = 40;
const LISTED = 5;

/** @typedef {import("../speech.js").Result} Result */
/** @typedef {{text: string, fields: object, result: Result, at: string}} Utterance */
/** @typedef {{key: string, ms: number}[]} Parts */

export class Measures {
  constructor() {
    /** @type {Utterance[]} */
    this._utterances = [];
    /** @type {Utterance | null} */
    this._shown = null;
    find("copy", HTMLButtonElement).disabled = true;
    this.repaint();
  }

  /** @param {Utterance} utterance */
  add(utterance) {
    this._utterances.push(utterance);
    if (this._utterances.length > KEPT) this._utterances.shift();
    this._shown = utterance;
    find("copy", HTMLButtonElement).disabled = false;
    this.repaint();
  }

  /**
   * Show the figures of an utterance that has just begun to be heard.
   * @param {import("../speech.js").Speech} speech
   */
  begin({ timing, leadingSilenceMs }) {
    const { ttfc, audible } = measured({ timing, leadingSilenceMs });
    find("ttfc", HTMLElement).textContent = shown(ttfc);
    find("audible", HTMLElement).textContent = shown(audible);
  }

  /** The receipt that is shown, as JSON. */
  get receipt() {
    if (!this._shown) return "{}";
    const { text, fields, result, at } = this._shown;
    return JSON.stringify({ at, text, fields, ...measured(result), ...result }, null, 2);
  }

  /** Paint again: another language, or another utterance. */
  repaint() {
    const result = this._shown?.result;
    const { ttfc, audible } = result ? measured(result) : { ttfc: null, audible: null };
    find("ttfc", HTMLElement).textContent = shown(ttfc);
    find("audible", HTMLElement).textContent = shown(audible);
    const until = result ? partsUntilHeard(result) : [];
    bar("until", until);
    find("until-total", HTMLElement).textContent = until.length ? `${shown(sum(until))} ms` : "";
    const compute = result ? partsOfComputing(result) : [];
    bar("compute", compute);
    const rtf = result?.receipt?.rtf;
    find("compute-total", HTMLElement).textContent = compute.length ? `${shown(sum(compute))} ms · ${say("rtf")} ${rtf?.toFixed(3) ?? "–"}` : "";
    find("receipt", HTMLElement).textContent = this.receipt;
    this._list();
    const points = this._utterances.map((utterance) => ({ ...measured(utterance.result), isShown: utterance === this._shown }));
    find("history-total", HTMLElement).textContent = drawHistory(find("history", SVGSVGElement), points);
  }

  _list() {
    const rows = this._utterances.slice(-LISTED).reverse().map((utterance) => {
      const button = make("button", "utterance");
      button.setAttribute("type", "button");
      button.setAttribute("aria-pressed", String(utterance === this._shown));
      const { ttfc } = measured(utterance.result);
      button.append(make("span", "snippet", utterance.text), make("span", "number", `${shown(ttfc)} ms`));
      button.addEventListener("click", () => {
        this._shown = utterance;
        this.repaint();
      });
      const row = document.createElement("li");
      row.append(button);
      return row;
    });
    const list = find("utterances", HTMLElement);
    const focused = [...list.querySelectorAll("button")].indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    list.replaceChildren(...rows);
    if (focused >= 0) list.querySelectorAll("button")[focused]?.focus();
  }
}

/**
 * The figures at the client, as docs/metrics.md defines them.
 * @param {{timing: import("../speech.js").Timing, leadingSilenceMs: number | null}} result
 */
export function measured({ timing, leadingSilenceMs }) {
  const ttfc = timing.received !== null && timing.sent !== null ? timing.received - timing.sent : null;
  return { ttfc, audible: ttfc !== null && leadingSilenceMs !== null ? ttfc + leadingSilenceMs : null };
}

/** @param {Result} result @returns {Parts} */
function partsUntilHeard(result) {
  const { timing, receipt, leadingSilenceMs } = result;
  const { ttfc } = measured(result);
  if (ttfc === null || timing.received === null) return [];
  const playback = timing.heard === null ? 0 : timing.heard - timing.received;
  const server = Math.min(ttfc, receipt?.ttfc_ms ?? 0);
  const queue = Math.min(server, receipt?.queue_ms ?? 0);
  const first = receipt
    ? [
        { key: "network", ms: ttfc - server },
        { key: "queue", ms: queue },
        { key: "synthesis", ms: server - queue },
      ]
    : [{ key: "unsplit", ms: ttfc }]; // only the server's receipt tells network and server apart
  return [
    ...first,
    { key: "playback", ms: Math.max(0, playback) },
    { key: "silence", ms: leadingSilenceMs ?? 0 },
  ];
}

/** @param {Result} result @returns {Parts} */
function partsOfComputing({ receipt }) {
  if (!receipt) return [];
  const stages = ["frontend", "encoder", "decoder", "vocoder", "encode"];
  return stages.map((key) => ({ key, ms: receipt.stages[`${key}_ms`] ?? 0 }));
}

/** @param {Parts} parts */
function sum(parts) {
  return parts.reduce((total, { ms }) => total + ms, 0);
}

/** @param {"until" | "compute"} id @param {Parts} parts */
function bar(id, parts) {
  const keys = id === "until" ? ["network", "queue", "synthesis", "playback", "silence"] : ["frontend", "encoder", "decoder", "vocoder", "encode"];
  const pieces = parts.map(({ key, ms }) => {
    const piece = make("span", `piece ${key}`);
    piece.style.flexGrow = String(ms);
    return piece;
  });
  find(`${id}-bar`, HTMLElement).replaceChildren(...pieces);
  const rows = keys.map((key) => {
    const row = make("li", key);
    const ms = parts.find((part) => part.key === key)?.ms;
    row.append(make("span", "swatch"), make("span", "part", say(`part.${key}`)), make("span", "number", shown(ms)));
    return row;
  });
  find(id, HTMLElement).replaceChildren(...rows);
}
