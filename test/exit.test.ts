// docs/internals/pitfalls.md, exit functions, row by row, as real processes. A row is a program, what happens to it, what
// its functions say, and its wait status.

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as assert from "uvu/assert";
import {
  burst,
  type Child,
  COMMAND,
  type Ended,
  fixture,
  kill,
  pool,
  RUNTIME,
  run,
  type Start,
} from "./lib/exit-process.js";
import { suite } from "./lib/suite.js";

const DENO = RUNTIME === "deno";
const BUN = RUNTIME === "bun";
const NODE = RUNTIME === "node";
const POSIX = process.platform !== "win32";

interface Row extends Start {
  program: string;
  lines?: readonly string[];
  status: string | number;
  check?: (ended: Ended) => void;
  /** Why it is not for this runtime; a row that is skipped says so. */
  skip?: string | false;
}

const test = suite("exit rows");
// Started together, a few at a time; asserted one by one.
const job = pool(3);

function row(name: string, row: Row): void {
  if (row.skip) {
    test.skip(`${name} (${row.skip})`);
    return;
  }
  if (!test.asked(name)) return;
  const ended = job(() => run(row.program, row));
  ended.catch(() => {}); // asserted below
  test(name, async () => {
    const { lines, status, ...rest } = await ended;
    const about = `\n${rest.stdout.slice(-2000)}${rest.stderr.slice(-2000)}`;
    if (row.lines !== undefined) assert.equal(lines, row.lines, `what was said: ${lines.join(" | ")}${about}`);
    assert.is(status, row.status, `status ${status}, said: ${lines.join(" | ")}${about}`);
    row.check?.({ lines, status, ...rest });
  });
}

const reason = (value: unknown) => JSON.stringify(value);
const THREE = (signal: string) => ["3", "2 begins", "2 ends", `1 ${reason({ signal })}`];

// E1, E2

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  row(`E1 ${signal}: all functions, the last one first, then dies by it`, {
    program: "signal.mjs",
    act: kill(signal),
    lines: THREE(signal),
    status: signal,
  });
}

row("E1 each function has signals of its own: SIGTERM", {
  program: "selected.mjs",
  act: kill("SIGTERM"),
  lines: ["both", "term"],
  status: "SIGTERM",
});
row("E1 each function has signals of its own: SIGINT", {
  program: "selected.mjs",
  act: kill("SIGINT"),
  lines: ["both", "int"],
  status: "SIGINT",
});
row("E1 a signal that no function is for: the default, without functions", {
  program: "selected.mjs",
  act: kill("SIGHUP"),
  lines: [],
  status: "SIGHUP",
});

for (const [names, signal] of [
  ["SIGABRT", "SIGABRT"],
  ["SIGIOT", "SIGABRT"],
  ["SIGIO", "SIGIO"],
  ["SIGPOLL", "SIGIO"],
  ["SIGABRT SIGIOT", "SIGABRT"],
  ["SIGPOLL SIGIO", "SIGIO"],
] as const) {
  const [one, two = one] = names.split(" ");
  row(`E1 a signal with two names: each function is told the one it asked for: ${names}`, {
    program: "names.mjs",
    // One signal is one, also where the runtime emits it by both names.
    args: [names, JSON.stringify({ forceAfter: 0 })],
    act: kill(signal),
    // Deno stands in for the default of a signal once it has caught one, and takes SIGIO for ignored: 128 + 29.
    status: DENO && signal === "SIGIO" ? 157 : signal,
    check: ({ lines, stderr }) => {
      assert.equal(lines.slice(0, 2), [`first ${one}`, `second ${two}`]);
      assert.equal(lines.slice(2).sort(), [...new Set([one, two])].map((name) => `other ${name}`).sort());
      assert.match(stderr, new RegExp(`^signal ${one} received by process with PID \\d+\n$`));
    },
    skip: process.platform !== "linux" && "elsewhere they have other names, or do nothing by default",
  });
}

const settings = (value: object) => ({ args: ["-", JSON.stringify(value)] });

