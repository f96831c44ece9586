/**
 * The page: what the user does, turned into utterances, and what they tell, turned into what the user sees.
 *
 * Input   the controls; the client's events
 * Output  speech; the reader, the stage, the measures
 * State   the utterance that is being spoken
 */

import { connect } from "../index.js";
import { find } from "./dom.js";
import { Measures } from "./measures.js";
import { Reader } from "./reader.js";
import { SAMPLES } from "./samples.js";
import { saveFile } from "./save.js";
import { Settings } from "./settings.js";
import { Stage } from "./stage.js";
import { askForToken, headers, token } from "./token.js";
import { trickle } from "./trickle.js";
import { choose, label, language, remember, say } from "./words.js";

const TOAST_MS = 2500;

const settings = new Settings();
const reader = new Reader();
const measures = new Measures();
const text = find("text", HTMLTextAreaElement);
const status = find("status", HTMLElement);

/** @type {import("../client.js").Client} */
let client;
/** @type {Stage} */
let stage;
/** @type {import("../speech.js").Speech | null} */
let current = null;
let isTrickling = 0;
let toastTimer = 0;

/**
 * Say something to those who listen to the page; those who look at it see for themselves.
 * @param {string} words
 */
function announce(words) {
  status.textContent = words;
  delete status.dataset.shown;
}

/**
 * Say something to everybody.
 * @param {string} words
 */
function tell(words) {
  status.textContent = words;
  status.dataset.shown = "";
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => delete status.dataset.shown, TOAST_MS);
}

/**
 * @param {string} spoken
 * @param {boolean} piecewise
 */
function speak(spoken, piecewise) {
  if (!spoken.trim()) {
    tell(say("status.empty"));
    text.focus();
    return;
  }
  const { fields } = settings;
  const number = ++isTrickling;
  const written = (/** @type {number} */ count) => number === isTrickling && reader.write(count);
  const source = piecewise ? trickle(spoken, settings.pace, written, () => number === isTrickling) : spoken;
  const speech = client.speak(source, { ...fields, replaces: "all" });
  current = speech;
  reader.open(spoken, piecewise ? 0 : Infinity);
  announce(say("status.speaking"));
  speech.on("word", ({ charStart, charEnd }) => speech === current && reader.light(charStart, charEnd));
  speech.on("start", () => measures.begin(speech));
  speech.on("error", (error) => {
    finish(speech, "");
    tell(error.message);
  });
  speech.on("end", (result) => {
    measures.add({ text: spoken, fields, result, at: new Date().toISOString() });
    finish(speech, say(result.outcome === "heard" ? "status.done" : "status.cancelled"));
  });
}

/** @param {import("../speech.js").Speech} speech @param {string} words */
function finish(speech, words) {
  if (speech !== current) return;
  current = null;
  isTrickling++;
  reader.close();
  announce(words);
}

function showLink() {
  const link = find("link", HTMLElement);
  link.dataset.state = client.state;
  const version = client.offer && client.state === "open" ? ` · ${client.offer.version}` : "";
  find("link-text", HTMLElement).textContent = say(`link.${client.state}`) + version;
}

function showLanguage() {
  for (const name of /** @type {const} */ (["zh", "en"])) {
    find(`language-${name}`, HTMLElement).setAttribute("aria-pressed", String(language() === name));
  }
  showLink();
  measures.repaint();
}

function switchTheme() {
  const root = document.documentElement;
  const isDark = getComputedStyle(root).getPropertyValue("--is-dark").trim() === "1";
  root.dataset.theme = isDark ? "light" : "dark";
  remember("theme", root.dataset.theme);
  stage.repaint();
}

async function copyReceipt() {
  try {
    await navigator.clipboard.writeText(measures.receipt);
    tell(say("status.copied"));
  } catch {
    // Neither https nor localhost: the user copies what is selected.
    find("receipt", HTMLElement).closest("details")?.setAttribute("open", "");
    getSelection()?.selectAllChildren(find("receipt", HTMLElement));
    tell(say("status.copy"));
  }
}

async function save() {
  tell(say("status.saving"));
  try {
    await saveFile(text.value, settings.fileFormat, settings.style);
    tell(say("status.saved"));
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error));
  }
}

/** Ask the server for its voices; a server that wants a token says so here. */
async function loadVoices() {
  for (;;) {
    const response = await fetch("v1/voices", { headers: headers() });
    if (response.status !== 401) return settings.offer((await response.json()).voices);
    await askForToken();
  }
}

function bind() {
  for (const [index, button] of [...find("samples", HTMLElement).children].entries()) {
    button.addEventListener("click", () => {
      client.cancel();
      text.value = SAMPLES[index];
    });
  }
  find("speak", HTMLButtonElement).addEventListener("click", () => speak(text.value, find("trickle", HTMLInputElement).checked));
  find("stop", HTMLButtonElement).addEventListener("click", () => client.cancel());
  find("interrupt", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    speak(find("interruption", HTMLInputElement).value, false);
  });
  find("copy", HTMLButtonElement).addEventListener("click", () => void copyReceipt());
  find("save", HTMLButtonElement).addEventListener("click", () => void save());
  find("theme", HTMLButtonElement).addEventListener("click", switchTheme);
  for (const name of /** @type {const} */ (["zh", "en"])) {
    find(`language-${name}`, HTMLButtonElement).addEventListener("click", () => {
      choose(name);
      showLanguage();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("speak", HTMLButtonElement).click();
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) client.cancel();
  });
  // The first gesture of any kind makes the loudspeaker ready, so that `speak` does not wait for it.
  for (const name of ["pointerdown", "keydown"]) {
    document.addEventListener(name, () => void client.prepare(settings.fields.rate), { once: true, capture: true });
  }
}

async function start() {
  text.value = SAMPLES[0];
  find("interruption", HTMLInputElement).value = say("interruption");
  label();
  await loadVoices(); // first, because it tells whether a token is wanted
  client = connect("v1/stream", { token: token() });
  stage = new Stage(client);
  bind();
  showLanguage();
  for (const name of /** @type {const} */ (["ready", "lost", "waiting", "closed"])) client.on(name, showLink);
  client.on("ready", ({ formats }) => settings.offerFormats(formats));
  client.on("error", (error) => tell(error.message));
  document.documentElement.dataset.ready = "";
  Object.assign(globalThis, { zhiyin: client }); // for the console, and for tests
}

void start();
