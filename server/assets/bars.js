// Bars over time, one on top of the other by series.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 120;
/** Series that get a colour of their own; what is left shares the last one. */
export const COLOURS = 8;

/** An element of a drawing. */
export function draw(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Counts as they come from the API, by series and by the start of each stretch. */
export class Bars {
  constructor(step) {
    this.step = step;
    this.counts = new Map();
  }

  /** Takes in what was counted from a moment on, instead of what was known of that time. */
  take(answer, from) {
    for (const starts of this.counts.values()) {
      for (const start of starts.keys()) if (start >= from) starts.delete(start);
    }
    for (const { start, type, events } of answer.counts) {
      const at = Math.round(Date.parse(start) / this.step) * this.step;
      if (!this.counts.has(type)) this.counts.set(type, new Map());
      const starts = this.counts.get(type);
      starts.set(at, (starts.get(at) ?? 0) + events);
    }
  }

  /** Forgets what happened before a moment. */
  forget(before) {
    for (const starts of this.counts.values()) {
      for (const start of starts.keys()) if (start < before) starts.delete(start);
    }
  }

  /** Series, each with its sum, always in the same order. */
  series() {
    const sum = (starts) => [...starts.values()].reduce((all, one) => all + one, 0);
    const series = [...this.counts].map(([name, starts]) => ({ name, starts, sum: sum(starts) }));
    return series.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Draws the time from one moment to another. Heights are events per `unit` milliseconds.
   * Returns the ends of what is drawn: whole bars.
   */
  show(figure, from, to, unit) {
    const series = this.series();
    const first = Math.floor(from / this.step) * this.step;
    const many = Math.max(1, Math.ceil((to - first) / this.step));
    const totals = new Array(many).fill(0);
    for (const { starts } of series) {
      for (const [start, events] of starts) {
        const at = Math.round((start - first) / this.step);
        if (at >= 0 && at < many) totals[at] += events;
      }
    }
    const top = Math.max(1, ...totals);
    const width = WIDTH / many;
    const heights = new Array(many).fill(0);
    const bars = [];
    series.forEach(({ starts }, index) => {
      const colour = `series s${Math.min(index, COLOURS - 1)}`;
      for (const [start, events] of starts) {
        const at = Math.round((start - first) / this.step);
        if (at < 0 || at >= many) continue;
        const height = (events / top) * (HEIGHT - 4);
        heights[at] += height;
        bars.push(
          draw("rect", {
            class: colour,
            x: (at * width + width * 0.06).toFixed(2),
            y: (HEIGHT - heights[at]).toFixed(2),
            width: (width * 0.88).toFixed(2),
            height: height.toFixed(2),
          }),
        );
      }
    });
    const view = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
    const drawing = draw("svg", view, ...bars);
    const most = document.createElement("span");
    most.className = "most";
    most.textContent = bars.length ? number((top / this.step) * unit) : "";
    figure.querySelector(".chart").replaceChildren(drawing, most);
    this.legend(figure.querySelector(".legend"), series);
    return [first, first + many * this.step];
  }

  legend(place, series) {
    const shown = series.filter(({ sum }) => sum > 0);
    const items = shown.map(({ name, sum }) => {
      const item = document.createElement("span");
      const colour = document.createElement("i");
      colour.className = `series s${Math.min(series.findIndex((s) => s.name === name), COLOURS - 1)}`;
      item.append(colour, ` ${name} `, bold(sum.toLocaleString("en")));
      return item;
    });
    place.replaceChildren(...(items.length ? items : ["No event in this time."]));
  }
}

function bold(text) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

function number(value) {
  return value >= 10 ? Math.round(value).toLocaleString("en") : value.toFixed(value < 1 ? 2 : 1);
}

/** A length of a bar, in milliseconds, so that there are about so many of them, and its name. */
export function step(length, many) {
  const steps = [1, 2, 5, 10, 15, 30].map((s) => [s * 1000, `${s}s`]);
  steps.push(...[1, 2, 5, 10, 15, 30].map((m) => [m * 60_000, `${m}m`]));
  steps.push(...[1, 2, 3, 6, 12].map((h) => [h * 3_600_000, `${h}h`]));
  steps.push(...[1, 2, 7, 14, 30, 90, 365].map((d) => [d * 86_400_000, `${d}d`]));
  return steps.find(([millis]) => length / millis <= many) ?? steps.at(-1);
}
