"use strict";
// Conveniences: without them the page says the same.
const root = document.documentElement;
const toggle = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
const nameToggle = () => { toggle.textContent = isDark() ? "Light" : "Dark"; };
toggle.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameToggle(); });
dark.addEventListener("change", nameToggle);
nameToggle();
toggle.hidden = false;

function compare(column, upwards) {
  return (one, other) => {
    const [a, b] = [one, other].map((row) => row.cells[column]);
    const numeric = "value" in a.dataset && "value" in b.dataset;
    const order = numeric
      ? Number(a.dataset.value.replace("inf", "Infinity")) - Number(b.dataset.value.replace("inf", "Infinity")) || 0
      : a.textContent.localeCompare(b.textContent, "en", { numeric: true });
    return upwards ? order : -order;
  };
}

for (const head of document.querySelectorAll("th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  button.title = "Sort by this column";
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const upwards = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort(compare(head.cellIndex, upwards)));
  });
}

// The browser shows an SVG title after a while and never on a touch screen: here it comes at once.
const tip = document.getElementById("tip");
for (const title of document.querySelectorAll("svg title")) {
  title.parentElement.dataset.tip = title.textContent;
  title.remove();
}
function showTip(event) {
  const mark = event.target.closest?.("[data-tip]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(6, Math.min(event.clientX + 14, innerWidth - width - 6))}px`;
  tip.style.top = `${event.clientY + height + 24 > innerHeight ? event.clientY - height - 12 : event.clientY + 16}px`;
}
document.addEventListener("pointermove", showTip);
document.addEventListener("pointerdown", showTip);
