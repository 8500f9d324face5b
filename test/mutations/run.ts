// npm test -- mutations: a core with a mistake in it must not pass. Each patch beside this file is
// applied to a copy of assembly/, the copy is built, and the simulation is run against it; where that
// finds nothing, the tests of the core are. The last lines are a summary as uvu's.

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applyPatch, parsePatch } from "diff";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PATCHES = join(ROOT, "test/mutations");
/** Inside of the project, so that packages are found from there. */
const WORK = join(ROOT, "build/mutations");

/** Many more than the usual mistake needs, and a guard for a core that runs in circles. */
const SCHEDULES = 20_000;
const GUARD_MS = 300_000;

const AT_ONCE = 2;

/** Resolves to the exit code; to null where it had to be killed. */
function node(...args: string[]): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, FORCE_COLOR: "0" };
    const options = { cwd: ROOT, timeout: GUARD_MS, killSignal: "SIGKILL", maxBuffer: 1 << 26, env } as const;
    const child = execFile(process.execPath, args, options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, out: `${stdout}${stderr}` }),
    );
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

/** Who caught it, and how it looked; throws where nobody did, or the patch is no mutation any more. */
async function caught(name: string): Promise<string> {
  const dir = join(WORK, name);
  mkdirSync(dir, { recursive: true });
  cpSync(join(ROOT, "assembly"), join(dir, "assembly"), { recursive: true });
  cpSync(join(ROOT, "asconfig.json"), join(dir, "asconfig.json"));
  for (const patch of parsePatch(readFileSync(join(PATCHES, `${name}.patch`), "utf8"))) {
    const file = join(dir, (patch.newFileName as string).replace(/^b\//, ""));
    const mutated = applyPatch(readFileSync(file, "utf8"), patch, { fuzzFactor: 0 });
    if (mutated === false) throw new Error("the patch does not apply any more");
    writeFileSync(file, mutated);
  }
  await build(dir, "release");
  const core = join(dir, "build/core.wasm");
  if (readFileSync(core).equals(readFileSync(join(ROOT, "build/core.wasm")))) throw new Error("the core is the same");

  const simulate = join(ROOT, "build/test/simulation/run.js");
  const simulated = await node(simulate, "--core", core, "--schedules", String(SCHEDULES), "--seed", "1");
  if (simulated.code === null) return "the simulation: it has no end";
  if (simulated.code === 1 && /^schedule \d+: /.test(simulated.out))
    return `the simulation: ${simulated.out.split("\n")[0]}`;
  if (simulated.code !== 0) throw new Error(`the simulation could not run: ${simulated.out}`);

  await build(dir, "debug");
  for (const part of ["assembly", "host", "test"]) {
    cpSync(join(ROOT, "build", part), join(dir, "build", part), { recursive: true });
  }
  const uvu = join(ROOT, "node_modules/uvu/bin.js");
  const tested = await node(uvu, join(dir, "build/test"), "(core\\.\\w+|exit-core)\\.test\\.js$");
  if (tested.code === 0) throw new Error("nobody has noticed it");
  return `the core's tests: ${/FAIL\s+.*/.exec(tested.out)?.[0] ?? tested.out.slice(-200)}`;
}

rmSync(WORK, { recursive: true, force: true });
const names = readdirSync(PATCHES)
  .filter((file) => file.endsWith(".patch"))
  .map((file) => file.slice(0, -".patch".length))
  .filter((name) => process.argv.length < 3 || process.argv.includes(name));
const waiting = [...names];
let passed = 0;
const one = async () => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    try {
      console.log(`${name.padEnd(32)} ${await caught(name)}`);
      passed++;
    } catch (error) {
      console.error(`${name.padEnd(32)} NOT CAUGHT: ${(error as Error).message}`);
    }
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, one));
rmSync(WORK, { recursive: true, force: true });
console.log(`\n  Total:     ${names.length}\n  Passed:    ${passed}\n  Skipped:   0`);
if (passed < names.length || names.length === 0) process.exitCode = 1;
