// The histogram of events, a stretch of which can be chosen, and events as they arrive.

import { ask, tell } from "./VERSION-app.js";
import { Bars, step } from "./VERSION-bars.js";

const BARS = 120;
/** Events that stay on the page while others arrive. */
const ROWS = 300;
const RETRY = 3000;

const figure = document.getElementById("histogram");
const filters = document.getElementById("filters");

/** What is filled in, without the time. */
function chosen() {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(filters)) {
    if (value && name !== "from" && name !== "to") parameters.set(name, value);
  }
  return parameters;
}

async function histogram() {
  const from = Date.parse(figure.dataset.from);
  const to = Math.max(Date.parse(figure.dataset.to), from + 1);
  const [millis, text] = step(to - from, BARS);
  const bars = new Bars(millis);
  const parameters = chosen();
  parameters.set("from", figure.dataset.from);
  parameters.set("to", figure.dataset.to);
  parameters.set("step", text);
  try {
    const counts = await ask(`/api/v1/counts?${parameters}`, "json");
    bars.take(counts, 0);
    const drawn = bars.show(figure, from, to, millis);
    const legend = figure.querySelector(".legend");
    const note = document.createElement("span");
    note.className = "none";
    note.textContent = counts.is_cut
      ? `each bar is ${text}; there are more than the 500,000 events that are counted, newest first`
      : `each bar is ${text}`;
    legend.append(note);
    choose(drawn);
  } catch (error) {
    figure.querySelector(".legend").textContent = error.message;
  }
}

/** Lets a stretch of the time that is drawn be dragged over. */
function choose([from, to]) {
  const chart = figure.querySelector(".chart");
  const band = document.createElement("div");
  band.className = "band";
  chart.append(band);
  let start = null;
  const part = (event) => {
    const box = chart.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const ends = (event) => [start, part(event)].sort((a, b) => a - b);
  chart.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    start = part(event);
    chart.setPointerCapture(event.pointerId);
  });
  chart.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const [left, right] = ends(event);
    band.style.left = `${left * 100}%`;
    band.style.width = `${(right - left) * 100}%`;
  });
  const chose = (event) => {
    if (start === null) return;
    const [left, right] = ends(event);
    start = null;
    if (right - left < 0.005) {
      band.style.width = "0";
      return;
    }
    // Within what was asked for, whose ends are more exact than a browser's times.
    const { from: begin, to: end } = figure.dataset;
    const moment = (share) => new Date(from + share * (to - from)).toISOString();
    const isBefore = (a, b) => Date.parse(a) < Date.parse(b);
    const parameters = chosen();
    parameters.set("from", isBefore(moment(left), begin) ? begin : moment(left));
    parameters.set("to", isBefore(moment(right), end) ? moment(right) : end);
    location.assign(`/events?${parameters}`);
  };
  chart.addEventListener("pointerup", chose);
  chart.addEventListener("pointercancel", () => {
    start = null;
    band.style.width = "0";
  });
}

function cell(...children) {
  const element = document.createElement("td");
  element.append(...children);
  return element;
}

function made(name, kind, text) {
  const element = document.createElement(name);
  element.className = kind;
  element.textContent = text;
  return element;
}

/** A time to the millisecond, as the server writes it. */
function shown(time) {
  const [seconds, fraction = ""] = time.replace("T", " ").replace(/Z$/, "").split(".");
  return `${seconds}.${fraction.padEnd(3, "0").slice(0, 3)}`;
}

/** A row of an event, as the server makes them. */
function row(event) {
  const time = made("time", "", shown(event.time));
  time.dateTime = event.time;
  time.title = event.time;
  const [namespace, type, ...id] = event.entity.split("/");
  const link = made("a", "entity", "");
  link.href = `/entity?${new URLSearchParams({ name: event.entity, at: event.time })}`;
  link.append(made("span", "kind", `${namespace}/${type}/`), id.join("/"));
  const line = cell();
  line.className = "line-cell";
  if (event.line) line.append(made("code", "line", event.line));
  const origin = [event.source, event.node ? `on ${event.node}` : "", event.file ? `· ${event.file}` : ""];
  line.append(made("span", "origin", origin.filter(Boolean).join(" ")));
  const element = document.createElement("tr");
  element.append(cell(time), cell(link), cell(event.event), line);
  return element;
}