row("E2 status 'code': 128 + n", {
  program: "signal.mjs",
  ...settings({ status: "code" }),
  act: kill("SIGINT"),
  lines: THREE("SIGINT"),
  status: 130,
});
row("E2 status 0", { program: "signal.mjs", ...settings({ status: 0 }), act: kill("SIGTERM"), status: 0 });
row("E2 an async function is waited for longer than the event loop has work", {
  program: "slow.mjs",
  args: ["300"],
  act: kill("SIGTERM"),
  lines: ["begins", "ends", "rest"],
  status: "SIGTERM",
});
row("E2 a shell loop stops at Ctrl-C", {
  program: "signal.mjs",
  // On a terminal of its own: the kernel sends SIGINT to shell and child, the shell looks at how the child died.
  command: (usual) => [
    "script",
    "-qec",
    `bash -c 'for i in 1 2 3; do ${usual.map((word) => JSON.stringify(word)).join(" ")}; done; echo loop went on'`,
    "/dev/null",
  ],
  stdin: "pipe",
  act: ({ process }) => process.stdin?.write("\x03"),
  lines: THREE("SIGINT"),
  status: 130,
  check: ({ stdout }) => assert.not.match(stdout, "loop went on"),
  skip: !has("script") && "no script(1)",
});

/** Any signal is a duplicate of the first, however slow the machine is. */
const PATIENT = settings({ forceAfter: 30_000 });

// E3

const unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
const mayUnshare = POSIX && spawnSync("unshare", [...unshare.slice(1), "true"]).status === 0;
row("E3 PID 1 exits with 128 + n", {
  program: "signal.mjs",
  command: (usual) => [...unshare, ...usual],
  act: ({ process: { pid } }) => {
    // From outside, to the first process inside.
    const inside = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
    process.kill(inside, "SIGTERM");
  },
  lines: THREE("SIGTERM"),
  status: 143,
  check: ({ stderr }) => assert.match(stderr, "process with PID 1\n"),
  skip: !mayUnshare && "unshare is not allowed here",
});
row("E3 a self-kill that does nothing: 128 + n", {
  program: "nokill.mjs",
  act: kill("SIGTERM"),
  lines: ["function", ...Array.from({ length: 5 }, () => "kill")],
  status: 143,
});

// E4

row("E4 the same signal twice: once, to the end", {
  program: "signal.mjs",
  ...PATIENT,
  act: kill("SIGTERM", "SIGTERM"),
  lines: THREE("SIGTERM"),
  status: "SIGTERM",
});
row("E4 SIGINT, then SIGHUP: dies by the first", {
  program: "signal.mjs",
  ...PATIENT,
  // The second one once the first has arrived: two that are pending are delivered in the order of their numbers.
  act: async (child: Child) => {
    kill("SIGINT")(child);
    await child.said("2 begins");
    kill("SIGHUP")(child);
  },
  lines: THREE("SIGINT"),
  status: "SIGINT",
});

// The package managers and runners that hand signals on, each in its own way, and a terminal's Ctrl-C to all of them.
const project = mkdtempSync(join(tmpdir(), "sendoff-project-"));
const quoted = [...COMMAND, fixture("signal.mjs")].map((word) => JSON.stringify(word)).join(" ");
writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", scripts: { start: quoted } }));
const group = (signal: NodeJS.Signals) => (child: Child) => void process.kill(-(child.process.pid as number), signal);

row("E4 npm run, the whole group gets SIGINT", {
  program: "signal.mjs",
  command: () => ["npm", "run", "start"],
  cwd: project,
  detached: true,
  act: group("SIGINT"),
  lines: THREE("SIGINT"),
  status: "SIGINT",
  skip: !has("npm") && "no npm",
});
const [major] = process.versions.node.split(".").map(Number) as [number];
row("E4 node --run, the whole group gets SIGINT", {
  program: "signal.mjs",
  command: () => [process.execPath, "--run", "start"],
  cwd: project,
  detached: true,
  act: group("SIGINT"),
  lines: THREE("SIGINT"),
  status: "SIGINT",
  skip: (!NODE && "Node only") || (major < 22 && "node --run came with 22"),
});
row("E4 node --watch, the whole group gets SIGTERM", {
  program: "signal.mjs",
  command: ([node = "", ...rest]) => [node, "--watch", ...rest],
  detached: true,
  act: group("SIGTERM"),
  lines: THREE("SIGTERM"),
  status: 0,
  skip: !NODE && "Node only",
});
writeFileSync(join(project, "deno.json"), JSON.stringify({ tasks: { start: quoted } }));
row("E4 deno task, the whole group gets SIGINT", {
  program: "signal.mjs",
  command: ([deno = ""]) => [deno, "task", "start"],
  cwd: project,
  detached: true,
  act: group("SIGINT"),
  lines: THREE("SIGINT"),
  status: 130,
  skip: !DENO && "Deno only",
});
row("E4 bun run, the whole group gets SIGINT", {
  program: "signal.mjs",
  command: ([bun = ""]) => [bun, "run", "start"],
  cwd: project,
  detached: true,
  act: group("SIGINT"),
  lines: THREE("SIGINT"),
  status: "SIGINT",
  skip: !BUN && "Bun only",
});

