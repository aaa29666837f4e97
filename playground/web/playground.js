// Rules on one side, lines on the other, and what comes of them as one types.

import { countsAnswer, counted, element, leftAnswer, lineAnswer, statesAnswer, suggestionsAnswer } from "./answers.js";
import { Editor } from "./editor.js";
import { packed, unpacked } from "./link.js";

// Longer addresses are cut by programs that pass them on.
const LINK_MAX = 100_000;
// More faults than one mends before the next look.
const FAULTS_MAX = 50;

const by = (id) => document.getElementById(id);

try {
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
} catch {
  // A browser that keeps nothing shows what the system says.
}

// The engine answers in the order in which it is asked.
const worker = new Worker("engine.js", { type: "module" });
const waiting = new Map();
let asked = 0;
worker.addEventListener("message", ({ data: { id, answer, failure } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (failure === undefined) resolve(answer);
  else reject(new Error(failure));
});
worker.addEventListener("error", () => fail(new Error("it could not be loaded")));

function ask(question, argument) {
  return new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject });
    worker.postMessage({ id: asked, ask: question, argument });
  });
}

// Nothing more comes from an engine that failed, and the page says so for as long as it stands.
let isBroken = false;
function fail(error) {
  isBroken = true;
  for (const { reject } of waiting.values()) reject(error);
  waiting.clear();
  by("rules-status").textContent = `The engine failed (${error.message}): load the page again; the address keeps what is here.`;
}

let checked = { faults: [], rules: [], in_force: false };
let run = { lines: 0, more: 0, marks: [], by_rule: [], states: [], entities: 0 };
let line = null;
let tab = "line";
let suggestions = null;
// The forms of what is left over, promised once somebody has asked for them.
let left = null;
// States that were opened or closed by hand.
const toggled = new Map();

const rules = new Editor(by("rules-editor"), (number) => {
  const faults = checked.faults.filter((fault) => fault.line === number + 1);
  const marks = faults.map(({ start, end, severity }) => ({ start, end, kind: severity }));
  return { marks, kind: faults.some((it) => it.severity === "error") ? "has-error" : "" };
});

const lines = new Editor(by("lines-editor"), (number) => {
  const mark = run.marks[number];
  if (mark) {
    const [rule, spans] = mark;
    return { marks: spans.map(([start, end]) => ({ start, end, kind: `r${rule % 8}` })), kind: `taken r${rule % 8}` };
  }
  const near = number === lines.line ? line?.near : null;
  if (!near || near.place === null) return {};
  const text = lines.textOf(number);
  const word = text.slice(near.place).match(/^\s*\S*/)[0].length;
  return { marks: [{ start: near.place, end: near.place + word, kind: "stop" }] };
});

// Runs what waits for the engine; if that fails the page says so.
const attempt = (task) => async (...given) => {
  try {
    await task(...given);
  } catch (error) {
    if (!isBroken) fail(error);
  }
};

// What has changed since the engine was asked last.
const changed = { rules: false, lines: false, line: false };
let isAsking = false;
let typedAt = 0;
let answered = 0;

function change(what) {
  changed[what] = true;
  refresh();
}

async function refresh() {
  if (isAsking) return;
  isAsking = true;
  while (!isBroken && (changed.rules || changed.lines || changed.line)) await refreshOnce();
  isAsking = false;
}

const refreshOnce = attempt(async () => {
  const { rules: newRules, lines: newLines } = changed;
  const start = typedAt;
  Object.assign(changed, { rules: false, lines: false, line: false });
  const answers = [];
  if (newRules) answers.push(ask("setRules", rules.value).then((it) => (checked = it)));
  if (newLines) answers.push(ask("setLines", lines.value));
  if (newRules || newLines) {
    left = null;
    answers.push(ask("run").then((it) => (run = it)));
  }
  answers.push(ask("line", lines.line).then((it) => (line = it)));
  await Promise.all(answers);
  show();
  if (newRules || newLines) {
    keepInAddress();
    // From the key to its answer, for whoever wants to know how long that takes.
    performance.clearMeasures("answered");
    requestAnimationFrame(() => performance.measure("answered", { start, detail: ++answered }));
  }
});

function show() {
  showFaults();
  const failed = run.failed ? `, ${run.failed.toLocaleString("en")} could not be made` : "";
  const more = run.more ? ` The first ${run.lines.toLocaleString("en")} are looked at.` : "";
  by("lines-status").textContent =
    `${(run.matched ?? 0).toLocaleString("en")} of ${counted(run.lines + run.more, "line")} taken, ` +
    `${counted(run.events ?? 0, "event")}${failed}, ${counted(run.entities, "entity", "entities")}.${more}`;
  rules.draw();
  lines.draw();
  showAnswer();
}

function showFaults() {
  const errors = checked.faults.filter((it) => it.severity === "error").length;
  const warnings = checked.faults.length - errors;
  const parts = [];
  if (errors) parts.push(counted(errors, "error"));
  if (warnings) parts.push(counted(warnings, "warning"));
  if (!checked.in_force) parts.push("the last rules that could be used are in force");
  by("rules-status").textContent = parts.length ? parts.join(", ") : `${counted(checked.rules.length, "rule")}, no fault`;
  const more = checked.faults.length - FAULTS_MAX;
  const cut = more > 0 ? [element("li", { class: "quiet" }, `and ${more.toLocaleString("en")} more`)] : [];
  const shown = checked.faults.slice(0, FAULTS_MAX).map((fault) => {
    const place = () => rules.select(fault.line - 1, fault.start, fault.end);
    const expected = fault.expected ? element("span", { class: "expected" }, ` ${fault.expected}`) : null;
    const help = fault.help.length ? element("pre", {}, fault.help.join("\n")) : null;
    return element("li", { class: fault.severity },
      element("button", { type: "button", class: "to", onclick: place }, `${fault.line}:${fault.start + 1}`), " ",
      fault.message, expected, help);
  });
  by("faults").replaceChildren(...shown, ...cut);
}

