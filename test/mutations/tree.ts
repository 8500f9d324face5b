// A copy of the project in which one mistake is made: what is compiled, and what is run from it. It lies in build/, so
// that packages are found from there; `sendoff` itself is the copy.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { childrenOf } from "../lib/command.js";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const WORK = join(ROOT, "build/mutations");

/** Far more than any test needs: one that says nothing for so long hangs. */
const SILENCE_MS = 20_000;

/** How a program ended: `code` is null where it was killed, because it ran for `limit` ms. */
export function run(args: readonly string[], limit: number): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve) => {
    const options = {
      cwd: ROOT,
      timeout: limit,
      killSignal: "SIGKILL",
      maxBuffer: 1 << 26,
      env: environment(),
    } as const;
    const child = execFile(process.execPath, args, options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, out: `${stdout}${stderr}` }),
    );
  });
}

function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...process.env, FORCE_COLOR: "0", ...more };
}

export class Tree {
  readonly root: string;

  constructor(name: string) {
    this.root = join(WORK, name);
    const parts = (folder: string, without: string[]) =>
      fs.readdirSync(join(ROOT, folder)).flatMap((name) => (without.includes(name) ? [] : join(folder, name)));
    const own = ["package.json", "test/fixtures", ...parts("build", [basename(WORK)])];
    const linked = [...parts("", [".git", "package.json", "test", "build"]), ...parts("test", ["fixtures"])];
    for (const folder of ["test", "build"]) fs.mkdirSync(join(this.root, folder), { recursive: true });
    // What imports `sendoff` has to be a copy: a link is followed, and the package around the original is found.
    for (const part of own) fs.cpSync(join(ROOT, part), join(this.root, part), { recursive: true });
    for (const part of linked) fs.symlinkSync(join(ROOT, part), join(this.root, part));
    const named = pathToFileURL(join(ROOT, "build/test/mutations/named.js")).href;
    for (const file of this.tests()) this.rewrite(file, (text) => text.replaceAll('from "uvu"', `from "${named}"`));
  }

  rewrite(file: string, by: (text: string) => string): void {
    const path = join(this.root, file);
    fs.writeFileSync(path, by(fs.readFileSync(path, "utf8")));
  }

  /** In place of a link to the original: a file or folder of its own. */
  own(part: string): void {
    fs.rmSync(join(this.root, part));
    fs.cpSync(join(ROOT, part), join(this.root, part), { recursive: true });
  }

  /** What was compiled of test/, with the helpers. */
  tests(): string[] {
    const folder = join(this.root, "build/test");
    const files = fs.readdirSync(folder, { recursive: true, encoding: "utf8" });
    return files.filter((file) => file.endsWith(".js")).map((file) => join("build/test", file));
  }

  /** Runs a test file up to the first test that fails, and tells which; null where all pass. */
  async failure(file: string): Promise<string | null> {
    const folder = fs.mkdtempSync(join(tmpdir(), "mutant-"));
    const child = spawn(process.execPath, [join(this.root, file)], {
      cwd: this.root,
      env: environment({ TMPDIR: folder }),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own, to be killed as a whole
    });
    running.add(child);
    try {
      const how = await firstFailure(child);
      return how === null ? null : `${basename(file, ".js")}: ${how}`;
    } finally {
      await end(child);
      running.delete(child);
      fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10 }); // who was killed may still be ending
    }
  }
}

/** Lends a copy. */
export async function inTree<T>(name: string, use: (tree: Tree) => Promise<T>): Promise<T> {
  const tree = new Tree(name);
  try {
    return await use(tree);
  } finally {
    fs.rmSync(tree.root, { recursive: true, force: true });
  }
}

/** What the files say without any mistake. */
const clean = new Map<string, Promise<string | null>>();
let original: Tree | undefined;

/** Which test of a file notices the mistake; null where none does. Rejects where the file fails without it. */
export async function noticed(tree: Tree, file: string): Promise<string | null> {
  const failure = await tree.failure(file);
  if (failure === null) return null;
  original ??= new Tree("original");
  const before = clean.get(file) ?? original.failure(file);
  clean.set(file, before);
  if ((await before) !== null) throw new Error(`without it, too, there is ${await before}`);
  return failure;
}

/** Groups of processes that run. They get no signal of ours by themselves, and must not outlive us. */
const running = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, async () => {
    await Promise.all([...running].map(end));
    process.kill(process.pid, signal);
  });
}

/** What named.js and uvu say of the tests, as they run. */
function firstFailure(child: ChildProcess): Promise<string | null> {
  return new Promise((resolve, reject) => {
    let test = "before its tests";
    let said = "";
    const hangs = () => resolve(`${test} (hangs)`);
    let timer = setTimeout(hangs, SILENCE_MS);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      clearTimeout(timer);
      timer = setTimeout(hangs, SILENCE_MS);
      for (const [, name = "", failed] of text.matchAll(/▶ (.*)\n|(✘)/g)) {
        if (failed) return resolve(test);
        test = name;
      }
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = `${said}${text}`.slice(-2000)));
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      const why = /^\S*(?:Error|Exiting).*$/m.exec(said)?.[0] ?? `${signal ?? `status ${code}`}`;
      resolve(code === 0 ? null : `${test} (${why})`);
    });
  });
}

/** Ends it with all that it has started: a test that failed has not cleaned up. */
async function end(child: ChildProcess): Promise<void> {
  const family = [child.pid as number];
  for (const pid of family) family.push(...(await childrenOf(pid)));
  for (const pid of [-(child.pid as number), ...family.slice(1)]) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {} // it has ended
  }
}
