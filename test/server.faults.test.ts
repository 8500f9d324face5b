// sendoff/server when its system calls fail, each at its first, second and third time: no client hangs or gets a wrong
// byte, no fd is left or closed twice, and the loop serves on.

import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createFileServer, type FileServerOptions } from "sendoff/server";
import * as assert from "uvu/assert";
import { host, serverRuntime } from "#process";
import { FileServer } from "../host/server/server.js";
import { answered, learn, type Question } from "./lib/answers.js";
import { pattern, same } from "./lib/bytes.js";
import { until } from "./lib/connection.js";
import { FaultPlan } from "./lib/fault-plan.js";
import { first as get, noLoop } from "./lib/file-server.js";
import { fdCount, fdTargets, tempFolder } from "./lib/files.js";
import { noNowait } from "./lib/nowait.js";
import { Program } from "./lib/served-folder.js";
import { type Cleanup, test } from "./lib/suite.js";

const name = host().shared.sys?.libc.name;
const faulty = noLoop ?? (name === "koffi" ? null : `calls fail by koffi only, not by ${name}`);

const FILES: { [name: string]: Buffer } = {
  "small.bin": pattern(4096, 2),
  "page.html": Buffer.from("<p>page</p>\n".repeat(200)),
  "large.bin": pattern(256 * 1024, 3),
};
/** More than the buffers of a socket and its client hold. */
const HUGE = 8 * 1024 * 1024;
const OLD = new Date("2026-01-02T03:04:05Z");

/** Written beside the old one, and renamed: another file, with the same answer. */
function write(root: string): void {
  for (const [name, bytes] of Object.entries(FILES)) {
    const path = join(root, name);
    fs.writeFileSync(`${path}.new`, bytes);
    fs.utimesSync(`${path}.new`, OLD, OLD);
    fs.renameSync(`${path}.new`, path);
  }
}

const known = new Map<boolean, Question[]>();

/** What node:http answers: the same for the same files. */
async function questions(t: Cleanup, root: string, huge: boolean): Promise<Question[]> {
  const before = known.get(huge);
  if (before !== undefined) return before;
  const server = createFileServer(root, { engine: "node", ...NO_LIMITS });
  t.after(() => server.close({ timeout: 0 }));
  const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
  const ending = (target: string, ...fields: string[]) => get(target, ...fields, "Connection: close");
  const pair = get("/small.bin") + ending("/page.html");
  const asked: [request: string, after?: string][] = [
    [pair],
    [ending("/large.bin")],
    [ending("/none")],
    [ending("/small.bin", "Range: bytes=10-19")],
    [get("/page.html") + ending("/none")],
  ];
  // More than the last request, while its answer is on its way: then the loop lingers.
  if (huge) asked.splice(0, 3, [ending("/huge.bin"), "junk"]);
  const all = [];
  for (const [request, after] of asked) all.push(await learn(port, request, after));
  await server.close();
  known.set(huge, all);
  return all;
}

interface Served {
  readonly server: FileServer;
  readonly plan: FaultPlan;
  readonly root: string;
  readonly port: number;
  /** All questions at once. */
  traffic(): Promise<void>;
}

const runtime = { ...serverRuntime, loop: () => new URL("./lib/faulty-loop.js", import.meta.url) };

/** So that no limit ends what hangs. */
const NO_LIMITS = { keepAliveTimeout: 0, headersTimeout: 0, stallTimeout: 0 };

/** A server whose calls can fail. */
async function serve(t: Cleanup, options: FileServerOptions & { huge?: boolean; arm?(plan: FaultPlan): void } = {}) {
  const { huge = false, arm, ...rest } = options;
  const root = tempFolder(t);
  write(root);
  if (huge) fs.writeFileSync(join(root, "huge.bin"), pattern(HUGE, 5));
  const asked = await questions(t, root, huge);
  const plan = new FaultPlan(join(root, "cut.bin"));
  arm?.(plan);
  const server = new FileServer(host().shared, runtime, root, { ...NO_LIMITS, ...rest });
  t.after(() => server.close({ timeout: 0 }));
  const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
  const traffic = async () => void (await Promise.all(asked.map((question) => answered(port, question))));
  return { server, plan, root, port, traffic } satisfies Served;
}

