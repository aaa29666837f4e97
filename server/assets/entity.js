// Dragging through the time of an entity, and following it.

import { ask, fill, tell } from "./VERSION-app.js";
import { draw } from "./VERSION-bars.js";

const RETRY = 2000;
/** A mark that is closer to the slider than this part of the line is meant. */
const NEAR = 0.002;
const MARKED = 500;

const scrubber = document.getElementById("scrubber");
const view = document.getElementById("view");
const slider = document.getElementById("time");
const typed = document.getElementById("at");
const marks = document.getElementById("marks");
const { name, namespace, type, id } = scrubber?.dataset ?? {};

/** A browser knows milliseconds only, so whole texts are kept. */
let first = scrubber?.dataset.first;
let last = scrubber?.dataset.last;
let times = marks?.dataset.times?.split(" ").filter(Boolean) ?? [];
/** The moment that is shown; empty is now. */
let at = shownAt();
let isAsking = false;
let isWaiting = false;
let source = null;

function shownAt() {
  return document.getElementById("shown-at")?.dataset.at ?? "";
}

const millis = (text) => Date.parse(text);

/** A time with all of its digits, so that texts compare as moments do. */
function whole(text) {
  const [seconds, fraction = ""] = text.replace(/Z$/, "").split(".");
  return `${seconds}.${fraction.padEnd(9, "0")}`;
}

const isLater = (a, b) => whole(a) > whole(b);

function share(text) {
  const length = millis(last) - millis(first);
  return length > 0 ? Math.min(1, Math.max(0, (millis(text) - millis(first)) / length)) : 1;
}

function address(path, moment) {
  const parameters = new URLSearchParams(location.search);
  parameters.set("name", name);
  if (moment) parameters.set("at", moment);
  else parameters.delete("at");
  return `${path}?${parameters}`;
}

/** What a reader has opened and where the focus is, to be so again. */
function remember() {
  const key = (details) => details.closest("[data-key-of]")?.dataset.keyOf;
  const opened = [...view.querySelectorAll("details[open]")].map(key);
  const focused = document.activeElement?.closest?.("#view [data-key]")?.dataset.key;
  const rows = view.querySelectorAll("[data-field]");
  const values = new Map([...rows].map((row) => [row.dataset.field, row.cells[1].textContent]));
  return { opened, focused, values };
}

function restore({ opened, focused, values }) {
  for (const key of opened.filter(Boolean)) {
    const details = view.querySelector(`[data-key-of="${CSS.escape(key)}"] details`);
    if (details) details.open = true;
  }
  if (focused) view.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  for (const row of view.querySelectorAll("[data-field]")) {
    row.classList.toggle("moved", values.get(row.dataset.field) !== row.cells[1].textContent);
  }
}

async function show(moment) {
  // While one answer is under way, only the last moment that was dragged to counts.
  at = moment;
  if (isAsking) {
    isWaiting = true;
    return;
  }
  isAsking = true;
  let isShown = true;
  try {
    const html = await ask(address("/part/entity", moment), "text");
    const before = remember();
    fill(view, html);
    restore(before);
    tell("");
  } catch (error) {
    tell(error.message);
    isShown = false;
  }
  isAsking = false;
  if (isWaiting) {
    isWaiting = false;
    show(at);
  } else if (!isShown) {
    setTimeout(() => show(at), RETRY);
  } else if (at !== shownAt()) {
    // An address may hold a moment such as -15m.
    at = shownAt();
    place();
  }
}

function place() {
  slider.value = at ? share(at) * 1000 : 1000;
  slider.setAttribute("aria-valuetext", at || "now");
  if (document.activeElement !== typed) typed.value = at;
  document.getElementById("now").classList.toggle("on", !at);
}

/** Shows a moment and writes it into the address. */
function go(moment) {
  history.pushState(null, "", address("/entity", moment));
  show(moment);
  place();
  follow();
}

/** The moment that the slider stands at: an event's own if one is that close. */
function slid() {
  const part = Number(slider.value) / 1000;
  if (part >= 1) return "";
  let near = null;
  for (const time of times) {
    const distance = Math.abs(share(time) - part);
    if (distance < NEAR && (!near || distance <= near.distance)) near = { time, distance };
  }
  if (near) return near.time;
  const length = millis(last) - millis(first);
  if (length <= 0 || part === 0) return first;
  return new Date(Math.ceil(millis(first) + part * length)).toISOString();
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

/** Follows the entity while the page shows now and is looked at: browsers hold few connections. */
function follow() {
  const isWanted = !document.hidden && !at;
  if (!isWanted) {
    source?.close();
    source = null;
    return;
  }
  if (source) return;
  const filter = new URLSearchParams({ namespace, type, prefix: id });
  const mine = new EventSource(`/api/v1/follow?${filter}`);
  source = mine;
  let timer = null;
  // What happened before it was open is asked for, each time.
  mine.addEventListener("open", () => at || show(""));
  mine.addEventListener("message", (message) => {
    const event = JSON.parse(message.data);
    if (event.entity !== name) return;
    if (isLater(event.time, last)) last = event.time;
    if (isLater(first, event.time)) first = event.time;
    if (times.length && times.length < MARKED && !times.includes(event.time)) times.push(event.time);
    timer ??= setTimeout(() => {
      timer = null;
      drawMarks();
      place();
      if (!at) show("");
    }, 300);
  });
  mine.addEventListener("problem", (message) => tell(message.data));
  mine.addEventListener("error", () => {
    if (source !== mine) return;
    tell("the server does not answer");
    if (mine.readyState !== EventSource.CLOSED) return;
    // A browser gives up for good when it is refused. What is shown is asked for again, which
    // tells why, and leads to the login if that is what is missing.
    source = null;
    setTimeout(() => {
      if (!at) show("");
      follow();
    }, RETRY);
  });
}

if (scrubber) {
  slider.disabled = false;
  drawMarks();
  place();
  slider.addEventListener("input", () => {
    show(slid());
    place();
  });
  // Browsers take only so many changes of an address in a time.
  slider.addEventListener("change", () => {
    history.replaceState(null, "", address("/entity", at));
    follow();
  });
  document.getElementById("now").addEventListener("click", (event) => {
    event.preventDefault();
    go("");
  });
  view.addEventListener("click", (event) => {
    const link = event.target.closest("a.step");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(new URL(link.href).searchParams.get("at") ?? "");
  });
  addEventListener("popstate", () => {
    show(new URLSearchParams(location.search).get("at") ?? "");
    follow();
  });
  document.addEventListener("visibilitychange", follow);
  follow();
}
