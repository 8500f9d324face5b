// npm run soak -- [--minutes N] [--engine loop|node] [--seed S]: clients of all kinds at createFileServer() in a process of
// its own, while its files change and its threads are killed. Answers, access log, fds and memory are checked from outside.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { random } from "../../lib/bytes.js";
import { Book } from "./book.js";
import { Health } from "./health.js";
import { Kills } from "./kills.js";
import type { Asked, Told } from "./served.js";
import { Versions } from "./versions.js";
import { Visits } from "./visits.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    engine: { type: "string", default: "loop" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const { engine } = values;
if (!(minutes > 0)) throw new RangeError(`--minutes must be a number above 0 (got '${values.minutes}')`);
if (engine !== "loop" && engine !== "node") throw new RangeError(`--engine must be loop or node (got '${engine}')`);

const THREADS = 2;
const FAST = 12;
const SLOW = 12;
/** Between two changes of a file, in ms. */
const CHANGE = 40;
/** Until the next kill, in ms: this, and by dice as long again. */
const KILL = 5000;
const TELL = 60_000;
/** The last look waits so long at the most for all to be closed, in ms. */
const SETTLE = 30_000;
/** More of them are not told. */
const MOST_PROBLEMS = 20;

const pause = (ms: number) => new Promise((next) => setTimeout(next, ms));

class Server {
  readonly #child: ChildProcess;
  readonly log: string;
  stderr = "";
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string, root: string) {
    this.log = join(folder, "access.log");
    const program = fileURLToPath(new URL("./served.js", import.meta.url));
    const out = fs.openSync(this.log, "w");
    this.#child = spawn(process.execPath, [program, root, engine as string, String(THREADS)], {
      stdio: ["ignore", out, "pipe", "ipc"],
    });
    fs.closeSync(out);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** What it says next. */
  async hear<T>(): Promise<T> {
    const over = new AbortController();
    const { signal } = over;
    try {
      const said = once(this.#child, "message", { signal });
      const [answer] = await Promise.race([said, once(this.#child, "exit", { signal })]);
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error("the server has ended");
      return answer as T;
    } finally {
      over.abort();
    }
  }

  /** Asks, once all that was asked before is answered. */
  ask<T>(question: Asked): Promise<T> {
    const answer = this.#last.then(() => {
      const heard = this.hear<T>();
      this.#child.send(question);
      return heard;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

const folder = fs.mkdtempSync(join(tmpdir(), "sendoff-soak-"));
const versions = new Versions(folder);
const kills = new Kills();
const book = new Book(kills);
const problems: string[] = [];
const problem = (text: string) => {
  if (problems.length < MOST_PROBLEMS) console.error(text);
  problems.push(text);
};
const began = performance.now();
const end = began + minutes * 60_000;

async function soak(server: Server): Promise<void> {
  const port = await server.hear<number>();
  const visits = new Visits(port, versions, book, kills);
  const stats = () => server.ask<Told>("stats");

  const first = random(seed + 1);
  for (let i = 0; i < 50; i++) await visits.plain(first);
  await pause(3000); // files are closed after a second or two
  const health = new Health(server.pid, await stats());

  let goesOn = true;
  const client = async (i: number, visit: "any" | "slow") => {
    const dice = random(seed * 1000 + i + 2);
    while (goesOn && performance.now() < end) await visits[visit](dice).catch((error) => wrong(error));
  };
  const wrong = (error: Error) => {
    problem(error.message);
    if (problems.length >= MOST_PROBLEMS) goesOn = false;
  };
  const each = async (ms: () => number, step: () => Promise<unknown>) => {
    for (let at = ms(); goesOn && performance.now() + at < end; at = ms()) {
      await pause(at);
      await step().catch((error) => wrong(error));
    }
  };
  const dice = random(seed + 3);
  const kill = () => {
    book.killed();
    return kills.wait(server.ask("kill"));
  };
  const tell = async () => {
    const told = await stats();
    const { fds, memory } = health.look(told);
    const gib = (visits.tally.bytes / 2 ** 30).toFixed(2);
    console.log(
      `${((performance.now() - began) / 60_000).toFixed(0)} min: ${book.whole} answers, ${gib} GiB; ${kills.count} kills; ` +
        `${told.stats.connections} connections, ${fds} fds, ${memory >> 20} MiB; ${problems.length} problems`,
    );
  };
  await Promise.all([
    ...Array.from({ length: FAST }, (_, i) => client(i, "any")),
    ...Array.from({ length: SLOW }, (_, i) => client(FAST + i, "slow")),
    each(
      () => CHANGE,
      () => versions.change(dice),
    ),
    each(
      () => 1000,
      async () => health.look(await stats()),
    ),
    each(() => TELL, tell),
    ...(engine === "loop" ? [each(() => KILL + dice(KILL), kill)] : []),
  ]);

  // The end: nothing is asked for any more; then a little, which the loops answer.
  const before = await stats();
  for (let i = 0; i < 50; i++) await visits.plain(first).catch((error) => wrong(error));
  const late = performance.now() + SETTLE;
  let last = await stats();
  while (!health.isAtRest(last) && performance.now() < late) {
    await pause(500);
    last = await stats();
  }
  if (engine === "loop" && last.stats.requests - before.stats.requests < 25) problem("the loops answer no more");
  if (engine === "loop" && last.threads !== THREADS) problem(`${last.threads} of ${THREADS} threads are left`);
  if (last.stats.respawns !== kills.count) problem(`${last.stats.respawns} respawns, after ${kills.count} kills`);
  const unlogged = last.stats.requests - last.lines - last.lost;
  if (unlogged < 0 || unlogged > kills.count * (FAST + SLOW)) problem(`${unlogged} answers of loops have no line`);
  for (const text of health.problems(last)) problem(text);
  await server.ask("close");
  await compare(server, visits, last.lost);
  if (server.stderr !== "") problem(`stderr: ${server.stderr}`);

  console.log(`\n${JSON.stringify({ ...visits.tally, ...versions.tally })}`);
  console.log(JSON.stringify(last));
  console.log(health.summary());
}

async function compare(server: Server, { tally }: Visits, lost: number): Promise<void> {
  const { all, numberless, wrong, missing, excused } = await book.compare(server.log);
  const without = missing + Math.max(0, tally.numberless - numberless);
  console.log(
    `\n${all} lines of the access log; ${book.whole} answers that came whole, ${without + excused} without a line`,
  );
  if (without > lost) problem(`${without} whole answers have no line, ${lost} lines are lost`);
  if (excused > kills.count) problem(`${excused} whole answers have no line, with ${kills.count} kills`);
  for (const text of wrong.slice(0, 5)) problem(`the access log, ${wrong.length} times: ${text}`);
}

await versions.make();
const server = new Server(folder, versions.root);
try {
  console.log(`createFileServer, engine ${engine}, ${minutes} min, --seed ${seed}`);
  await soak(server);
} catch (error) {
  problem((error as Error).stack ?? String(error));
  if (server.stderr !== "") problem(`stderr: ${server.stderr}`);
} finally {
  server.end();
  fs.rmSync(folder, { recursive: true, force: true });
}
console.log(problems.length === 0 ? "\nnothing wrong" : `\n${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
