// npm test -- mutations: code with a mistake in it must not pass. Those of the core are patches in core/, those of the
// host and the command rows of the tables. The last lines are a summary as uvu's.
//
//   node build/test/mutations/run.js [NAME]... [--search] [--write]
//
//   NAME      only the mutants of this name, or of this test file
//   --search  where the test file of its row does not notice a mistake, all others are asked
//   --write   who noticed each, to be asked first the next time, is written into noticed.json

import fs from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { coreMutants } from "./core.js";
import { hostMutants } from "./host.js";
import { ROOT, Tree, WORK } from "./tree.js";
import { distrusted, type Noticed } from "./watch.js";

/** One mistake. */
export interface Mutant {
  readonly name: string;
  /** The test file that is to notice it. */
  readonly test?: string;
  /** `before` is who has noticed it the last time. Rejects where nobody does, or it is no mistake any more. */
  caught(tree: Tree, before: string, search: boolean): Promise<Noticed>;
}

/** Most of a mutant's time is that of a test that waits for what does not come. */
const AT_ONCE = 4 * availableParallelism();
/** By mutant: a test, by its file and name. Where it has another name by now the whole file is run. */
const NOTICED = join(ROOT, "test/mutations/noticed.json");

const { values, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: { search: { type: "boolean", default: false }, write: { type: "boolean", default: false } },
});

fs.rmSync(WORK, { recursive: true, force: true });
const all = [...coreMutants(), ...hostMutants()];
const twice = all.find(({ name }, i) => all.findIndex((other) => other.name === name) < i);
if (twice !== undefined) throw new Error(`two mutants have the name ${twice.name}`);
const mutants = all.filter(
  ({ name, test = "core" }) => asked.length === 0 || asked.includes(name) || asked.includes(test),
);

const noticed: { [mutant: string]: string } = JSON.parse(fs.readFileSync(NOTICED, "utf8"));
const waiting = [...mutants];
let passed = 0;
const one = async (_: unknown, i: number) => {
  const tree = new Tree(String(i));
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const { name } = mutant;
    const begin = performance.now();
    const tell = (text: string) => {
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      console.log(`${name.padEnd(32)} ${seconds.padStart(5)} s  ${text}`);
    };
    try {
      const { by, how } = await mutant.caught(tree, noticed[name] ?? "", values.search);
      noticed[name] = by;
      tell(`${by}: ${how}`);
      passed++;
    } catch (error) {
      tell(`NOT CAUGHT: ${(error as Error).message}`);
    }
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, one));
for (const text of await distrusted(AT_ONCE)) {
  console.log(`NOT CAUGHT: ${text}`);
  passed = Math.max(0, passed - 1);
}
fs.rmSync(WORK, { recursive: true, force: true });
if (values.write) {
  const known = all.flatMap(({ name }) => (noticed[name] === undefined ? [] : [[name, noticed[name]]]));
  fs.writeFileSync(NOTICED, `${JSON.stringify(Object.fromEntries(known), null, 2)}\n`);
}
console.log(`\n  Total:     ${mutants.length}\n  Passed:    ${passed}\n  Skipped:   0`);
if (passed < mutants.length || mutants.length === 0) process.exitCode = 1;
