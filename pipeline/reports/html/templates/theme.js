"use strict";
(() => {
  const themes = ["", "dark", "light"];
  const words = { "": "as the system", dark: "dark", light: "light" };
  const root = document.documentElement;
  const set = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    const button = document.getElementById("theme");
    if (button) {
      button.setAttribute("aria-label", `Colours: ${words[theme]}`);
      button.title = `Colours: ${words[theme]}`;
    }
  };
  let theme = "";
  try { theme = localStorage.getItem("theme") || ""; } catch { /* a browser may forbid it for files */ }
  if (!themes.includes(theme)) theme = "";
  set(theme);
  document.addEventListener("DOMContentLoaded", () => {
    set(theme);
    document.getElementById("theme").addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      set(theme);
      try { localStorage.setItem("theme", theme); } catch { /* then it holds for this page */ }
    });
  });
})();
