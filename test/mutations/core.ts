// Mistakes in assembly/: the patches in core/. A copy is patched and built, and the simulation is run against it; where
// that finds nothing, the tests of the core are.

import fs from "node:fs";
import { join } from "node:path";
import { applyPatch, parsePatch } from "diff";
import { run } from "./program.js";
import type { Mutant } from "./run.js";
import { ROOT, type Tree } from "./tree.js";
import { FLOOR_MS, type Noticed, notice, SLOWER } from "./watch.js";

const PATCHES = join(ROOT, "test/mutations/core");
const TESTS = ["core.faults", "core.records", "core.transitions", "exit-core", "request", "connection", "simulation"];

/** As many as nearly each mistake needs, so that a core that runs in circles is soon known; and many more. */
const SCHEDULES = [200, 20_000];
/** What they may take without a mistake, in ms. */
const GUARD_MS = 300_000;

export function coreMutants(): Mutant[] {
  const files = fs.readdirSync(PATCHES).filter((file) => file.endsWith(".patch"));
  return files.map((file) => {
    const name = file.slice(0, -".patch".length);
    return { name, caught: (tree, before) => caught(tree, before, name) };
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

async function caught(tree: Tree, before: string, name: string): Promise<Noticed> {
  tree.own("assembly");
  try {
    for (const patch of parsePatch(fs.readFileSync(join(PATCHES, `${name}.patch`), "utf8"))) {
      const file = (patch.newFileName as string).replace(/^b\//, "");
      const mutated = applyPatch(tree.read(file), patch, { fuzzFactor: 0 });
      if (mutated === false) throw new Error("the patch does not apply any more");
      tree.write(file, mutated);
    }
    await build(tree.root, "release");
    const core = join(tree.root, "build/core.wasm");
    if (fs.readFileSync(core).equals(fs.readFileSync(join(ROOT, "build/core.wasm")))) {
      throw new Error("the core is the same");
    }
    const [known = "", test] = before.split(/: (.*)/s);
    const simulated = test ? null : await simulate(core);
    if (simulated !== null) return simulated;
    await build(tree.root, "debug");
    const noticed = test && (await notice(tree, known, test));
    if (noticed) return noticed;
    for (const file of TESTS) {
      const noticed = await notice(tree, file);
      if (noticed !== null) return noticed;
    }
    const late = test ? await simulate(core) : null;
    if (late !== null) return late;
    throw new Error("nobody has noticed it");
  } finally {
    tree.restore(["build/core.wasm", "build/core.debug.wasm"]);
  }
}

async function simulate(core: string): Promise<Noticed | null> {
  for (const schedules of SCHEDULES) {
    const most = Math.max(FLOOR_MS, Math.round(SLOWER * (await healthy(schedules))));
    const { code, out } = await play(core, schedules, most);
    if (code === null) return { by: "simulation", how: `hangs: not over after ${Math.round(most / 1000)} s` };
    const [failed] = /^schedule \d+: .*/.exec(out) ?? [];
    if (code === 1 && failed !== undefined) return { by: "simulation", how: failed };
    if (code !== 0) throw new Error(`the simulation could not run: ${out}`);
  }
  return null;
}

function play(core: string, schedules: number, most: number): ReturnType<typeof run> {
  const simulation = join(ROOT, "build/test/simulation/run.js");
  return run([simulation, "--core", core, "--schedules", String(schedules), "--seed", "1"], most);
}

const times = new Map<number, Promise<number>>();

/** What they take without a mistake, in ms. */
function healthy(schedules: number): Promise<number> {
  const time = async () => {
    const begin = performance.now();
    const { code, out } = await play(join(ROOT, "build/core.wasm"), schedules, GUARD_MS);
    if (code !== 0) throw new Error(`without it, too, the simulation fails: ${out}`);
    return performance.now() - begin;
  };
  const known = times.get(schedules) ?? time();
  times.set(schedules, known);
  return known;
}
