// The rate of events, kept up to date.

import { ask, tell } from "./VERSION-app.js";
import { Bars } from "./VERSION-bars.js";

const STEP = 5_000;
const SPAN = 300_000;
const EVERY = 2_000;
/** Events come a little after they happen: so long ago is counted again. */
const LATE = 30_000;

/** The server's time; answers name the second that has begun, and this is its end. */
async function serverTime() {
  const answer = await fetch("/health/livez", { cache: "no-store" }).catch(() => {
    throw new Error("the server does not answer");
  });
  return Date.parse(answer.headers.get("date")) + 1_000;
}

const figure = document.getElementById("rate");
if (figure) {
  const bars = new Bars(STEP);
  let counted = 0;
  // Events bear the time of servers, and this clock may differ.
  let ahead;
  async function look() {
    if (!document.hidden) {
      try {
        ahead ??= (await serverTime()) - Date.now();
        const now = Date.now() + ahead;
        const since = Math.max(now - SPAN, counted - LATE);
        const from = Math.floor(since / STEP) * STEP;
        const start = new Date(from).toISOString();
        const end = new Date(now).toISOString();
        const address = `/api/v1/counts?from=${start}&to=${end}&step=5s&order=newest`;
        bars.take(await ask(address, "json"), from);
        bars.forget(now - SPAN - STEP);
        counted = now;
        bars.show(figure, now - SPAN, now, 1000);
        tell("");
      } catch (error) {
        tell(error.message);
      }
    }
    setTimeout(look, EVERY);
  }
  look();
}
