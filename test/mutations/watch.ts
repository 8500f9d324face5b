// Runs a test file in a copy of the project, up to the first test that fails. Which one runs, and how long it has, is read
// from what test/lib/suite.ts tells: a test that takes many times as long as without the mistake hangs.

import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childrenOf } from "../lib/command.js";
import { Tree } from "./tree.js";

/** A machine may be as busy as that: what has taken less never hangs. */
export const FLOOR_MS = 10_000;
/** So many times as long as without the mistake. */
export const SLOWER = 5;
/** How often what was told is looked at. */
const LOOK_MS = 25;

/** The parts of a file that are no tests. */
const BEFORE = "(before its tests)";
const AFTER = "(after its tests)";

interface Told {
  /** The first that failed, and how; null where all pass. */
  failure: { readonly test: string; readonly how: string } | null;
  /** How long each part took, in ms. */
  readonly times: Map<string, number>;
}

interface Event {
  event: "begin" | "pass" | "fail" | "skip";
  name: string;
  message?: string;
}

/** A file, and one test of it, or all. */
async function play(tree: Tree, file: string, only?: string, limit?: (test: string) => Promise<number>): Promise<Told> {
  const folder = fs.mkdtempSync(join(tmpdir(), "mutant-"));
  const journal = join(folder, "journal");
  fs.mkdirSync(join(folder, "tmp"));
  const asked = only === undefined ? {} : { SENDOFF_TEST_ONLY: only === BEFORE || only === AFTER ? "" : only };
  const env = { ...process.env, ...asked, TMPDIR: join(folder, "tmp"), SENDOFF_TEST_JOURNAL: journal };
  const child = spawn(process.execPath, [join(tree.root, `build/test/${file}.test.js`)], {
    cwd: tree.root,
    env,
    stdio: ["ignore", "ignore", "pipe"],
    detached: true, // a group of its own, to be killed as a whole
  });
  running.add(child);
  try {
    return await follow(child, journal, limit);
  } finally {
    await end(child);
    running.delete(child);
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10 }); // who was killed may still be ending
  }
}

function follow(child: ChildProcess, journal: string, limit?: (test: string) => Promise<number>): Promise<Told> {
  return new Promise((resolve, reject) => {
    const told: Told = { failure: null, times: new Map() };
    let part = BEFORE;
    let since = performance.now();
    let size = 0;
    let bound = FLOOR_MS;
    let said = "";
    const next = (name: string) => {
      told.times.set(part, performance.now() - since);
      [part, since, bound] = [name, performance.now(), FLOOR_MS];
    };
    const finish = (how?: string) => {
      clearInterval(timer);
      next(part);
      if (how !== undefined) told.failure ??= { test: part, how };
      resolve(told);
    };
    const look = () => {
      const text = fs.existsSync(journal) ? fs.readFileSync(journal, "utf8") : "";
      const lines = text.slice(size, text.lastIndexOf("\n") + 1);
      size += lines.length;
      for (const { event, name, message } of lines.split("\n").filter(Boolean).map(parsed)) {
        if (event === "skip" || told.failure !== null) continue;
        next(event === "begin" ? name : AFTER);
        if (event === "fail") told.failure = { test: name, how: message ?? "" };
      }
    };
    const timer = setInterval(async () => {
      look();
      if (told.failure !== null) return finish();
      if (limit === undefined || performance.now() - since < bound) return;
      const slow = part;
      bound = Number.POSITIVE_INFINITY; // until that is known
      const most = await limit(slow).catch(reject);
      if (part !== slow || most === undefined) return;
      bound = most;
      if (performance.now() - since >= bound) finish(`hangs: not over after ${Math.round(bound / 1000)} s`);
    }, LOOK_MS);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = `${said}${text}`.slice(-2000)));
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      look();
      const why = /^\S*(?:Error|Exiting).*$/m.exec(said)?.[0] ?? `${signal ?? `status ${code}`}`;
      finish(code === 0 ? undefined : why);
    });
  });
}

function parsed(line: string): Event {
  return JSON.parse(line);
}

let original: Tree | undefined;
/** Without a mistake. */
const whole = () => (original ??= new Tree("original"));
const healthy = new Map<string, Promise<Told>>();

/** What a test says alone, without any mistake; none of the file where it is none. */
function without(file: string, test: string): Promise<Told> {
  const key = `${file}: ${test}`;
  let told = healthy.get(key);
  if (told === undefined) healthy.set(key, (told = play(whole(), file, test)));
  return told;
}

async function limit(file: string, test: string): Promise<number> {
  const { times } = await without(file, test);
  return Math.max(FLOOR_MS, SLOWER * (times.get(test) ?? 0));
}

/** Which test noticed a mistake, and by what. */
export interface Noticed {
  readonly by: string;
  readonly how: string;
}

/** Tests that have noticed a mistake, by their file. */
const trusted = new Map<string, Set<string>>();

/** Who notices the mistake that is in the tree: a test of the file, or only this one. Null where none does. */
export async function notice(tree: Tree, file: string, only?: string): Promise<Noticed | null> {
  const { failure } = await play(tree, file, only, (test) => limit(file, test));
  if (failure === null) return null;
  if (only !== undefined && failure.test === BEFORE) return null; // it has another name by now
  const tests = trusted.get(file);
  if (tests === undefined) trusted.set(file, new Set([failure.test]));
  else tests.add(failure.test);
  return { by: `${file}: ${failure.test}`, how: failure.how.split("\n", 1)[0] as string };
}

/** What fails without a mistake, too, of the tests that have noticed one: each file is run once. */
export async function distrusted(atOnce: number): Promise<string[]> {
  const waiting = [...trusted];
  const wrong: string[] = [];
  const one = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [file, tests] = next;
      const isAll = tests.has(BEFORE) || tests.has(AFTER);
      const { failure } = await play(whole(), file, isAll ? undefined : [...tests].join("\n"));
      if (failure !== null) wrong.push(`without a mistake, too, ${file}: ${failure.test} fails: ${failure.how}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return wrong;
}

/** Groups of processes that run. They get no signal of ours by themselves, and must not outlive us. */
const running = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, async () => {
    await Promise.all([...running].map(end));
    process.kill(process.pid, signal);
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
