/**
 * The plot of the utterances so far.
 *
 * Input   first-chunk and audible times, oldest first
 * Output  dots in an SVG; the median in words
 * State   none
 */

import { shown } from "./dom.js";
import { say } from "./words.js";

const WIDTH = 400;
const HEIGHT = 120;
const LEFT = 34;
const BOTTOM = 8;
const TOP = 10;
const SLOTS = 40;

/** @typedef {{ttfc: number | null, audible: number | null, isShown: boolean}} Point */

/**
 * @param {SVGSVGElement} svg
 * @param {Point[]} points
 */
export function drawHistory(svg, points) {
  const values = points.flatMap(({ ttfc, audible }) => [ttfc ?? 0, audible ?? 0]);
  const top = ceiling(Math.max(20, ...values));
  const y = (/** @type {number} */ ms) => HEIGHT - BOTTOM - (ms / top) * (HEIGHT - BOTTOM - TOP);
  const parts = [0, top / 2, top].flatMap((ms) => [
    shape("line", "grid", { x1: LEFT, x2: WIDTH, y1: y(ms), y2: y(ms) }),
    word(String(ms), LEFT - 6, y(ms) + 3.5),
  ]);
  points.forEach(({ ttfc, audible, isShown }, index) => {
    const x = LEFT + ((index + 0.5) / SLOTS) * (WIDTH - LEFT);
    if (ttfc === null) return;
    if (audible !== null) {
      parts.push(shape("line", "stem", { x1: x, x2: x, y1: y(ttfc), y2: y(audible) }));
      parts.push(shape("circle", "audible", { cx: x, cy: y(audible), r: 2.5 }));
    }
    parts.push(shape("circle", isShown ? "ttfc shown" : "ttfc", { cx: x, cy: y(ttfc), r: isShown ? 4.5 : 3 }));
  });
  svg.replaceChildren(...parts);
  const median = middle(points.flatMap(({ ttfc }) => (ttfc === null ? [] : [ttfc])));
  return median === null ? "" : `${say("history.median")} ${shown(median)} ms · n = ${points.length}`;
}

/** @param {number[]} values */
function middle(values) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** @param {number} value */
function ceiling(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 4, 6, 10].find((step) => step * unit >= value) ?? 10;
  return factor * unit;
}

/** @param {string} tag @param {string} className @param {Record<string, number>} attributes */
function shape(tag, className, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  element.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value.toFixed(1));
  return element;
}

/** @param {string} text @param {number} x @param {number} y */
function word(text, x, y) {
  const element = shape("text", "tick", { x, y });
  element.textContent = text;
  return element;
}
