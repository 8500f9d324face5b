// Mistakes in assembly/: the patches in core/. A copy is patched and built, and the simulation is run against it; where
// that finds nothing, the tests of the core are.

import fs from "node:fs";
import { join } from "node:path";
import { applyPatch, parsePatch } from "diff";
import type { Mutant } from "./run.js";
import { inTree, noticed, ROOT, run } from "./tree.js";

const PATCHES = join(ROOT, "test/mutations/core");
const TESTS = ["core.faults", "core.records", "core.transitions", "exit-core"];

/** Many more than the usual mistake needs, and a guard for a core that runs in circles. */
const SCHEDULES = 20_000;
const GUARD_MS = 300_000;

export function coreMutants(): Mutant[] {
  const files = fs.readdirSync(PATCHES).filter((file) => file.endsWith(".patch"));
  return files.map((file) => {
    const name = file.slice(0, -".patch".length);
    return { name, caught: () => caught(name) };
  });
}

// By a name that tsc does not follow: the compiler's types declare a `console` of their own, for all.
const ASC: string = "assemblyscript/asc";
const asc: { main(argv: string[]): Promise<{ error: Error | null; stderr: unknown }> } = (await import(ASC)).default;

/** In this process: a compiler that has warmed up takes an eighth of the time. */
async function build(dir: string, target: string): Promise<void> {
  const built = compiling.then(() => asc.main(["assembly/index.ts", "--baseDir", dir, "--target", target]));
  compiling = built.catch(() => {}); // one after another
  const { error, stderr } = await built;
  if (error !== null) throw new Error(`it does not compile: ${stderr}`);
}
let compiling: Promise<unknown> = Promise.resolve();

function caught(name: string): Promise<string> {
  return inTree(name, async (tree) => {
    tree.own("assembly");
    for (const patch of parsePatch(fs.readFileSync(join(PATCHES, `${name}.patch`), "utf8"))) {
      tree.rewrite((patch.newFileName as string).replace(/^b\//, ""), (text) => {
        const mutated = applyPatch(text, patch, { fuzzFactor: 0 });
        if (mutated === false) throw new Error("the patch does not apply any more");
        return mutated;
      });
    }
    await build(tree.root, "release");
    const core = join(tree.root, "build/core.wasm");
    if (fs.readFileSync(core).equals(fs.readFileSync(join(ROOT, "build/core.wasm")))) {
      throw new Error("the core is the same");
    }

    const simulate = join(ROOT, "build/test/simulation/run.js");
    const args = [simulate, "--core", core, "--schedules", String(SCHEDULES), "--seed", "1"];
    const { code, out } = await run(args, GUARD_MS);
    if (code === null) return "simulation: it has no end";
    const [failed] = /^schedule \d+: .*/.exec(out) ?? [];
    if (code === 1 && failed !== undefined) return `simulation: ${failed}`;
    if (code !== 0) throw new Error(`the simulation could not run: ${out}`);

    await build(tree.root, "debug");
    for (const test of TESTS) {
      const failure = await noticed(tree, `build/test/${test}.test.js`);
      if (failure !== null) return failure;
    }
    throw new Error("nobody has noticed it");
  });
}
