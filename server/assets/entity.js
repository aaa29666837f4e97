// Dragging through the time of an entity, and following it.

import { ask, fill, tell } from "./VERSION-app.js";
import { draw } from "./VERSION-bars.js";

const scrubber = document.getElementById("scrubber");
const view = document.getElementById("view");
const slider = document.getElementById("time");
const typed = document.getElementById("at");
const marks = document.getElementById("marks");
const { name, namespace, type, id } = scrubber?.dataset ?? {};

/** Events of one moment differ by less than a slider can tell, so whole texts are kept. */
let first = scrubber?.dataset.first;
let last = scrubber?.dataset.last;
let times = marks?.dataset.times?.split(" ").filter(Boolean) ?? [];
/** The moment that is shown; empty is now. */
let at = document.getElementById("shown-at")?.dataset.at ?? "";
let asking = null;
let isWaiting = false;

const millis = (text) => Date.parse(text);
const share = (text) => {
  const length = millis(last) - millis(first);
  return length > 0 ? Math.min(1, Math.max(0, (millis(text) - millis(first)) / length)) : 1;
};

function address(path, moment) {
  const parameters = new URLSearchParams(location.search);
  parameters.set("name", name);
  if (moment) parameters.set("at", moment);
  else parameters.delete("at");
  return `${path}?${parameters}`;
}

/** Values of fields, to see what another moment changes. */
function values() {
  const rows = view.querySelectorAll("[data-field]");
  return new Map([...rows].map((row) => [row.dataset.field, row.cells[1].textContent]));
}

async function show(moment) {
  // While one answer is under way, only the last moment that was dragged to counts.
  at = moment;
  if (asking) {
    isWaiting = true;
    return;
  }
  asking = true;
  const before = values();
  try {
    fill(view, await ask(address("/part/entity", moment), "text"));
    for (const row of view.querySelectorAll("[data-field]")) {
      const old = before.get(row.dataset.field);
      row.classList.toggle("moved", old !== row.cells[1].textContent);
    }
    tell("");
  } catch (error) {
    tell(error.message);
  }
  asking = false;
  if (isWaiting) {
    isWaiting = false;
    show(at);
  }
}

function place() {
  slider.value = at ? share(at) * 1000 : 1000;
  slider.setAttribute("aria-valuetext", at || "now");
  typed.value = at;
  document.getElementById("now").classList.toggle("on", !at);
}

function go(moment, keep) {
  history[keep ? "pushState" : "replaceState"](null, "", address("/entity", moment));
  show(moment);
  place();
}

/** The moment that the slider stands at: an event's own if it is that close. */
function slid() {
  const part = Number(slider.value) / 1000;
  if (part >= 1) return "";
  const moment = millis(first) + part * (millis(last) - millis(first));
  const near = times.find((time) => Math.abs(share(time) - part) < 0.002);
  return near ?? new Date(Math.ceil(moment)).toISOString();
}

function drawMarks() {
  const lines = times.map((time) => {
    const x = (share(time) * 1000).toFixed(2);
    return draw("line", { x1: x, x2: x, y1: 0, y2: 10 });
  });
  marks.replaceChildren(
    draw("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none" }, ...lines),
  );
}

/** Follows the entity while the page shows now. */
function follow() {
  const filter = new URLSearchParams({ namespace, type, prefix: id });
  const source = new EventSource(`/api/v1/follow?${filter}`);
  let timer = null;
  source.addEventListener("message", (message) => {
    const event = JSON.parse(message.data);
    if (event.entity !== name) return;
    if (event.time > last) last = event.time;
    if (event.time < first) first = event.time;
    if (times.length && times.length < 500) times.push(event.time);
    timer ??= setTimeout(() => {
      timer = null;
      drawMarks();
      place();
      if (!at) show("");
    }, 300);
  });
  source.addEventListener("place", () => tell(""));
  source.addEventListener("error", () => {
    tell("the server does not answer");
    // A browser gives up for good when the server refuses; it may have been busy.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  });
}

if (scrubber) {
  slider.disabled = false;
  drawMarks();
  place();
  slider.addEventListener("input", () => go(slid(), false));
  slider.addEventListener("change", () => history.replaceState(null, "", address("/entity", at)));
  document.getElementById("now").addEventListener("click", (event) => {
    event.preventDefault();
    go("", true);
  });
  view.addEventListener("click", (event) => {
    const link = event.target.closest("a.step");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(new URL(link.href).searchParams.get("at") ?? "", true);
  });
  addEventListener("popstate", () => {
    show(new URLSearchParams(location.search).get("at") ?? "");
    place();
  });
  follow();
}
