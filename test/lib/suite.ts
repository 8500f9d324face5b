// uvu's suites, with better failures: each test has a time limit and a cleanup of its own, an uncaught error fails the
// running test, and skipped tests are listed with their reasons.

import { appendFileSync, readFileSync } from "node:fs";
import process from "node:process";
import * as uvu from "uvu";

/** Far more than any test needs on a busy machine: it tells a hang from slowness, nothing else. */
const LIMIT_MS = 120_000;

type Undo = () => unknown;

/** Closes everything that a test has opened, however it ends. */
export class Cleanup {
  readonly #undo: Undo[] = [];

  /** Runs `undo` after the test, the last one first. */
  after(undo: Undo): void {
    this.#undo.push(undo);
  }

  async end(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo();
  }
}

export type Body = (cleanup: Cleanup) => unknown;

export interface Suite {
  (name: string, body: Body): void;
  /** The reason stands in brackets at the name's end. */
  skip(name: string): void;
  /** Skips it for a reason, if there is one. */
  unless(reason: string | null, name: string, body: Body): void;
  /** Whether it is to be run: a file can be asked for some of its tests alone. */
  asked(name: string): boolean;
  before(hook: () => unknown): void;
  after(hook: () => unknown): void;
  run(): void;
}

/** Results for test/run.js: a line at once, because a process may die before its end. */
type Event = "begin" | "pass" | "fail" | "skip";

const { SENDOFF_TEST_JOURNAL: journal } = process.env;
/** Names, a line each: these alone; none of them if it is empty. */
const only = process.env.SENDOFF_TEST_ONLY?.split("\n").filter((name) => name !== "");
// Nobody else's: programs that tests start have none.
delete process.env.SENDOFF_TEST_JOURNAL;
delete process.env.SENDOFF_TEST_ONLY;

function tell(event: Event, name: string, message?: string): void {
  if (journal === undefined) return;
  appendFileSync(journal, `${JSON.stringify({ event, name, message, at: Date.now(), cpu: cpuTime() })}\n`);
}

/** The CPU time of this process, and of its children that have ended, in ms: on two cores it is what bounds a run. */
function cpuTime(): number {
  try {
    const fields = readFileSync("/proc/self/stat", "latin1").split(") ")[1]!.split(" ");
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0); // utime to cstime, proc(5)
  } catch {
    return 0; // not Linux
  }
}

let declared = 0;
let begun = 0;
const skipped: string[] = [];

/** The test that runs; null between tests. */
let running: { readonly name: string; fail(error: unknown): void } | null = null;
/** Errors that were uncaught while no test ran. */
let stray: { readonly error: unknown } | null = null;

process.on("uncaughtException", uncaught);
process.on("unhandledRejection", uncaught);

function uncaught(error: unknown): void {
  if (running !== null) running.fail(error);
  else stray ??= { error };
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function play(name: string, body: Body): Promise<void> {
  begun++;
  tell("begin", name);
  const cleanup = new Cleanup();
  let timer: NodeJS.Timeout | undefined;
  const cut = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hung: not over after ${LIMIT_MS} ms`)), LIMIT_MS);
    running = { name, fail: reject };
  });
  cut.catch(() => {});
  try {
    if (stray !== null) throw stray.error;
    await Promise.race([body(cleanup), cut]);
    await Promise.race([cleanup.end(), cut]);
    tell("pass", name);
  } catch (error) {
    await Promise.race([cleanup.end(), cut]).catch(() => {});
    tell("fail", name, told(error));
    throw error;
  } finally {
    clearTimeout(timer);
    running = null;
    stray = null;
  }
}

export const suite = (name: string): Suite => guarded(uvu.suite(name), `${name}: `);
export const test: Suite = guarded(uvu.test, "");

function guarded(inner: uvu.Test, prefix: string): Suite {
  const title = (test: string) => `${prefix}${test}`;
  const asked = (test: string) => only === undefined || only.includes(title(test));
  const declare = (test: string, body: Body) => {
    if (!asked(test)) return;
    declared++;
    inner(test, () => play(title(test), body));
  };
  const skip = (test: string) => {
    if (!asked(test)) return;
    skipped.push(title(test));
    tell("skip", title(test));
    inner.skip(test, () => {});
  };
  return Object.assign((test: string, body: Body) => declare(test, body), {
    skip,
    asked,
    unless(reason: string | null, test: string, body: Body) {
      if (reason === null) declare(test, body);
      else skip(`${test} (${reason})`);
    },
    before: (hook: () => unknown) => inner.before(async () => void (await hook())),
    after: (hook: () => unknown) => inner.after(async () => void (await hook())),
    run: () => inner.run(),
  });
}

/** Declares a test, or with a `reason` skips it. */
export function row(name: string, body: (cleanup: Cleanup) => Promise<void>, reason: string | null = null): void {
  test.unless(reason, name, body);
}

process.once("exit", () => {
  if (journal === undefined) for (const name of skipped) console.log(`skipped: ${name}`);
  const wrong =
    stray !== null
      ? `uncaught, when no test ran: ${told(stray.error)}`
      : begun < declared
        ? `${declared - begun} of ${declared} tests did not begin`
        : only !== undefined && declared + skipped.length < only.length
          ? `of ${only.length} tests that were asked for there are ${declared + skipped.length}`
          : null;
  if (wrong === null) return;
  console.error(wrong);
  process.exitCode = 1;
});