/** Fails long before the test's own limit, and says in what. */
async function within(what: string, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const cut = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("hung")), 30_000);
  });
  try {
    await Promise.race([work, cut]);
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Closes the server, and all that it had. */
async function ends({ server, plan }: Pick<Served, "server" | "plan">, before: number): Promise<void> {
  await within("close()", server.close());
  assert.is(plan.twice, 0, "an fd was closed twice");
  await within("its fds", fewer(before));
}

async function fewer(before: number): Promise<void> {
  for (let i = 0; fds() > before; i++) {
    if (i === 2000) throw new Error(`${fds()} fds, ${before} before: ${fdTargets()}`);
    await new Promise((next) => setTimeout(next, 5));
  }
}

/** fds of this process, but for modules: Node leaves one open if the thread that loads it is ended. */
function fds(): number {
  fdCount(); // closes files that only stay open for their next use
  return fdTargets()
    .split(", ")
    .filter((target) => !target.endsWith(".js")).length;
}

/** fds of this process, once threads that end have ended. */
async function settled(): Promise<number> {
  let count = fds();
  for (let quiet = 0; quiet < 10; quiet++) {
    await new Promise((next) => setTimeout(next, 5));
    const now = fds();
    if (now !== count) quiet = 0;
    count = now;
  }
  return count;
}

let warm: Promise<number> | undefined;
/** What is open without a server; the first one opens things that stay. */
function baseline(t: Cleanup): Promise<number> {
  warm ??= (async () => {
    const { server, traffic } = await serve(t);
    await traffic();
    await server.close();
    return settled();
  })();
  return warm;
}

/** Turns without a reason: none but those that come by themselves, each 500 ms. */
async function rests(server: FileServer): Promise<void> {
  await within(
    "its connections",
    until(() => server.stats().connections === 0),
  );
  const { wakeUps } = server.stats();
  const began = performance.now();
  await new Promise((next) => setTimeout(next, 60));
  const own = Math.ceil((performance.now() - began) / 500) + 1;
  const turns = server.stats().wakeUps - wakeUps;
  assert.ok(turns <= own + 3, `${turns} turns of a loop that has nothing to do`);
}

/**
 * The errnos of each call, and whether its files have to be new. Where the loop waits for the next edge of a socket, EAGAIN
 * is a promise of the kernel's that there is one: it can't be made up.
 */
const FAULTS: [call: string, errnos: string[], renewed?: boolean][] = [
  ["accept4", ["EINTR", "EAGAIN", "EIO", "ENOMEM", "EMFILE", "ENFILE", "ENOBUFS", "ECONNABORTED", "EPROTO", "EPERM"]],
  ["recv", ["EINTR", "EIO", "ENOMEM", "ECONNRESET", "ETIMEDOUT"]],
  ["send", ["EINTR", "EIO", "ENOMEM", "ENOBUFS", "ECONNRESET", "EPIPE"]],
  ["sendfile", ["EINTR", "EIO", "ENOMEM", "ECONNRESET", "EPIPE", "EINVAL"]],
  ["preadv2", ["EINTR", "EAGAIN", "EIO", "ENOMEM", "EOPNOTSUPP"]],
  ["syscall", ["EINTR", "EAGAIN", "EIO", "ENOMEM", "EMFILE", "ENFILE", "ENOENT", "EACCES"], true],
  ["statx", ["EIO", "ENOMEM", "ENOENT", "ENOSYS"], true],
  ["eventfd_read", ["EINTR", "EAGAIN", "EIO"], true],
  ["epoll_ctl", ["EIO", "ENOMEM", "ENOSPC"]],
  ["epoll_wait", ["EINTR", "EIO"]],
  ["close", ["EINTR", "EIO", "EDQUOT"]],
  ["shutdown", ["EIO", "ENOTCONN"]],
];

/** Traffic until the fault has happened. */
async function meets({ plan, root, traffic }: Served, renewed: boolean): Promise<void> {
  for (let i = 0; !plan.fired; i++) {
    assert.ok(i < 20, "the call is not made");
    if (renewed || i > 0) {
      write(root);
      await new Promise((next) => setTimeout(next, 12)); // longer than the loop believes what it has seen
    }
    await traffic();
  }
}

for (const [call, errnos, renewed = false] of FAULTS) {
  test.unless(faulty, `${call} fails: ${errnos.join(", ")}`, async (t) => {
    const before = await baseline(t);
    const served = await serve(t, { huge: call === "shutdown" });
    await served.traffic();
    for (const errno of errnos) {
      for (const nth of [1, 2, 3]) {
        served.plan.fail(call, nth, errno);
        await within(`${call} ${nth}: ${errno}`, meets(served, renewed));
      }
    }
    await served.traffic();
    await rests(served.server);
    assert.is(served.server.stats().respawns, 0);
    await ends(served, before);
  });
}

for (const [call, most, renewed] of [
  ["recv", 1, false],
  ["send", 1, false],
  ["sendfile", 1, true],
] as const) {
  test.unless(faulty, `${call} moves ${most} byte`, async (t) => {
    const before = await baseline(t);
    const served = await serve(t);
    await served.traffic();
    for (const nth of [1, 2, 3]) {
      served.plan.shorten(call, nth, most);
      await within(`${call} ${nth}`, meets(served, renewed));
    }
    await served.traffic();
    await rests(served.server);
    assert.is(served.server.stats().respawns, 0);
    await ends(served, before);
  });
}

/** At a thread's start; `respawns`: whether it can't go on. */
const STARTS: [call: string, nth: number, errno: string, respawns: number][] = [
  ["epoll_create1", 1, "EMFILE", 1],
  ["epoll_ctl", 1, "ENOMEM", 1], // for its eventfd
  ["epoll_ctl", 2, "ENOSPC", 0], // for the listener: the loop rests
  ["fcntl", 3, "EMFILE", 0], // for an fd to spare: the loop rests
  ["setsockopt", 1, "ENOMEM", 0],
];

for (const [call, nth, errno, respawns] of STARTS) {
  test.unless(faulty, `a thread that begins, ${call} ${nth} fails: ${errno}`, async (t) => {
    const before = await baseline(t);
    silence(t);
    const served = await serve(t, { arm: (plan) => plan.fail(call, nth, errno) });
    await within(errno, served.traffic());
    assert.ok(served.plan.fired);
    assert.is(served.server.stats().respawns, respawns);
    await rests(served.server);
    await ends(served, before);
  });
}

/** Process warnings, which tell why a thread has ended, are not printed. */
function silence(t: Cleanup): void {
  const listeners = process.listeners("warning");
  process.removeAllListeners("warning");
  t.after(() => {
    for (const listener of listeners) process.on("warning", listener as (warning: Error) => void);
  });
}

test.unless(noLoop, "in the main thread: fcntl, eventfd, shutdown, close fail", async (t) => {
  const before = await baseline(t);
  const { shared } = host();
  const sys = shared.sys as NonNullable<typeof shared.sys>;
  const root = tempFolder(t);
  write(root);
  const asked = await questions(t, root, false);
  let broken = "";
  const failing = (name: "fcntl" | "eventfd" | "shutdown") => {
    const make = sys.libc[name] as (...args: number[]) => number;
    return (...args: number[]) => (broken === name ? -1 : make(...args));
  };
  const close = (fd: number) => {
    const result = sys.libc.close?.(fd);
    assert.is(result, 0, `close(${fd}), which is not open`);
    return broken === "close" ? -1 : 0;
  };
  const libc = {
    ...sys.libc,
    fcntl: failing("fcntl"),
    eventfd: failing("eventfd"),
    shutdown: failing("shutdown"),
    close,
  };
  const lent = { ...shared, sys: { ...sys, libc } as typeof sys };
  for (const call of ["fcntl", "eventfd", "shutdown", "close"]) {
    const server = new FileServer(lent, serverRuntime, root, NO_LIMITS);
    t.after(() => server.close({ timeout: 0 }));
    const listen = () => server.listen({ port: 0, host: "127.0.0.1" });
    broken = call;
    if (call === "fcntl" || call === "eventfd") {
      const error = await listen().catch((error: Error) => error);
      assert.match((error as Error).message, new RegExp(`^${call}: errno `));
      broken = "";
    }
    const { port } = await listen();
    await within(call, Promise.all(asked.map((question) => answered(port, question))));
    await within(`${call}: close()`, server.close());
    broken = "";
    await within(call, fewer(before));
  }
});

const CLIENTS = 50;

test.unless(faulty, "a thread that ends while it hands connections over leaves none of them open", async (t) => {
  const before = await baseline(t);
  silence(t);
  const { server, plan, port } = await serve(t);
  const request = get("/none", "Connection: close").replaceAll("\r\n", "\\r\\n");
  const clients = new Program(t, "clients.mjs", [String(port), String(CLIENTS), request]);
  // All wait for what the main thread says of this target, and then they are handed over in one turn.
  blocked(() => server.stats().connections === CLIENTS);
  blocked(() => false, 100);
  plan.break("epoll_ctl", CLIENTS / 2);
  await within("the clients", clients.over);
  const { answered, lost } = JSON.parse(await clients.line());
  assert.is(answered + lost, CLIENTS);
  await within(
    "another thread",
    until(() => server.stats().respawns === 1),
  );
  await ends({ server, plan }, before);
});

test.unless(faulty, "what a thread has handed over before its end is answered", async (t) => {
  const before = await baseline(t);
  silence(t);
  const { server, plan, port } = await serve(t);
  const request = get("/", "Connection: close").replace("GET", "BREW").replaceAll("\r\n", "\\r\\n");
  const clients = new Program(t, "clients.mjs", [String(port), String(CLIENTS), request]);
  blocked(() => server.stats().handedOver.method === CLIENTS);
  plan.break("epoll_wait", 1);
  blocked(() => plan.fired);
  blocked(() => false, 100); // so that the end of the thread is known at once with its last words
  await within("the clients", clients.over);
  assert.equal(JSON.parse(await clients.line()), { answered: CLIENTS, lost: 0 });
  await within(
    "another thread",
    until(() => server.stats().respawns === 1),
  );
  await ends({ server, plan }, before);
});

/** The main thread does nothing else until something is so; for so many ms at most. */
function blocked(so: () => boolean, most = 5_000): void {
  const end = Date.now() + most;
  while (!so() && Date.now() < end);
}

for (const call of ["preadv2", "sendfile", "send"]) {
  test.unless(
    faulty ?? (call === "preadv2" ? noNowait : null),
    `a file that is cut before ${call} gives no byte beyond its end`,
    async (t) => {
      const before = await baseline(t);
      const served = await serve(t);
      const { plan, port } = served;
      await served.traffic(); // its bytes are in the loop's memory now
      const path = join(served.root, "cut.bin");
      const ask = async () => {
        await new Promise((next) => setTimeout(next, 12)); // longer than the loop believes what it has seen
        return (await learn(port, get("/cut.bin", "Connection: close"))).wanted;
      };
      // Where pages are sent as they are, the kernel blanks the rest of the last one.
      for (const [size, cuts] of [
        [3000, [0, 1, 2999]],
        [400_000, [0, 4096, 200 * 1024]],
      ] as const) {
        for (const left of cuts) {
          for (const nth of [1, 2]) {
            const what = `${call} ${nth}, ${left} of ${size}`;
            fs.writeFileSync(path, pattern(size, size));
            const wanted = await ask();
            const head = wanted.length - size;
            same(wanted.subarray(head), pattern(size, size));
            plan.shrink(call, nth, left);
            const got = await ask();
            same(got, wanted.subarray(0, got.length), what);
            // Without a byte of the file there is no head either.
            const most = left === 0 && call === "preadv2" ? 0 : head + left;
            if (plan.fired && nth === 1 && call !== "send") assert.ok(got.length <= most, what);
            if (nth === 1 && (call !== "sendfile" || size > 3000)) assert.ok(plan.fired, what);
            plan.disarm();
          }
        }
      }
      await served.traffic();
      await rests(served.server);
      await ends(served, before);
    },
  );
}

const ENDS_EARLY = fileURLToPath(new URL("../../test/fixtures/ends-early.mjs", import.meta.url));

for (const [way, slow] of [
  ["exit", "all"],
  ["close", "reader"],
] as const) {
  // koffi aborts the process if one of its threads is stopped in a call that fails.
  test.unless(faulty, `${way}: a process that ends while a thread binds libc ends well`, async (t) => {
    const env = { ...process.env, WAY: way, SLOW: slow, BEGUN: join(tempFolder(t), "begun") };
    const child = spawn(process.execPath, [ENDS_EARLY], { env, stdio: ["ignore", "inherit", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    const exited = once(child, "exit");
    assert.is(await text(child.stderr), "");
    assert.equal(await exited, [0, null]);
    assert.ok(fs.existsSync(env.BEGUN));
  });
}

test.run();
