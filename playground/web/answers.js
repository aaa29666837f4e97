// What came of the lines, as parts of the page. Everything that was typed goes in as text.

// More are not looked at one by one.
const FORMS_MAX = 200;

// An element with attributes, listeners and children.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function counted(number, noun, nouns = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : nouns}`;
}

function table(headings, rows) {
  const head = headings.map((heading) => element("th", { scope: "col" }, heading));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
}

const none = (text) => element("p", { class: "quiet" }, text);

// Everything about one line. `act.addSample` makes a sample of it, `act.showRule` shows a rule.
export function lineAnswer(line, rules, act) {
  if (!line) return [none("Put the caret on a line to see what becomes of it.")];
  const parts = [];
  if (line.redacted) {
    parts.push(element("p", {}, "Rules see it so: ", element("code", {}, line.text)));
  }
  for (const { rule, captures } of line.rules) {
    const number = rules.findIndex((it) => it.name === rule);
    parts.push(
      element("h3", {}, element("button", { type: "button", class: `rule r${number % 8}`, onclick: () => act.showRule(number) }, rule)),
      captures.length
        ? table(["capture", "value"], captures.map(({ name, text }) =>
            element("tr", {}, element("th", { scope: "row" }, name),
              element("td", { class: text === null ? "wrong" : "" }, text ?? "not of its type, or missing"))))
        : none("It captures nothing."),
    );
  }
  for (const event of line.events) parts.push(eventAnswer(event));
  if (line.failed) {
    parts.push(element("p", { class: "wrong" }, `${counted(line.failed, "event")} could not be made: a value does not fit its type, or a name is not allowed.`));
  }
  if (line.rules.length) {
    parts.push(element("p", {}, element("button", { type: "button", id: "add-sample", onclick: act.addSample }, `Make it a sample of ${line.rules[0].rule}`)));
  } else if (line.near) {
    const { rule, field, expected } = line.near;
    const number = rules.findIndex((it) => it.name === rule);
    parts.push(
      element("p", {}, "No rule takes this line. The nearest is ",
        element("button", { type: "button", class: `rule r${number % 8}`, onclick: () => act.showRule(number) }, rule),
        ...stopsAt(line.near), ":"),
      element("p", { class: "expected" }, "expected ", element("code", {}, expected.replaceAll("`", ""))),
    );
  } else if (line.text.trim()) {
    parts.push(none("No rule takes this line, and none comes near."));
  } else {
    parts.push(none("An empty line."));
  }
  return parts;
}

function stopsAt({ field, place, nowhere }) {
  if (field) return [", which stops in the field ", element("code", {}, field)];
  if (nowhere) return [", whose beginning is nowhere in it"];
  return [place === null ? ", which stops" : ", which stops at the underlined place"];
}

function eventAnswer({ entity, event, set, unset }) {
  const changes = [
    ...Object.entries(set).map(([field, value]) => element("li", {}, element("code", {}, field), " = ", element("code", { class: "value" }, value))),
    ...unset.map((field) => element("li", {}, element("code", {}, field), " is unset")),
  ];
  return element("div", { class: "event" },
    element("p", {}, "→ ", element("b", {}, entity), " ", element("span", { class: "name" }, event)),
    changes.length ? element("ul", {}, ...changes) : null);
}

// The states after the last line, each field with the line that set it. `toggled` remembers which of them
// were opened or closed by hand, by their names.
export function statesAnswer(run, showLine, toggled) {
  if (!run.entities) return [none("No line gives an event yet.")];
  const parts = [];
  if (run.states.length < run.entities) {
    parts.push(none(`The ${run.states.length} with most events, of ${run.entities.toLocaleString("en")}.`));
  }
  const to = (line, text) => element("button", { type: "button", class: "to", title: `line ${line + 1}`, onclick: () => showLine(line) }, text);
  for (const { name, events, trail, fields } of run.states) {
    const steps = trail.flatMap(({ event, line }, at) => [at ? " → " : "", to(line, event)]);
    const isOpen = toggled.get(name) ?? run.states.length <= 12;
    const ontoggle = ({ target }) => toggled.set(name, target.open);
    parts.push(element("details", { ...(isOpen ? { open: "" } : {}), ontoggle },
      element("summary", {}, element("b", {}, name), " ", element("span", { class: "quiet" }, counted(events, "event"))),
      element("p", { class: "trail" }, events > trail.length ? "… " : "", ...steps),
      table(["field", "value", "line"], fields.map(({ field, value, line }) =>
        element("tr", {}, element("th", { scope: "row" }, field), element("td", {}, value), element("td", {}, to(line, line + 1)))))));
  }
  return parts;
}

// How often each rule was at work.
export function countsAnswer(run, rules, showRule) {
  if (!rules.length) return [none("There is no rule yet.")];
  const most = Math.max(1, ...run.by_rule);
  const rows = rules.map(({ name }, number) => {
    const count = run.by_rule[number] ?? 0;
    const bar = element("meter", { min: 0, max: most, value: count, "aria-label": `${name}: ${counted(count, "line")}` });
    return element("tr", { class: count ? "" : "dead" },
      element("th", { scope: "row" }, element("button", { type: "button", class: `rule r${number % 8}`, onclick: () => showRule(number) }, name)),
      element("td", { class: "number" }, count.toLocaleString("en")), element("td", {}, bar));
  });
  return [table(["rule", "lines", ""], rows)];
}

// Lines that no rule takes, by their forms.
export function leftAnswer(forms, showLine) {
  if (!forms.length) return [none("Every line with a word is taken by a rule.")];
  const rows = forms.slice(0, FORMS_MAX).map(({ text, lines, first }) =>
    element("tr", {}, element("td", { class: "number" }, lines.toLocaleString("en")),
      element("td", {}, element("button", { type: "button", class: "to form", onclick: () => showLine(first) }, text))));
  const cut = forms.length > FORMS_MAX ? none(`The ${FORMS_MAX} most frequent of ${counted(forms.length, "form")}.`) : null;
  return [cut, table(["lines", "form"], rows)].filter((part) => part !== null);
}

// What could be proposed, to choose from.
export function suggestionsAnswer(suggestions, take) {
  if (!suggestions.length) return [none("Nothing comes back in these lines that looks like the id of a thing. More lines may help.")];
  return [
    element("p", {}, "These would take the place of the rules on the left; undo brings them back."),
    element("ul", { class: "choices" }, ...suggestions.map((it) =>
      element("li", {}, element("button", { type: "button", onclick: () => take(it) }, it.entity_type), " ",
        element("span", { class: "quiet" }, `${counted(it.rules, "rule")}, ${counted(it.entities, "entity", "entities")}, ${counted(it.lines, "line")}`)))),
  ];
}
