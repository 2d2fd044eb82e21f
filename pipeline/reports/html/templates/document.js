"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const numbers = (element) => element.dataset.c.split(" ");
  const marks = new Map(), buttons = new Map();
  const add = (map, element) => {
    for (const number of numbers(element)) {
      if (!map.has(number)) map.set(number, []);
      map.get(number).push(element);
    }
  };
  for (const mark of document.querySelectorAll("mark")) add(marks, mark);
  for (const button of document.querySelectorAll("#values [data-c]")) add(buttons, button);
  const order = [...marks.keys()].sort((a, b) => a - b);
  let on = [], current = null;

  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  const show = (element, far) => {
    element.scrollIntoView({ block: "center", behavior: far ? "auto" : calm });
    // what comes into sight is laid out only then, and may push it away
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const box = element.getBoundingClientRect();
      if (box.top < 0 || box.bottom > innerHeight) element.scrollIntoView({ block: "center" });
    }));
  };
  const light = (chosen) => {
    for (const element of on) {
      element.classList.remove("on");
      element.removeAttribute("aria-pressed");
    }
    on = chosen.flatMap((number) => [...(marks.get(number) || []), ...(buttons.get(number) || [])]);
    for (const element of on) element.classList.add("on");
  };
  const open = (element) => {
    for (let above = element.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
    const hidden = element.closest("[hidden]");
    if (hidden) reset();
  };
  const cited = (number) => (buttons.get(number) || []).find((button) => button.classList.contains("cite"));
  const say = (number) => {
    const button = cited(number);
    if (!button) return;
    const value = button.closest(".value");
    get("said").textContent = `${path(value)} ${nameOf(value)}: ${button.querySelector(".where").textContent}, ${button.querySelector(".grade").textContent}`;
  };
  const toText = (number) => {
    current = number;
    light([number]);
    say(number);
    if (marks.has(number)) show(marks.get(number)[0], true);
  };
  const toValues = (chosen) => {
    current = chosen[0];
    light(chosen);
    say(current);
    const button = cited(current);
    if (!button) return;
    open(button);
    show(button, true);
    button.focus({ preventScroll: true });
  };
  const step = (by) => {
    if (!order.length) return;
    const at = order.indexOf(current);
    const next = at < 0 ? (by > 0 ? 0 : order.length - 1) : (at + by + order.length) % order.length;
    const number = order[next];
    const button = cited(number);
    if (button) {
      open(button);
      button.focus({ preventScroll: true });
      if (getComputedStyle(get("values")).position === "sticky") button.scrollIntoView({ block: "nearest" });
    }
    toText(number);
  };

  get("values").addEventListener("click", (event) => {
    const button = event.target.closest("[data-c]");
    if (!button) return;
    const own = numbers(button).filter((number) => marks.has(number));
    const at = own.indexOf(current);
    toText(own.length ? own[(at + 1) % own.length] : numbers(button)[0]);
  });
  get("text").addEventListener("click", (event) => {
    const mark = event.target.closest("mark");
    if (mark && !String(getSelection())) toValues(numbers(mark));
  });
  get("text").addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && event.target.matches("mark")) {
      event.preventDefault();
      toValues(numbers(event.target));
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      light([]);
      current = null;
      get("said").textContent = "";
      if (event.target.matches("input")) event.target.blur();
    }
    if (event.target.matches("input, select, textarea")) return;
    if (event.key === "n") step(1);
    if (event.key === "p") step(-1);
    if (event.key === "/") {
      event.preventDefault();
      get("search").focus();
    }
  });
  if (get("next")) {
    get("next").addEventListener("click", () => step(1));
    get("previous").addEventListener("click", () => step(-1));
  }

  const values = [...document.querySelectorAll("#values .value")];
  const groups = values.filter((value) => value.classList.contains("group"));
  const leaves = values.filter((value) => !value.classList.contains("group"));
  const nameOf = (value) => value.querySelector(".name").textContent;
  const path = (value) => {
    const above = value.parentElement.closest(".value");
    return above ? `${path(above)} ${nameOf(above)}` : "";
  };
  const filter = () => {
    const words = get("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const asked = ["doubt", "conflict"].filter((name) => get(name).checked);
    for (const leaf of leaves) {
      const text = words.length ? `${path(leaf)} ${leaf.textContent}`.toLowerCase() : "";
      leaf.hidden = !words.every((word) => text.includes(word)) ||
        (asked.length > 0 && !asked.some((name) => leaf.closest(`[data-${name}]`)));
    }
    for (const group of groups) group.hidden = !group.querySelector(".value:not(.group):not([hidden])");
    const n = leaves.filter((leaf) => !leaf.hidden).length;
    get("said").textContent = words.length || asked.length ? `${n} ${n === 1 ? "value" : "values"}` : "";
  };
  const reset = () => {
    get("search").value = "";
    get("doubt").checked = get("conflict").checked = false;
    filter();
  };
  get("filters").addEventListener("input", filter);
  get("filters").addEventListener("submit", (event) => event.preventDefault());
})();