// E5

row("E5 a second signal, later: now", {
  program: "slow.mjs",
  args: ["10000", JSON.stringify({ forceAfter: 0 })],
  act: async (child: Child) => {
    kill("SIGTERM")(child);
    await child.said("begins");
    kill("SIGTERM")(child);
  },
  lines: ["begins"],
  status: "SIGTERM",
});

// E6

row("E6 a burst of 15, 0.2 ms apart", {
  program: "signal.mjs",
  ...PATIENT,
  act: burst("SIGTERM", 15, 0.2),
  lines: THREE("SIGTERM"),
  status: "SIGTERM",
});

// E7

for (const how of ["throws", "rejects"]) {
  const args = (value: object) => [how, JSON.stringify(value)];
  const named = ({ stderr }: Ended) => assert.match(stderr, /exit function broken failed: Error: out of order/);
  const lines = ["first", "rest"];
  row(`E7 a function ${how}, after a signal: the rest run, status 1`, {
    program: "fails.mjs",
    args: args({ signal: true }),
    act: kill("SIGTERM"),
    lines,
    status: 1,
    check: named,
  });
  row(`E7 a function ${how}, at a natural end: status 1`, {
    program: "fails.mjs",
    args: args({}),
    lines,
    status: 1,
    check: named,
  });
}
for (const [exit, status] of [
  [0, 1],
  [3, 3],
] as const) {
  row(`E7 a function throws, at process.exit(${exit}): status ${status}`, {
    program: "fails.mjs",
    args: ["throws", JSON.stringify({ exit })],
    lines: ["first", "rest"],
    status,
  });
}

// E8

row("E8 a function never settles: named, the rest run, dies", {
  program: "slow.mjs",
  args: ["never"],
  act: kill("SIGTERM"),
  lines: ["begins", "rest"],
  status: "SIGTERM",
  check: ({ stderr }) => assert.match(stderr, "exit function slowly did not finish in time (50 ms)"),
});
row("E8 a function that settles after its time: its answer is none any more", {
  program: "slow.mjs",
  args: ["too late"],
  act: kill("SIGTERM"),
  lines: ["begins", "next begins", "ends", "next ends", "rest"],
  status: "SIGTERM",
  check: ({ stderr }) => assert.is(stderr.match(/exit function/g)?.length, 1, stderr),
});
row("E8 the deadline of all", {
  program: "slow.mjs",
  args: ["20000", JSON.stringify({ deadline: 40 })],
  act: kill("SIGTERM"),
  lines: ["begins", "rest"],
  status: "SIGTERM",
});

// E9

for (const [how, extra] of [
  ["now", {}],
  ["later", {}],
  ["now", { exit: 3 }],
] as const) {
  const where = "exit" in extra ? "while the process is leaving" : `after a signal, ${how}`;
  row(`E9 a function calls process.exit(7) ${where}: the rest run, status 7`, {
    program: "exits.mjs",
    args: [how, JSON.stringify(extra)],
    ...("exit" in extra ? {} : { act: kill("SIGTERM") }),
    lines: ["first", "exits", "rest"],
    status: 7,
  });
}

// E10

row("E10 registered, removed and twice, during a function", {
  program: "during.mjs",
  act: kill("SIGTERM"),
  lines: ["twice", "first", "added", "added by added", "rest"],
  status: "SIGTERM",
});
row("E10 signals during a function", {
  program: "reenter.mjs",
  act: kill("SIGTERM"),
  lines: ["begins", "ends", "rest"],
  status: "SIGTERM",
});

