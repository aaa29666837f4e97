// The engine, off the page's own thread: typing never waits for it.

import init, { Playground } from "./statetrail_playground.js";

const playground = init().then(() => new Playground());

const asks = {
  example: () => Playground.example(),
  setRules: (engine, text) => engine.set_rules(text),
  setLines: (engine, text) => (engine.set_lines(text), "null"),
  run: (engine) => engine.run(),
  line: (engine, number) => engine.line(number),
  addSample: (engine, number) => engine.add_sample(number),
  format: (engine) => engine.format(),
  leftOver: (engine) => engine.left_over(),
  suggest: (engine) => engine.suggest(),
};

addEventListener("message", async ({ data: { id, ask, argument } }) => {
  try {
    postMessage({ id, answer: JSON.parse(asks[ask](await playground, argument)) });
  } catch (error) {
    postMessage({ id, failure: String(error) });
  }
});
