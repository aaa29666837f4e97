// Draws how places follow each other, from left to right.

import { draw } from "./VERSION-bars.js";

const COLUMN = 260;
const ROW = 74;
const BOX = { width: 132, height: 42 };
const START = "\u0000";

/** The column of each place: how many steps away from where most begin, by the ways that most go. */
function columns(places, steps) {
  const column = new Map([[START, 0]]);
  const ways = [...steps].sort((a, b) => b.count - a.count);
  let isMoving = true;
  // The fewest steps to a place, each place once, so circles do no harm.
  while (isMoving) {
    isMoving = false;
    for (const { from, to } of ways) {
      if (!column.has(from) || column.has(to)) continue;
      column.set(to, column.get(from) + 1);
      isMoving = true;
    }
  }
  for (const { name } of places) if (!column.has(name)) column.set(name, 1);
  return column;
}

/** Where each place is drawn: in its column, near to where it is come to from. */
function layout(places, steps) {
  const column = columns(places, steps);
  const names = [START, ...places.map(({ name }) => name)];
  const byColumn = [];
  for (const name of names) (byColumn[column.get(name)] ??= []).push(name);
  const spots = new Map();
  const tallest = Math.max(...byColumn.map((column) => column?.length ?? 0));
  byColumn.forEach((members, x) => {
    const height = (name) => {
      const into = steps.filter((step) => step.to === name && spots.has(step.from));
      const all = into.reduce((sum, step) => sum + step.count, 0);
      return all ? into.reduce((sum, s) => sum + spots.get(s.from).y * s.count, 0) / all : 0;
    };
    const heights = new Map(members.map((name) => [name, height(name)]));
    members.sort((a, b) => heights.get(a) - heights.get(b) || (a < b ? -1 : 1));
    const top = ((tallest - members.length) * ROW) / 2;
    members.forEach((name, y) => spots.set(name, { x: x * COLUMN, y: top + y * ROW }));
  });
  const width = byColumn.length * COLUMN - (COLUMN - BOX.width);
  return { spots, width, height: Math.max(1, tallest) * ROW };
}

function label(text, attributes) {
  const element = draw("text", attributes);
  element.textContent = text;
  return element;
}

function shown(name) {
  if (name === START) return "first seen";
  return name || "empty";
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** An arrow from one box to another, and what is said of it. */
function arrow(step, spots, most) {
  const from = spots.get(step.from);
  const to = spots.get(step.to);
  const middle = BOX.height / 2;
  const isBack = to.x <= from.x;
  const start = { x: from.x + (step.from === START ? 16 : BOX.width), y: from.y + middle };
  const end = { x: to.x - 5, y: to.y + middle };
  let path = `M${start.x} ${start.y} C${start.x + 50} ${start.y} ${end.x - 50} ${end.y} ${end.x} ${end.y}`;
  // Over the end, where arrows that leave one box lie apart.
  const isStraight = Math.abs(end.y - start.y) < 4;
  const x = isStraight ? (start.x + end.x) / 2 : end.x - 52;
  let at = { x, y: end.y - start.y > 4 ? end.y + 18 : end.y - 9 };
  if (isBack) {
    const low = Math.max(from.y, to.y) + BOX.height + 18;
    const out = { x: from.x + BOX.width / 2, y: from.y + BOX.height };
    const into = { x: to.x + BOX.width / 2 + (step.from === step.to ? 24 : 0), y: to.y + BOX.height + 5 };
    path = `M${out.x} ${out.y} C${out.x} ${low} ${into.x} ${low} ${into.x} ${into.y}`;
    at = { x: (out.x + into.x) / 2, y: low - 2 };
  } else if (to.x - from.x > COLUMN && Math.abs(to.y - from.y) < ROW / 2) {
    // Over the boxes that are in between.
    const high = Math.min(from.y, to.y) - 14;
    path = `M${start.x} ${start.y} C${start.x + 70} ${high} ${end.x - 70} ${high} ${end.x} ${end.y}`;
    at = { x: (start.x + end.x) / 2, y: high + 4 };
  }
  const width = (1 + 5 * Math.sqrt(step.count / most)).toFixed(1);
  const text = step.median ? `${step.count.toLocaleString("en")} · ${step.median}` : step.count.toLocaleString("en");
  const title = draw("title", {});
  title.textContent = `${shown(step.from)} → ${shown(step.to)}: ${text}`;
  return draw(
    "a",
    { href: `${step.address}#went`, class: "way", tabindex: -1 },
    title,
    draw("path", { d: path, class: "wide-way" }),
    draw("path", { d: path, "stroke-width": width, class: "line", "marker-end": "url(#head)" }),
    label(text, { x: at.x, y: at.y, "text-anchor": "middle" }),
  );
}

function box(place, spot) {
  const title = draw("title", {});
  title.textContent = shown(place.name);
  const said = place.median ? `usually ${place.median}` : `${place.stays.toLocaleString("en")} stay`;
  return draw(
    "g",
    { class: "place" },
    title,
    draw("rect", { x: spot.x, y: spot.y, ...BOX, rx: 8 }),
    label(shortened(shown(place.name), 18), { x: spot.x + BOX.width / 2, y: spot.y + 18, "text-anchor": "middle", class: "name" }),
    label(said, { x: spot.x + BOX.width / 2, y: spot.y + 33, "text-anchor": "middle", class: "said" }),
  );
}

const figure = document.getElementById("graph");
if (figure) {
  const { places, steps: known } = JSON.parse(figure.dataset.graph);
  const steps = known.map((step) => ({ ...step, from: step.from ?? START }));
  const { spots, width, height } = layout(places, steps);
  const most = Math.max(...steps.map(({ count }) => count));
  const head = draw("marker", { id: "head", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 12, markerHeight: 12, markerUnits: "userSpaceOnUse", orient: "auto" }, draw("path", { d: "M0 0L8 4L0 8z" }));
  const begin = spots.get(START);
  const dot = draw("circle", { cx: begin.x + 8, cy: begin.y + BOX.height / 2, r: 8, class: "begin" });
  const drawing = draw(
    "svg",
    { viewBox: `-10 -30 ${width + 20} ${height + 50}`, width: width + 20, height: height + 50 },
    draw("defs", {}, head),
    ...[...steps].sort((a, b) => a.count - b.count).map((step) => arrow(step, spots, most)),
    dot,
    ...places.map((place) => box(place, spots.get(place.name))),
  );
  figure.replaceChildren(drawing);
}