// E11, E12

const heard = (name: string) => `${name} SIGTERM true`;
row("E11 the listeners of others: after ours, each once, with its arguments", {
  program: "others.mjs",
  args: ["all", JSON.stringify({ forceAfter: 30_000 })],
  act: burst("SIGTERM", 3, 5),
  lines: [
    "ours begins",
    "ours ends",
    heard("prepended"),
    heard("before"),
    heard("once before"),
    heard("after"),
    heard("once after"),
  ],
  status: "SIGTERM",
});
row("E11 a listener that was removed is not called", {
  program: "others.mjs",
  args: ["removed"],
  act: kill("SIGTERM"),
  lines: ["ours begins", "ours ends", heard("stays")],
  status: "SIGTERM",
});
row("E11 ours taken back: theirs are as they were", {
  program: "back.mjs",
  act: async (child: Child) => {
    kill("SIGTERM")(child);
    await child.said("always");
    kill("SIGKILL")(child);
  },
  status: "SIGKILL",
  check: ({ lines }) => {
    assert.is(lines[0], "true 2");
    assert.equal(
      lines.slice(1).filter((line) => line === "ours"),
      [],
    );
    assert.is(lines.filter((line) => line === "always").length, 1);
  },
});
row("E12 another's handler calls process.exit(5)", {
  program: "others.mjs",
  args: ["exits"],
  act: kill("SIGTERM"),
  lines: ["ours begins", "ours ends", heard("exits")],
  status: 5,
});
row("E12 another's async handler calls process.exit(5)", {
  program: "others.mjs",
  args: ["exits-later"],
  act: kill("SIGTERM"),
  lines: ["ours begins", "ours ends"],
  status: 5,
});
row("E12 another's async handlers are waited for", {
  program: "others.mjs",
  args: ["async"],
  act: kill("SIGTERM"),
  lines: ["ours begins", "ours ends", heard("before"), heard("after"), "other ends", "other ends"],
  status: "SIGTERM",
});
row("E12 … by the deadline", {
  program: "others.mjs",
  args: ["never", JSON.stringify({ deadline: 1000 })],
  act: kill("SIGTERM"),
  lines: ["ours begins", "ours ends", heard("never")],
  status: "SIGTERM",
});
row("E12 others: 'now' cuts them", {
  program: "others.mjs",
  args: ["async", JSON.stringify({ others: "now" })],
  act: kill("SIGTERM"),
  lines: ["ours begins", "ours ends", heard("before"), heard("after")],
  status: "SIGTERM",
});
row("E12 others: 'leave' leaves the end to them", {
  program: "others.mjs",
  args: ["callback", JSON.stringify({ others: "leave", deadline: 30_000 })],
  act: kill("SIGTERM"),
  lines: ["ours begins", "ours ends", heard("callback")],
  status: 6,
});
row("E12 another's handler throws: the rest are called, status 1", {
  program: "others.mjs",
  args: ["throws"],
  act: kill("SIGTERM"),
  lines: ["ours begins", "ours ends", heard("throws"), heard("rest")],
  status: 1,
  check: ({ stderr }) => assert.match(stderr, "another listener for SIGTERM failed: Error: not ours"),
});

// E13

for (const how of ["top", "timer", "rejection"]) {
  row(`E13 nobody catches an error: ${how}`, {
    program: "uncaught.mjs",
    args: [how],
    // Bun tells nobody of the reason of a rejection that it dies of.
    lines: ["2", `1 ${BUN && how === "rejection" ? "null" : "boo"}`],
    status: 1,
    check: ({ stderr }) => assert.match(stderr, /boo/),
  });
}
for (const how of ["survives", "survives-rejection"]) {
  row(`E13 somebody catches it: ${how}`, {
    program: "uncaught.mjs",
    args: [how],
    act: async (child: Child) => {
      await child.said("alive");
      kill("SIGTERM")(child);
    },
    lines: ["caught boo", "alive", "2", "1 null"],
    status: "SIGTERM",
  });
}

