// Runs before the first paint, so that language and theme never change under the reader's eyes.
(function () {
  /** @param {string} key */
  function remembered(key) {
    try {
      return localStorage.getItem("zhiyin." + key);
    } catch {
      return null; // storage can be forbidden
    }
  }
  const root = document.documentElement;
  const language = remembered("language") || (/^zh\b/i.test(navigator.language) ? "zh" : "en");
  root.dataset.language = language;
  root.lang = language === "zh" ? "zh-CN" : "en";
  root.dataset.theme = remembered("theme") || "auto";
})();
