// The table of docs/guide/exit.md, checked against real processes: what runs on every way out. With
// SENDOFF_WRITE=1 the column of this runtime is written instead.

import { readFileSync, writeFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { type Child, type Ended, kill, pool, RUNTIME, run } from "./lib/exit-process.js";
import { suite } from "./lib/suite.js";

const DOC = new URL("../../docs/guide/exit.md", import.meta.url);
const COLUMNS = ["node", "deno", "bun"];
const column = COLUMNS.indexOf(RUNTIME) + 1;
const SIGNALS: { [way: string]: NodeJS.Signals } = {
  "SIGTERM, SIGINT, SIGHUP": "SIGTERM",
  "SIGKILL, SIGSTOP": "SIGKILL",
  "SIGQUIT, or another signal without a function": "SIGQUIT",
};

function cell({ lines, status }: Ended): string {
  const sync = lines.includes("sync");
  const what = lines.includes("async") ? "run, awaited" : sync ? "run" : "not run";
  assert.is(lines.filter((line) => line === "sync").length, sync ? 1 : 0, "once");
  return `${what}; ${status}`;
}

const test = suite("every way out");
const job = pool(3);
const lines = readFileSync(DOC, "utf8").split("\n");
const first = lines.findIndex((line) => line.startsWith("| way out |")) + 2;
const last = lines.findIndex((line, i) => i > first && !line.startsWith("|"));

for (let i = first; i < last; i++) {
  const cells = (lines[i] as string).split(" | ").map((text) => text.replace(/^\| | \|$/g, "").trim());
  const way = cells[0] as string;
  if (cells[column] === "–") continue;
  const signal = SIGNALS[way];
  if (cells[column] === "never ends") continue; // so nothing can be seen of its end
  const act = (child: Child) => {
    if (signal !== undefined) kill(signal)(child);
  };
  const ended = job(() => run("ways.mjs", { args: [way], act }));
  ended.catch(() => {});
  test(way, async () => {
    const seen = cell(await ended);
    if (process.env.SENDOFF_WRITE !== "1") return assert.is(seen, cells[column]);
    cells[column] = seen;
    lines[i] = `| ${cells.join(" | ")} |`;
  });
}

test.after(() => {
  if (process.env.SENDOFF_WRITE === "1") writeFileSync(DOC, lines.join("\n"));
});
test.run();
