// Folders that `sendoff serve` serves to a test, by each engine; and the server of a folder with all kinds of names, which
// those tests of a file share that only ask.

import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { inFolder } from "./command.js";
import { ENGINES } from "./file-server.js";
import { without } from "./programs.js";
import { type Serving, serving } from "./serving.js";
import type { Suite } from "./suite.js";
import { exchange, parse, request, within } from "./web.js";

const linux = process.platform === "linux";
export const noFifo = without("mkfifo");

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** What the log has where the bytes, or anything else, depend on the moment. */
export const LOGGED =
  /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "(.*)" (\d{3}) (-|\d+)$/;

type Make = (root: string, outside: string) => Promise<void>;
type Use = (server: Serving, root: string) => Promise<void>;

/** Serves a folder that `make` has filled, by each engine or the one that is named; stopped and removed afterwards. */
export function site(args: readonly string[], make: Make, use: Use): Promise<void> {
  return inFolder(async (folder) => {
    const root = await made(folder, make);
    const ways = args.includes("--engine") ? [[]] : ENGINES.map((engine) => ["--engine", engine]);
    for (const way of ways) {
      const server = await serving([...way, ...args, root]);
      try {
        await use(server, root);
      } finally {
        await server.stop();
      }
    }
  });
}

async function made(folder: string, make: Make): Promise<string> {
  const root = join(folder, "root");
  const outside = join(folder, "outside");
  await mkdir(root);
  await mkdir(outside);
  await make(root, outside);
  return root;
}

/** More than all tests of a file take, in ms. */
const LONG = 600_000;

/**
 * For tests that only ask for what `fill` has made, by each engine: its servers are started by the first of them, and
 * stopped behind the last test of the suite.
 */
export function shared(test: Suite): (use: Use) => Promise<void> {
  let folder: string | undefined;
  let starting: Promise<{ root: string; servers: Serving[] }> | undefined;
  const start = async () => {
    folder = await mkdtemp(join(tmpdir(), "sendoff-test-"));
    const root = await made(folder, fill);
    const ways = ENGINES.map((engine) => ["--engine", engine, root]);
    return { root, servers: await Promise.all(ways.map((way) => serving(way, {}, undefined, LONG))) };
  };
  test.after(async () => {
    const { servers } = (await starting?.catch(() => null)) ?? { servers: [] };
    await Promise.all(servers.map((server) => server.stop()));
    if (folder !== undefined) await rm(folder, { recursive: true });
  });
  return async (use) => {
    starting ??= start();
    const { root, servers } = await starting;
    for (const server of servers) await use(server, root);
  };
}

export async function ask(server: Serving, target: string, lines: string[] = [], method = "GET") {
  return parse(await within(exchange(server.port, request(target, lines, method)), `${method} ${target}`));
}

export const big = randomBytes(3_000_001);
/** In no file that may be sent. */
export const SECRET = "xyzzy";

export async function fill(root: string, outside: string): Promise<void> {
  await mkdir(join(root, "sub", ".git"), { recursive: true });
  await mkdir(join(root, "index"));
  await writeFile(join(root, "a.txt"), "hello");
  await writeFile(join(root, "big.bin"), big);
  await writeFile(join(root, "empty"), "");
  await writeFile(join(root, ".hidden"), SECRET);
  await writeFile(join(root, "sub", ".git", "config"), SECRET);
  await writeFile(join(root, "sub", "page.html"), "<p>page");
  await mkdir(join(root, "sorted", "z"), { recursive: true });
  for (const [name, size, time] of [
    ["file10", 30, 3],
    ["file2", 10, 1],
    ["File1", 20, 2],
  ] as const) {
    await writeFile(join(root, "sorted", name), "x".repeat(size));
    await utimes(join(root, "sorted", name), time * 1e6, time * 1e6);
  }
  await writeFile(join(root, "index", "index.html"), "<p>index");
  await writeFile(join(outside, "secret"), SECRET);
  await writeFile(join(outside, "index.html"), SECRET);
  if (!linux) return;
  await symlink(join(outside, "secret"), join(root, "secret"));
  await symlink(outside, join(root, "outside"));
  await symlink("../outside/secret", join(root, "sub", "relative"));
  await symlink("a.txt", join(root, "inner"));
  await symlink("sub", join(root, "inner-folder"));
  await symlink("nowhere", join(root, "broken"));
  await symlink("circle", join(root, "circle"));
  if (noFifo === null) spawnSync("mkfifo", [join(root, "fifo")]);
}