row("E13 somebody has caught it: a later way out has no error", {
  program: "uncaught.mjs",
  args: ["survives", JSON.stringify({ exit: 3 })],
  lines: ["caught boo", "alive", "2", "1 null"],
  status: 3,
});

// E14

row("E14 a natural end waits for async functions", {
  program: "ends.mjs",
  args: ["natural"],
  lines: ["2 begins", "2 ends", `1 ${reason({ code: 0 })}`, "exit 0"],
  status: 0,
});
row("E14 process.exitCode = 42", {
  program: "ends.mjs",
  args: ["exitCode = 42"],
  lines: ["2 begins", "2 ends", `1 ${reason({ code: 42 })}`, "exit 42"],
  status: 42,
});
row("E14 process.exit(3)", {
  program: "ends.mjs",
  args: ["process.exit(3)"],
  lines: ["2 begins", `1 ${reason({ code: 3 })}`, "exit 3"],
  status: 3,
});
row("E14 Deno.exit(4)", {
  program: "ends.mjs",
  args: ["Deno.exit(4)"],
  lines: ["2 begins", `1 ${reason({ code: 4 })}`],
  status: 4,
  skip: !DENO && "Deno only",
});
row("E14 another's 'exit' listener calls process.exit(8)", {
  program: "ends.mjs",
  args: ["exit of another"],
  lines: ["2 begins", "2 ends", `1 ${reason({ code: 0 })}`, "exit 0"],
  status: 8,
});
row("E14 another's 'exit' listener that was there before calls process.exit(8)", {
  program: "ends.mjs",
  args: ["exit of another, before"],
  lines: ["2 begins", `1 ${reason({ code: 3 })}`],
  status: 8,
});
row("E14 another's 'beforeExit' brings it back to life: only the end is the end", {
  program: "ends.mjs",
  args: ["beforeExit of another"],
  lines: ["beforeExit", "alive", "beforeExit", "alive", "beforeExit", "2 begins", `1 ${reason({ code: 0 })}`, "exit 0"],
  status: 0,
});
row("exitNow(6): functions first, and waited for", {
  program: "ends.mjs",
  args: ["exitNow", JSON.stringify({ to: 6 })],
  lines: ["2 begins", "2 ends", `1 ${reason({ code: 6 })}`, "exit 6"],
  status: 6,
});
row("exitNow('SIGTERM'): the same as the signal", {
  program: "ends.mjs",
  args: ["exitNow", JSON.stringify({ to: "SIGTERM" })],
  lines: ["2 begins", "2 ends", `1 ${reason({ signal: "SIGTERM" })}`],
  status: "SIGTERM",
});
row("await exitNow(0): what follows never runs, status 0", {
  program: "ends.mjs",
  args: ["await exitNow"],
  lines: ["2 begins", "2 ends", `1 ${reason({ code: 0 })}`, "exit 0"],
  status: 0,
});

// E15

row("E15 a megabyte of stdout on a slow pipe: all of it arrives", {
  program: "output.mjs",
  act: async (child: Child) => {
    child.process.stdout?.pause();
    kill("SIGTERM")(child);
    // Deno writes before it goes on, and says so only then.
    if (!DENO) await child.said("written");
    child.process.stdout?.resume();
  },
  lines: ["written"],
  status: "SIGTERM",
  check: ({ stdout }) => {
    assert.is(stdout.length, "ready\n".length + (1 << 20));
    assert.ok(stdout.endsWith("END\n"));
  },
});
row("E15 nobody reads: it ends all the same", {
  program: "output.mjs",
  args: ["-", JSON.stringify({ deadline: 50 })],
  unread: true,
  act: kill("SIGTERM"),
  lines: ["written"],
  status: "SIGTERM",
  skip: DENO && "Deno writes to a pipe before it goes on: a full one stops the process itself",
});

// E16

row("E16 SIGHUP is ignored from the start, as by nohup", {
  program: "ignored.mjs",
  command: (usual) => ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", ...usual],
  // Node resets what it inherits, before anybody can see it.
  ...(NODE
    ? { lines: ["ours SIGHUP"], status: "SIGHUP" }
    : { act: kill("SIGTERM"), lines: ["alive", "ours SIGTERM"], status: "SIGTERM" }),
  skip: !POSIX && "no SIGHUP here",
});

// E17

