// What all pages do: light or dark, keys, and parts that are asked for again and again.

const root = document.documentElement;
function isDark() {
  if (root.dataset.theme) return root.dataset.theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

document.getElementById("theme")?.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // A browser that keeps nothing shows it until the page is left.
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("go-name")?.focus();
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (target) {
    event.preventDefault();
    target.click();
  }
});

/** Says at the end of the page whether what it shows is as of now. */
export function tell(problem) {
  const place = document.getElementById("freshness");
  if (!place) return;
  const text = problem ? `Not up to date: ${problem}; asking again` : "";
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("wrong", Boolean(problem));
}

/** The answer to a question, or an error that says why there is none. */
export async function ask(address, kind, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer");
  }
  if (answer.status === 401) {
    location.reload();
    throw new Error("log in again");
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail ?? `the server answered ${answer.status}`);
  }
  return answer[kind]();
}

const filled = new WeakMap();

/** Replaces what an element holds by a part of a page, which the server has escaped. What is the same
 * stays, so that no click hits what has just been taken away. */
export function fill(element, html) {
  const made = new DOMParser().parseFromString(html, "text/html").body;
  const text = made.innerHTML;
  if (text === (filled.get(element) ?? element.innerHTML)) return;
  filled.set(element, text);
  element.replaceChildren(...made.childNodes);
}

const RETRY = 2000;

function keepUpToDate(element) {
  const every = Number(element.dataset.every) * 1000;
  async function look() {
    let wait = every;
    // Nobody looks at a page that is hidden, and one that is being read stays as it is.
    if (!document.hidden && !element.contains(document.activeElement)) {
      try {
        const html = await ask(element.dataset.part, "text");
        if (element.dataset.then === "reload") {
          if (html.trim()) location.reload();
        } else {
          fill(element, html);
        }
        tell("");
      } catch (error) {
        tell(error.message);
        wait = RETRY;
      }
    }
    setTimeout(look, wait);
  }
  setTimeout(look, element.dataset.soon === undefined ? every : 0);
}

for (const element of document.querySelectorAll("[data-part]")) keepUpToDate(element);
