// docs/internals/abi.md is a promise: it is compared with both builds of the core and with assembly/abi.ts.

import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import {
  ABI_VERSION,
  Act,
  Action,
  Begun,
  Fault,
  Flag,
  Next,
  Odd,
  RangeKind,
  Reason,
  RequestFlag,
  Status,
  Way,
} from "../assembly/abi.js";
import { wasm } from "../host/wasm.js";
import { each } from "./lib/core.js";
import * as wasi from "./lib/wasi.js";
import { parse } from "./lib/wasm.js";

const page = readFileSync(new URL("../../docs/internals/abi.md", import.meta.url), "utf8");

/** The rows of the table below a heading, each as its cells. */
function rows(heading: string): string[][] {
  const section = page.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("| "));
  const cells = lines.map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")));
  return cells.slice(2).map((row) => row.slice(1, -1));
}

/** `send(out: i32, ptr: i32) -> i32` as a name and `(i32, i32) -> i32`. */
function promised(heading: string): [string, string][] {
  return rows(heading).map(([cell = ""]) => {
    const paren = cell.indexOf("(");
    return paren < 0 ? [cell, cell] : [cell.slice(0, paren), cell.slice(paren).replace(/\w+: /g, "")];
  });
}

const sorted = (entries: Iterable<[string, string]>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));

each("abi", (test, build) => {
  const module = parse(build.bytes);

  test("imports are the system calls, in env, and nothing else", () => {
    const wanted = promised("Imports").map(([name, signature]): [string, string] => [`env.${name}`, signature]);
    assert.is(wanted.length, 4);
    assert.equal(sorted(module.imports), sorted(wanted));
  });

  test("exports are those of the page, with their signatures", () => {
    assert.equal(sorted(module.exports), sorted(promised("Exports")));
  });

  test("a reactor, that needs no initialisation", () => {
    assert.not.ok(module.exports.has("_start") || module.exports.has("_initialize"));
  });

  test("the version is that of the page", () => {
    assert.is(build.boot().abi(), ABI_VERSION);
    assert.match(page, new RegExp(`^# The ABI of the core, version ${ABI_VERSION}\n`));
  });

  test("memory: its size and maximum, scratch and frame", () => {
    assert.equal(module.memory, { minimum: 2, maximum: 1024 });
    assert.match(page, /starts with 2 pages[^.]*; its maximum of\n1024 pages/);
    const core = build.boot();
    assert.is(core.header_max(), 16384);
    assert.is(core.frame(), core.scratch() + 32768);
    assert.is(core.scratch() % 16, 0);
    assert.is(core.frame() % 16, 0);
    assert.is(core.request_facts() % 8, 0);
  });

  test(build.name === "debug" ? "no function of a runtime is in it" : "small: 16 KiB at most", () => {
    if (build.name === "debug") {
      assert.ok(module.names.includes("assembly/transfer/step"), "the module has names");
      assert.equal(
        module.names.filter((name) => name.includes("~lib/rt")),
        [],
      );
    } else assert.ok(build.bytes.length <= 16384, `${build.bytes.length} bytes`);
  });

  if (build.name === "release") {
    test("host/wasm.js holds these bytes", () => {
      assert.ok(Buffer.from(wasm()).equals(build.bytes));
    });
  }

  const enums = { Act, Action, Fault, Flag, Way, Reason, Begun, Next, Status, Odd, RequestFlag, RangeKind };
  for (const [name, values] of Object.entries(enums)) {
    test(`${name}: the numbers of assembly/abi.ts`, () => {
      // A numeric enum has each member twice: by its name, and by its number.
      const members = Object.entries(values).filter(([, value]) => typeof value === "number");
      assert.ok(members.length > 0);
      assert.equal(
        rows(name).map(([value, member]) => [member, Number(value)]),
        members,
      );
    });
  }
});

wasi.each("abi of the command", (test, build) => {
  const module = parse(build.bytes);

  test("imports are those of the page, of preview 1, and none of sockets", () => {
    const wanted = rows("Of the command").map(([name]) => `wasi_snapshot_preview1.${name}`);
    assert.equal([...module.imports.keys()].sort(), wanted.sort());
    for (const name of module.imports.keys()) assert.not.match(name, /sock_/);
  });

  test("exports are its start and its memory", () => {
    assert.equal(sorted(module.exports), [
      ["_start", "()"],
      ["memory", "memory"],
    ]);
    assert.is(module.starts, false);
    assert.is(module.memory.minimum, 5);
  });

  test(build.name === "debug" ? "no function of a runtime is in it" : "small: 8 KiB at most", () => {
    if (build.name === "debug") {
      assert.ok(module.names.includes("assembly/transfer/step"), "the same machine, with names");
      assert.equal(
        module.names.filter((name) => name.includes("~lib/rt")),
        [],
      );
    } else assert.ok(build.bytes.length <= 8192, `${build.bytes.length} bytes`);
  });
});