const noSignal = (value: string) => `signals: ${value} is no signal that a process can listen for`;
row("E17 signals that nobody can listen for: the same TypeError everywhere", {
  program: "refused.mjs",
  status: 0,
  check: ({ lines }) => {
    const names = ["'SIGKILL'", "'SIGSTOP'", "'SIGSEGV'", "'SIGBUS'", "'SIGFPE'", "'SIGILL'", "'SIGFOO'", "'sigterm'"];
    assert.equal(
      lines.slice(0, 10),
      [...names, "15", "null"].map((name) => `TypeError ERR_INVALID_ARG_TYPE ${noSignal(name)}`),
    );
    assert.equal(lines.slice(10, 18), [
      "TypeError fn must be a function (got 1)",
      "TypeError fn must be a function (got null)",
      "TypeError signals must be an array of names (got 'SIGTERM')",
      "RangeError timeout must be a non-negative number of milliseconds (got -1)",
      "TypeError timeout must be a non-negative number of milliseconds (got '1')",
      "TypeError log must be a function or null (got 'x')",
      "TypeError name must be a string (got 1)",
      "TypeError to: 'SIGKILL' is no signal that a process can listen for",
    ]);
    for (const [i, name] of ["SIGPIPE", "SIGXFSZ", "SIGUSR1", "SIGPROF"].entries()) {
      const why = `a listener replaces what the runtime does with ${name}; once taken back, ${name} kills`;
      assert.is(lines[18 + i], `warned ${why}`);
    }
  },
});

// E18

const copy = join(project, "node_modules", "sendoff");
const root = fileURLToPath(new URL("../..", import.meta.url));
for (const part of ["package.json", "build/host", "build/assembly", "build/core.wasm"]) {
  cpSync(join(root, part), join(copy, part), { recursive: true });
}
symlinkSync(join(root, "node_modules/@assemblyscript"), join(project, "node_modules/@assemblyscript"));
writeFileSync(join(project, "second.mjs"), 'export * from "sendoff/exit";\n');
row("E18 two copies of the library: one registry, one listener per signal, no warning for 50 functions", {
  program: "copies.mjs",
  args: [pathToFileURL(join(project, "second.mjs")).href],
  act: kill("SIGTERM"),
  lines: [
    "false",
    "listeners 1 1",
    ...Array.from({ length: 50 }, (_, i) => `${i % 2 === 0 ? "b" : "a"}${24 - Math.floor(i / 2)}`),
  ],
  status: "SIGTERM",
  check: ({ stderr }) => assert.not.match(stderr, /MaxListeners|leak/),
});
row("nothing before the first function, nothing after the last", {
  program: "counts.mjs",
  lines: [
    "during 1 SIGTERM SIGINT SIGHUP SIGUSR2 exit beforeExit uncaughtExceptionMonitor newListener",
    "unchanged true",
  ],
  status: 0,
  check: ({ stderr }) => assert.is(stderr, ""),
});

// E19

row("E19 every function removed: the default is back", {
  program: "alloff.mjs",
  act: kill("SIGTERM"),
  lines: [],
  status: "SIGTERM",
});

// E20

for (const [how, code] of [
  ["natural", 0],
  ["process.exit(3)", 3],
] as const) {
  row(`E20 a worker thread, ${how}: its functions run at its exit, without a signal listener`, {
    program: "worker.mjs",
    args: [how],
    lines: ["listeners 0", "worker's function", `worker exit ${code}`],
    status: 0,
  });
}
row("E20 … and the main thread's at a signal", {
  program: "worker.mjs",
  args: ["signal"],
  act: kill("SIGTERM"),
  lines: ["listeners 0", "worker's function", "worker exit 0", "main"],
  status: "SIGTERM",
});
row("cluster workers", {
  program: "cluster.mjs",
  status: 0,
  check: ({ lines }) => {
    assert.equal(lines.sort(), ["function", "function", "worker died - SIGTERM", "worker died - SIGTERM"]);
  },
  skip: !NODE && "node:cluster is Node's",
});

// The forms of onExit

