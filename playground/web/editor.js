// A text area with numbers beside its lines and marks under its text. Only what can be seen is drawn,
// however long the text is.

export class Editor {
  #text;
  #under;
  #gutter;
  #starts = [0];
  #drawn = false;

  // `marksOf(number)` gives the marks of a line, counted from 0: {start, end, kind}, and the class of
  // the line itself.
  constructor(root, marksOf) {
    this.#text = root.querySelector("textarea");
    this.#under = root.querySelector(".under");
    this.#gutter = root.querySelector(".gutter");
    this.marksOf = marksOf;
    this.#text.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.#text);
    this.#text.addEventListener("keydown", (event) => this.#indent(event));
  }

  get element() {
    return this.#text;
  }

  get value() {
    return this.#text.value;
  }

  set value(text) {
    this.#text.value = text;
    this.changed();
  }

  // To be called when the text is another one.
  changed() {
    this.#starts = [0];
    const text = this.#text.value;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#starts.push(at + 1);
    this.draw();
  }

  // The number of the line with the caret, from 0.
  get line() {
    const at = this.#text.selectionStart;
    let [low, high] = [0, this.#starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle] <= at) low = middle;
      else high = middle;
    }
    return low;
  }

  textOf(number) {
    const end = this.#starts[number + 1];
    return this.#text.value.slice(this.#starts[number], end === undefined ? undefined : end - 1);
  }

  // Puts the caret there and shows it.
  select(number, start = 0, end = start) {
    const from = this.#starts[Math.min(number, this.#starts.length - 1)];
    this.#text.focus({ preventScroll: true });
    this.#text.setSelectionRange(from + start, from + end);
    const height = this.#height();
    const [top, shown] = [number * height, this.#text.clientHeight];
    if (top < this.#text.scrollTop || top + 2 * height > this.#text.scrollTop + shown) {
      this.#text.scrollTop = top - shown / 3;
    }
    const [left, width] = [start * this.#width(), this.#text.clientWidth];
    if (left < this.#text.scrollLeft || left > this.#text.scrollLeft + width * 0.9) {
      this.#text.scrollLeft = left < width * 0.9 ? 0 : left - width / 3;
    }
    this.draw();
  }

  // Another text, as if it had been typed: it can be undone.
  replace(text) {
    this.#text.focus();
    this.#text.select();
    // What has no successor yet; without it there is no way back.
    if (!document.execCommand("insertText", false, text)) {
      this.value = text;
      this.#text.dispatchEvent(new Event("input"));
    }
    this.#text.setSelectionRange(0, 0);
    this.#text.scrollTop = 0;
    this.changed();
  }

  draw() {
    if (this.#drawn) return;
    this.#drawn = true;
    requestAnimationFrame(() => {
      this.#drawn = false;
      this.#drawNow();
    });
  }

  #height() {
    return parseFloat(getComputedStyle(this.#text).lineHeight);
  }

  // Of a character; all but a few have the same.
  #width() {
    const context = document.createElement("canvas").getContext("2d");
    context.font = getComputedStyle(this.#text).font;
    return context.measureText("0").width;
  }

  #drawNow() {
    const [height, top] = [this.#height(), this.#text.scrollTop];
    const first = Math.max(0, Math.floor(top / height) - 1);
    const last = Math.min(this.#starts.length, first + Math.ceil(this.#text.clientHeight / height) + 3);
    const current = this.line;
    const [rows, numbers] = [document.createDocumentFragment(), document.createDocumentFragment()];
    for (let number = first; number < last; number++) {
      const { marks = [], kind = "" } = this.marksOf(number) ?? {};
      const row = document.createElement("div");
      row.className = `row ${kind} ${number === current ? "current" : ""}`;
      row.style.top = `${number * height}px`;
      fill(row, this.textOf(number), marks);
      rows.append(row);
      const place = document.createElement("div");
      place.className = `row ${kind}`;
      place.style.top = `${number * height}px`;
      place.textContent = number + 1;
      numbers.append(place);
    }
    this.#under.replaceChildren(rows);
    this.#gutter.replaceChildren(numbers);
    this.#under.style.transform = `translate(${-this.#text.scrollLeft}px, ${-top}px)`;
    this.#gutter.style.transform = `translateY(${-top}px)`;
  }

  // A new line begins where the one before it does.
  #indent(event) {
    if (event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey) return;
    const before = this.#text.value.slice(0, this.#text.selectionStart);
    const [indent] = before.slice(before.lastIndexOf("\n") + 1).match(/^ */);
    if (indent && document.execCommand("insertText", false, `\n${indent}`)) event.preventDefault();
  }
}

function fill(row, text, marks) {
  // Of very long lines only what one gets to see.
  const end = Math.min(text.length, 2000);
  let at = 0;
  for (const mark of [...marks].sort((one, other) => one.start - other.start)) {
    if (mark.start < at || mark.start > end) continue;
    row.append(text.slice(at, mark.start));
    const marked = document.createElement("mark");
    marked.className = mark.kind;
    // What is missing at the end of a line has a place as well.
    marked.textContent = text.slice(mark.start, mark.end) || (mark.start >= text.length ? " " : "");
    row.append(marked);
    at = Math.max(mark.end, mark.start);
  }
  row.append(text.slice(at, end));
}