function tail() {
  const button = document.getElementById("tail");
  const pause = document.getElementById("pause");
  const table = document.getElementById("tail-table");
  const rows = document.getElementById("tail-rows");
  const rest = [document.getElementById("found"), document.getElementById("nothing")];
  let source = null;
  /** Events that came since the page was drawn last, the newest last. */
  let waiting = [];
  let missed = 0;
  let isOn = false;
  let isPaused = false;

  /** Where the stream is, to go on there. */
  let place = "";

  function stream() {
    const parameters = chosen();
    for (const name of ["as_known_at", "order"]) parameters.delete(name);
    if (place) parameters.set("after", place);
    return `/api/v1/follow?${parameters}`;
  }

  function open() {
    const mine = new EventSource(stream());
    source = mine;
    mine.addEventListener("message", (message) => {
      place = message.lastEventId;
      waiting.push(JSON.parse(message.data));
      if (waiting.length > ROWS) missed += waiting.splice(0, waiting.length - ROWS).length;
    });
    mine.addEventListener("place", (message) => {
      place = message.lastEventId;
      table.dataset.follows = "";
      tell("");
    });
    mine.addEventListener("open", () => tell(""));
    mine.addEventListener("problem", (message) => tell(message.data));
    mine.addEventListener("error", () => {
      if (source !== mine) return;
      tell("the server does not answer");
      if (mine.readyState !== EventSource.CLOSED) return;
      setTimeout(() => source === mine && openAgain(mine), RETRY);
    });
  }

  /** The status that the stream is refused with, which an event source does not tell. */
  async function refusal() {
    const look = new AbortController();
    try {
      const answer = await fetch(stream(), { signal: look.signal });
      if (answer.ok) return null;
      const problem = await answer.json().catch(() => ({}));
      tell(problem.detail ?? `the server answered ${answer.status}`);
      return answer.status;
    } catch {
      tell("the server does not answer");
      return null;
    } finally {
      look.abort();
    }
  }

  async function openAgain(mine) {
    const status = await refusal();
    if (status === 401) {
      // Leads to the login.
      location.reload();
      return;
    }
    if (source !== mine) return;
    // Only these say that the place is no good; whatever else is the matter will be over.
    if ((status === 400 || status === 410) && place) {
      place = "";
      const gap = document.createElement("tr");
      const text = cell("Events may be missing here: the server could not go on from where it was.");
      text.colSpan = 4;
      gap.append(text);
      rows.prepend(gap);
    }
    open();
  }

  /** Browsers hold few connections to a server: a tail that nobody sees gives its own back, and goes
   * on where it was. */
  function follow() {
    if (isOn && !document.hidden) {
      if (!source) open();
      return;
    }
    source?.close();
    source = null;
  }
  document.addEventListener("visibilitychange", follow);

  // Once in a while and not with each event, so that many a second do no harm.
  setInterval(() => {
    if (!isOn) return;
    if (isPaused) {
      const many = missed + waiting.length;
      pause.textContent = many ? `Go on (${many.toLocaleString("en")} new)` : "Go on";
      return;
    }
    if (!waiting.length) return;
    rows.prepend(...waiting.reverse().map(row));
    waiting = [];
    missed = 0;
    while (rows.rows.length > ROWS) rows.lastElementChild.remove();
  }, 250);

  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Go on" : "Pause";
  });
  button.addEventListener("click", () => {
    isOn = !isOn;
    button.setAttribute("aria-pressed", String(isOn));
    pause.hidden = !isOn;
    table.hidden = !isOn;
    for (const element of rest) if (element) element.hidden = isOn;
    follow();
    if (!isOn) {
      place = "";
      waiting = [];
      delete table.dataset.follows;
      tell("");
    }
    const address = new URL(location.href);
    address.hash = isOn ? "tail" : "";
    history.replaceState(null, "", address);
  });
  button.disabled = false;
  if (location.hash === "#tail") button.click();
}

if (figure) {
  histogram();
  tail();
}