row("a decorator on static methods: they are callable with their values", {
  program: "decorated.js",
  args: ["call"],
  lines: [
    "bare service",
    "configured true",
    "bare's value configured's value function",
    "hidden",
    "configured true",
    "bare service",
  ],
  status: 0,
});
row("a decorator with and without options: runs at a signal", {
  program: "decorated.js",
  args: ["signal"],
  act: kill("SIGINT"),
  lines: ["hidden", "configured true", "bare service"],
  status: "SIGINT",
});
row("a decorator on a method that is not static: a TypeError", {
  program: "decorated.js",
  args: ["instance"],
  status: 0,
  check: ({ lines }) => assert.is(lines[0], "TypeError onExit decorates static methods (got method)"),
});
row("the wrapper form returns the function", {
  program: "wrapper.mjs",
  lines: ["called number", "stop 42", "function", `plain ${reason({ code: 0 })}`, "called object"],
  status: 0,
});
row("using", { program: "using.js", lines: ["inside", "kept"], status: 0 });

// Logs

const received = /^signal SIGTERM received by process with PID \d+\n$/;
const line = "signal SIGTERM received by process with PID PID";
row("log: a line on stderr, once", {
  program: "logs.mjs",
  args: ["default"],
  act: kill("SIGTERM"),
  status: "SIGTERM",
  check: ({ stderr }) => assert.match(stderr, received),
});
row("log: null silences", {
  program: "logs.mjs",
  args: ["null"],
  act: kill("SIGTERM"),
  status: 1,
  check: ({ stderr }) => assert.is(stderr, ""),
});
row("log: a function hears it", {
  program: "logs.mjs",
  args: ["function"],
  act: kill("SIGTERM"),
  lines: [`log ${line} -`],
  status: "SIGTERM",
  check: ({ stderr }) => assert.is(stderr, ""),
});
row("log: each function's own, and the failure's name", {
  program: "logs.mjs",
  args: ["both"],
  act: kill("SIGTERM"),
  lines: [`log ${line} -`, "log exit function named failed boo"],
  status: 1,
  check: ({ stderr }) => assert.match(stderr, received),
});
row("log: the setting is the default", {
  program: "logs.mjs",
  args: ["settings"],
  act: kill("SIGTERM"),
  lines: [`settings ${line} -`, "settings exit function boo failed boo"],
  status: 1,
  check: ({ stderr }) => assert.is(stderr, ""),
});
row("log: the setting null silences", {
  program: "logs.mjs",
  args: ["settings-null"],
  act: kill("SIGTERM"),
  status: 1,
  check: ({ stderr }) => assert.is(stderr, ""),
});
row("log: one that throws costs nobody anything", {
  program: "logs.mjs",
  args: ["throws"],
  act: kill("SIGTERM"),
  lines: ["ran"],
  status: 1,
});

// Nobody hears the log

/** It closes stderr; then the signal comes. */
const deaf = (signal: NodeJS.Signals) => (child: Child) => {
  child.process.stderr?.destroy();
  kill(signal)(child);
};
const unheard = { program: "unheard.mjs", lines: ["begins", "ends", "rest"], status: "SIGTERM" } as const;
row("log: stderr without a reader", { ...unheard, args: ["log"], act: deaf("SIGTERM") });
row("log: stderr on a full disk", {
  ...unheard,
  args: ["log"],
  command: (usual) => ["sh", "-c", 'exec "$@" 2> /dev/full', "sh", ...usual],
  act: kill("SIGTERM"),
  skip: !existsSync("/dev/full") && "no /dev/full",
});
row("log: stderr full, and never read", {
  ...unheard,
  args: ["full", JSON.stringify({ deadline: 500 })],
  unread: true,
  act: (child) => {
    child.process.stderr?.pause();
    kill("SIGTERM")(child);
  },
  skip: DENO && "Deno writes to a pipe before it goes on: a full one stops the process itself",
});
row("log: stderr without a reader is no error of the program, until it writes itself", {
  program: "unheard.mjs",
  args: ["program"],
  act: deaf("SIGUSR2"),
  lines: ["alive 0", "error EPIPE"],
  status: 1,
  skip: (!NODE && "process.stderr of Deno and Bun emits one error in its life") || (!POSIX && "no SIGUSR2 here"),
});

function has(command: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
}

test.after(() => rmSync(project, { recursive: true, force: true }));
test.run();
