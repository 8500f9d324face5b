// npm test -- mutations: code with a mistake in it must not pass. Those of the core are patches in core/, those of the
// host and the command rows of table.ts; names as arguments run only these. The last lines are a summary as uvu's.

import { rmSync } from "node:fs";
import { coreMutants } from "./core.js";
import { hostMutants } from "./host.js";
import { WORK } from "./tree.js";

/** One mistake. */
export interface Mutant {
  readonly name: string;
  /** Who noticed it, and by what. Rejects where nobody did, or it is no mistake any more. */
  caught(): Promise<string>;
}

const AT_ONCE = 2;

rmSync(WORK, { recursive: true, force: true });
const all = [...coreMutants(), ...hostMutants()];
const twice = all.find(({ name }, i) => all.findIndex((other) => other.name === name) < i);
if (twice !== undefined) throw new Error(`two mutants have the name ${twice.name}`);
const asked = process.argv.slice(2);
const mutants = all.filter(({ name }) => asked.length === 0 || asked.includes(name));

const waiting = [...mutants];
let passed = 0;
const one = async () => {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const { name } = mutant;
    try {
      console.log(`${name.padEnd(32)} ${await mutant.caught()}`);
      passed++;
    } catch (error) {
      console.error(`${name.padEnd(32)} NOT CAUGHT: ${(error as Error).message}`);
    }
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, one));
rmSync(WORK, { recursive: true, force: true });
console.log(`\n  Total:     ${mutants.length}\n  Passed:    ${passed}\n  Skipped:   0`);
if (passed < mutants.length || mutants.length === 0) process.exitCode = 1;
