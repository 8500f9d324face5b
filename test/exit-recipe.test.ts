// The fourteen tests that the recipe brought along, by their names.

import * as assert from "uvu/assert";
import { pool, run } from "./lib/exit-process.js";
import { suite } from "./lib/suite.js";

const test = suite("recipe");
const job = pool(3);

const rows: [string, string, string, string, string | number][] = [
  ["exit cleanly", "recipe.mjs", "exit cleanly", "1", 0],
  ["exception", "recipe.mjs", "exception", "1", 1],
  ["signal", "recipe.mjs", "signal", "1", "SIGTERM"],
  ["appended signal handler", "recipe.mjs", "appended signal handler", "newold", "SIGTERM"],
  ["interrupt", "recipe.mjs", "interrupt", "1", "SIGINT"],
  ["system exit", "recipe.mjs", "system exit", "1", 0],
  ["called once", "recipe.mjs", "called once", "1", "SIGTERM"],
  ["cascade", "recipe.mjs", "cascade", "21", 0],
  ["all exit signals", "recipe.mjs", "all exit signals", "210", 0],
  ["all exit signals, killed by a signal", "recipe.mjs", "all exit signals, killed", "210", "SIGTERM"],
  ["as decorator", "recipe-decorated.js", "without", "1", 0],
  ["error in the function", "recipe.mjs", "error in the function", "1", 1],
  ["decorator without parentheses returns its value", "recipe-decorated.js", "without call", "1value1", 0],
  ["decorator with parentheses runs", "recipe-decorated.js", "with", "1", 0],
];

for (const [name, program, how, said, status] of rows) {
  const ended = job(() => run(program, { args: program.endsWith(".mjs") ? [how] : how.split(" ") }));
  ended.catch(() => {});
  test(name, async () => {
    const { lines, status: died, stderr } = await ended;
    assert.is(lines.join(""), said, stderr);
    assert.is(died, status);
  });
}

test.run();
