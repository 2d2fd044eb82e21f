"use strict";
(() => {
  const [NAME, URI, HREF, STATUS, NOTE, PAGES, TOKENS, REJECTS, CONFLICTS, UNVERIFIED, CITED, VERIFIED] = Array(12).keys();
  const SHARE = 12, AT_ONCE = 100;
  const get = (id) => document.getElementById(id);
  const lines = JSON.parse(get("documents").textContent);
  for (const line of lines) {
    line.push(line[CITED] ? line[VERIFIED] / line[CITED] : null);
    line.words = `${line[URI]} ${line[NOTE]}`.toLowerCase();
  }
  const body = get("list").tBodies[0];
  const heads = [...document.querySelectorAll("#list th")];
  let by = null, down = false, shown = [], n = AT_ONCE;

  const cell = (text, name) => {
    const made = document.createElement("td");
    if (name) made.className = name;
    made.textContent = text === null || text === undefined ? "–" : typeof text === "number" ? text.toLocaleString("en") : text;
    return made;
  };
  const count = (value, name) => cell(value, value ? `num ${name}` : "num zero");
  const share = (line) => {
    if (!line[CITED]) return cell(null, "num");
    const percent = Math.floor(line[SHARE] * 1000) / 10;
    return cell(`${percent} %`, line[SHARE] < 1 ? "num attention" : "num");
  };
  const row = (line) => {
    const made = document.createElement("tr");
    const first = cell("", "document");
    const name = document.createElement(line[HREF] ? "a" : "span");
    if (line[HREF]) name.href = line[HREF];
    name.textContent = line[NAME];
    name.title = line[URI];
    name.dir = "auto";
    first.append(name);
    if (line[NOTE]) {
      const note = document.createElement("div");
      note.className = "muted small";
      note.textContent = line[NOTE];
      first.append(note);
    }
    const status = cell("", "");
    const chip = document.createElement("span");
    chip.className = `chip ${{ read: "good", partial: "warn", rejected: "bad" }[line[STATUS]] || ""}`;
    chip.textContent = line[STATUS];
    status.append(chip);
    made.append(first, status, cell(line[PAGES], "num wide"), cell(line[TOKENS], "num wide"),
      count(line[REJECTS], "attention"), count(line[CONFLICTS], "attention"), cell(line[CITED] || null, "num wide"), share(line));
    return made;
  };
  const draw = () => {
    body.replaceChildren(...shown.slice(0, n).map(row));
    get("more").hidden = shown.length <= n;
    get("more").textContent = `Show ${Math.min(AT_ONCE * 5, shown.length - n)} more`;
    const of = shown.length === lines.length ? "" : ` of ${lines.length.toLocaleString("en")}`;
    get("count").textContent = `${shown.length.toLocaleString("en")}${of} ${lines.length === 1 ? "document" : "documents"}`;
  };
  const order = (a, b) => {
    const [x, y] = [a[by], b[by]];
    if (x === y) return 0;
    if (x === null || y === null) return x === null ? 1 : -1;
    const sign = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
    return down ? -sign : sign;
  };
  const filter = () => {
    const words = get("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = get("status").value;
    const asked = [["rejects", REJECTS], ["conflicts", CONFLICTS], ["unverified", UNVERIFIED]].filter(([id]) => get(id).checked);
    shown = lines.filter((line) => words.every((word) => line.words.includes(word)) &&
      (!status || line[STATUS] === status) && (!asked.length || asked.some(([, place]) => line[place])));
    if (by !== null) shown.sort(order);
    n = AT_ONCE;
    draw();
  };
  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => {
      const place = Number(head.dataset.by);
      down = by === place ? !down : head.classList.contains("num") && place !== SHARE;
      by = place;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      filter();
    });
  }
  get("filters").addEventListener("input", filter);
  get("filters").addEventListener("submit", (event) => event.preventDefault());
  get("more").addEventListener("click", () => { n += AT_ONCE * 5; draw(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, select, textarea") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      get("search").focus();
    }
  });
  filter();
})();
