// npm test -- wasi: the WASI command on every host that is installed, and the table of docs/guide/wasi.md, which is made
// here. With SENDOFF_TABLE=write it is written, else it is compared.

import { createHash, randomBytes } from "node:crypto";
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { tempFolder } from "./lib/files.js";
import { HOSTS, type Host, NODE, type Outcome, send, type Way, type Wish } from "./lib/hosts.js";
import { type Cleanup, row, test } from "./lib/suite.js";

const MiB = 1 << 20;
const BYTES = randomBytes(8 * MiB + 7);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** What came of a transfer that is to succeed. */
function sent({ code, bytes, digest }: Outcome, wanted = BYTES): string {
  if (code !== 0) return bytes < wanted.length ? "fails, and says so" : `status ${code}`;
  if (bytes < wanted.length) return "**loses bytes**, status 0";
  if (bytes > wanted.length) return "**repeats bytes**, status 0";
  return digest === sha256(wanted) ? "exact" : "**other bytes**, status 0";
}

/** And of one that can't. */
function refused({ code, stderr }: Outcome, words: RegExp): string {
  if (code === 0) return "**status 0**";
  return words.test(stderr) ? `status ${code}` : `status ${code}, by a crash`;
}

interface Cell {
  title: string;
  /** What every host does, but for its flaws. */
  wanted: (host: Host) => string;
  see: (cleanup: Cleanup, host: Host) => Promise<string>;
}

/** Sends BYTES from a file of the folder. */
function whole(cleanup: Cleanup, host: Host, way: Way, wish: Partial<Wish> = {}): Promise<Outcome> {
  const folder = tempFolder(cleanup);
  const path = join(folder, "file");
  writeFileSync(path, BYTES);
  return send(cleanup, host, folder, { path, ...wish }, way);
}

const CELLS: Cell[] = [
  {
    title: "pipe",
    wanted: () => "exact",
    see: async (cleanup, host) => sent(await whole(cleanup, host, { out: "pipe" })),
  },
  {
    title: "TCP socket",
    wanted: () => "exact",
    see: async (cleanup, host) => sent(await whole(cleanup, host, { out: "tcp" })),
  },
  {
    title: "across 4 GiB",
    wanted: () => "exact",
    see: async (cleanup, host) => {
      const folder = tempFolder(cleanup);
      const path = join(folder, "sparse");
      const offset = 2 ** 32 - 1000;
      const fd = openSync(path, "w");
      ftruncateSync(fd, 2 ** 32 + 2 * MiB);
      writeSync(fd, BYTES, 0, MiB, offset);
      closeSync(fd);
      return sent(await send(cleanup, host, folder, { path, offset, count: MiB }), BYTES.subarray(0, MiB));
    },
  },
  {
    title: "non-blocking pipe, slow reader",
    wanted: ({ flaws }) => flaws?.nonBlocking ?? "exact",
    see: async (cleanup, host) => {
      const outcome = await whole(cleanup, host, { out: "non-blocking pipe" });
      if (outcome.code !== 0)
        assert.match(outcome.stderr, new RegExp(`^sendoff: fd 1: .*, ${outcome.bytes} bytes sent$`, "m"));
      return sent(outcome);
    },
  },
  {
    title: "missing file",
    wanted: () => "status 1",
    see: async (cleanup, host) => {
      const folder = tempFolder(cleanup);
      const outcome = await send(cleanup, host, folder, { path: join(folder, "nope") });
      assert.is(outcome.bytes, 0);
      return refused(outcome, /^sendoff: .*nope: No such file or directory$/m);
    },
  },
  {
    title: "wrong argument",
    wanted: ({ flaws }) => flaws?.wrong ?? "status 2",
    see: async (cleanup, host) => {
      const outcome = await whole(cleanup, host, {}, { count: "x" });
      assert.is(outcome.bytes, 0);
      return refused(outcome, /^sendoff: (--count|SENDOFF_COUNT) must be an integer, 1 to \d+, not x$/m);
    },
  },
  {
    title: "reader gone",
    wanted: ({ flaws }) => flaws?.gone ?? "status 1",
    see: async (cleanup, host) =>
      refused(await whole(cleanup, host, { vanish: 1 }), /^sendoff: fd 1: Broken pipe, \d+ bytes sent$/m),
  },
];

const PAGE = new URL("../../docs/guide/wasi.md", import.meta.url);
const FENCE = /(<!-- table -->\n)[\s\S]*?(<!-- \/table -->)/;
const HEAD = [
  `| host | asked by | ${CELLS.map(({ title }) => title).join(" | ")} |`,
  `|${" --- |".repeat(CELLS.length + 2)}`,
];

const WRITE = process.env.SENDOFF_TABLE === "write";

const page = readFileSync(PAGE, "utf8");
const lines: string[] = [];

for (const host of HOSTS) {
  // The Node that runs the tests may be any.
  const told = host !== NODE || WRITE || page.includes(`| ${host.name} |`);
  const reason = !existsSync(host.path) ? "not installed" : told ? null : "not in the table";
  const seen: string[] = [];
  for (const cell of CELLS) {
    row(
      `${host.name}: ${cell.title}`,
      async (cleanup) => {
        const saw = await cell.see(cleanup, host);
        seen.push(saw);
        assert.is(saw, cell.wanted(host));
      },
      reason,
    );
  }
  row(
    `${host.name}: its line in docs/guide/wasi.md`,
    async () => {
      const line = `| ${[host.name, host.args ? "arguments" : "environment", ...seen].join(" | ")} |`;
      lines.push(line);
      if (!WRITE) assert.ok(page.includes(`\n${line}\n`), line);
    },
    reason,
  );
}

test("the table", () => {
  const table = [...HEAD, ...lines].join("\n");
  console.log(`\n${table}`);
  assert.match(page, FENCE);
  if (lines.length === HOSTS.length) {
    const exact = lines.filter((line) => /\| (arguments|environment) \| exact \| exact \| exact \|/.test(line));
    assert.ok(exact.length >= 5, "five hosts are exact");
  }
  if (WRITE) {
    assert.is(lines.length, HOSTS.length, "all hosts are installed");
    writeFileSync(PAGE, page.replace(FENCE, `$1${table}\n$2`));
  } else assert.ok(page.includes(HEAD.join("\n")));
});

test.run();