const showAnswer = attempt(async () => {
  const wanted = tab;
  let parts;
  if (suggestions) parts = suggestionsAnswer(suggestions, takeSuggestion);
  else if (tab === "line") parts = lineAnswer(line, checked.rules, { addSample, showRule });
  else if (tab === "states") parts = statesAnswer(run, showLine, toggled);
  else if (tab === "counts") parts = countsAnswer(run, checked.rules, showRule);
  else parts = leftAnswer(await (left ??= ask("leftOver")), showLine);
  // Meanwhile another one may have been chosen.
  if (wanted === tab) by("answer").replaceChildren(...parts);
});

function showRule(number) {
  const rule = checked.rules[number];
  if (!rule) return;
  // Rules that are in force still may stand elsewhere by now.
  const isNamed = (text) => text.trim().replace(/^- /, "") === `name: ${rule.name}`;
  const at = checked.in_force ? rule.line - 1 : rules.value.split("\n").findIndex(isNamed);
  if (at >= 0) rules.select(at);
}

function showLine(number) {
  lines.select(number);
  change("line");
}

const addSample = attempt(async () => {
  const before = rules.value;
  const added = checked.rules.find((rule) => rule.name === line?.rules[0]?.rule);
  const { Ok: text, Err: reason } = await ask("addSample", lines.line);
  if (text === undefined) tell(reason);
  else if (replaceRules(before, text) && added) rules.select(added.line - 1);
});

// Another text for the rules, unless somebody has typed since it was asked for.
function replaceRules(before, text) {
  const isSame = rules.value === before;
  if (isSame) rules.replace(text);
  else tell("The rules have changed meanwhile: try again.");
  return isSame;
}

function takeSuggestion(suggestion) {
  suggestions = null;
  rules.replace(suggestion.text);
  choose("states");
}

const tabs = [...document.querySelectorAll("[role=tab]")];

function choose(name) {
  tab = name;
  suggestions = null;
  for (const it of tabs) {
    const isIt = it.id === `tab-${name}`;
    it.setAttribute("aria-selected", isIt);
    it.tabIndex = isIt ? 0 : -1;
  }
  by("answer").setAttribute("aria-labelledby", `tab-${name}`);
  showAnswer();
}

for (const [at, it] of tabs.entries()) {
  it.addEventListener("click", () => choose(it.id.slice("tab-".length)));
  it.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return;
    const next = tabs[(at + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
}

let toldUntil;
function tell(text) {
  by("notice").textContent = text;
  clearTimeout(toldUntil);
  toldUntil = setTimeout(() => (by("notice").textContent = ""), 6000);
}

let keptUntil;
function keepInAddress() {
  clearTimeout(keptUntil);
  keptUntil = setTimeout(async () => {
    const hash = await packed(rules.value, lines.value);
    // Too long a link is none.
    const isTooLong = hash.length > LINK_MAX;
    if (isTooLong && location.hash) tell("There is too much for the address: a reload loses it.");
    history.replaceState(null, "", isTooLong ? location.pathname : `#${hash}`);
  }, 400);
}

by("share").addEventListener("click", async () => {
  const hash = await packed(rules.value, lines.value);
  if (hash.length > LINK_MAX) {
    tell("There is too much for a link: take some lines away.");
    return;
  }
  history.replaceState(null, "", `#${hash}`);
  try {
    await navigator.clipboard.writeText(location.href);
    tell("The link is copied. It holds rules and lines; no server gets them from it.");
  } catch {
    tell("The address of this page is the link.");
  }
});

by("format").addEventListener("click", attempt(async () => {
  const before = rules.value;
  const { Ok: text, Err: reason } = await ask("format");
  if (text === undefined) tell(`It cannot be formatted: ${reason}`);
  else if (text === before) tell("It has its usual form.");
  else replaceRules(before, text);
}));

by("suggest").addEventListener("click", attempt(async () => {
  suggestions = await ask("suggest");
  showAnswer();
}));

rules.element.addEventListener("input", () => {
  typedAt = performance.now();
  rules.changed();
  change("rules");
});
lines.element.addEventListener("input", () => {
  typedAt = performance.now();
  suggestions = null;
  lines.changed();
  change("lines");
});
document.addEventListener("selectionchange", () => {
  if (document.activeElement === lines.element) change("line");
  else if (document.activeElement === rules.element) rules.draw();
});

const begin = attempt(async () => {
  const given = location.hash.slice(1);
  const kept = given ? await unpacked(given) : null;
  const isEmpty = !rules.value && !lines.value;
  if (given && !kept) tell(isEmpty ? "The link is damaged; here is the example instead." : "The link is damaged.");
  if (!kept && !isEmpty) return;
  [rules.value, lines.value] = kept ?? (await ask("example"));
  lines.select(0);
  change("rules");
  change("lines");
});

// A link that is followed while the page is open.
addEventListener("hashchange", begin);
begin();
