/**
 * The interface's words that are not in the page itself: attributes, messages, names.
 *
 * Input   a key
 * Output  the words in the language that is chosen
 * State   the language, remembered
 */

/** @typedef {"zh" | "en"} Language */

/** @type {Record<string, [string, string]>} */
const WORDS = {
  "placeholder.text": ["在这里写字，或粘贴一段话", "Write here, or paste a text"],
  "label.theme": ["切换明暗", "Light or dark"],
  "label.samples": ["例句", "Samples"],
  "label.wave": ["正在播放的波形", "Waveform of what is playing"],
  "label.until": ["到听见为止的各段时间", "Parts of the time until it is heard"],
  "label.compute": ["各级网络的计算时间", "Computing time of each stage"],
  "label.history": ["历次首包时间", "Time to first chunk of the utterances so far"],
  "label.utterances": ["历次朗读", "Utterances so far"],
  "label.receipt": ["回执", "Receipt"],
  "link.connecting": ["连接中", "connecting"],
  "link.open": ["已连接", "connected"],
  "link.waiting": ["重连中", "reconnecting"],
  "link.idle": ["待用", "idle"],
  "link.closed": ["未连接", "not connected"],
  "status.speaking": ["开始朗读", "Speaking"],
  "status.done": ["读完了", "Done"],
  "status.cancelled": ["已停止", "Stopped"],
  "status.copied": ["已复制", "Copied"],
  "status.copy": ["按 Ctrl+C 复制", "Press Ctrl+C to copy"],
  "status.empty": ["先写点什么", "Write something first"],
  "status.saving": ["正在生成文件", "Making the file"],
  "status.saved": ["已保存", "Saved"],
  "part.network": ["网络", "network"],
  "part.queue": ["排队", "queue"],
  "part.synthesis": ["合成首块", "first block"],
  "part.playback": ["播放", "playback"],
  "part.silence": ["句首静音", "leading silence"],
  "part.frontend": ["前端", "frontend"],
  "part.encoder": ["编码器", "encoder"],
  "part.decoder": ["解码器", "decoder"],
  "part.vocoder": ["声码器", "vocoder"],
  "part.encode": ["打包", "encode"],
  "history.median": ["中位", "median"],
  "history.audible": ["首声", "audible"],
  "history.ttfc": ["首包", "first chunk"],
  "rtf": ["实时率", "RTF"],
  "interruption": ["好的，我们换个话题。", "好的，我们换个话题。"],
};

/** @returns {Language} */
export function language() {
  return document.documentElement.dataset.language === "zh" ? "zh" : "en";
}

/** @param {string} key */
export function say(key) {
  return WORDS[key]?.[language() === "zh" ? 0 : 1] ?? key;
}

/**
 * Choose a language and remember it.
 * @param {Language} chosen
 */
export function choose(chosen) {
  document.documentElement.dataset.language = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  remember("language", chosen);
  label();
}

/** Fill in the attributes. */
export function label() {
  for (const element of document.querySelectorAll("[data-label]")) {
    const words = say(`label.${/** @type {HTMLElement} */ (element).dataset.label}`);
    element.setAttribute("aria-label", words);
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    const { dataset } = /** @type {HTMLElement} */ (element);
    element.setAttribute("placeholder", say(`placeholder.${dataset.placeholder}`));
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(`zhiyin.${key}`, value);
  } catch {
    // storage can be forbidden; then it is chosen again next time
  }
}
