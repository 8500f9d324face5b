// Any arguments for the command: a refusal is one line that names the argument, and no stack trace.

import { existsSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { UsageError } from "../cli/arguments.js";
import { explain } from "../cli/explain.js";
import * as info from "../cli/info.js";
import * as send from "../cli/send.js";
import { Gate } from "../cli/serve/auth.js";
import { config } from "../cli/serve/config.js";
import { OPTIONS as SERVE } from "../cli/serve/options.js";
import * as serve from "../cli/serve.js";
import { call, inFolder, run } from "./lib/command.js";
import { until } from "./lib/connection.js";
import { fdCount } from "./lib/files.js";
import { check } from "./lib/hostile.js";
import { suite } from "./lib/suite.js";
import { within } from "./lib/web.js";

const test = suite("fuzz, the command");

const NOWHERE = "/does/not/exist";
const OPTIONS = {
  send: ["offset", "count", "timeout", "deadline", "mode"],
  serve: [
    "port",
    "host",
    "workers",
    "tls",
    "cert",
    "key",
    "precompressed",
    "cache",
    "dotfiles",
    "no-listing",
    "quiet",
    "open",
    "auth",
    "config",
  ],
  info: ["json"],
};
const WORDS = [
  "",
  "0",
  "1",
  "-1",
  "1.5",
  "1e9",
  "4k",
  "9999999T",
  "10s",
  "5m",
  "auto",
  "copy",
  "x",
  "\n",
  "\0",
  "--",
  "-",
];
const TARGETS = ["a:b", "[::1", "unix:", "x:99999", "unix:/does/not/exist", "127.0.0.1:0"];

/** An argument list for a sub-command: its options and their values, right and wrong, and words. */
function argv(names: readonly string[]): fc.Arbitrary<string[]> {
  const value = fc.oneof(fc.constantFrom(...WORDS, ...TARGETS), fc.string({ unit: "grapheme", maxLength: 12 }));
  const name = fc.constantFrom(...names);
  const option = fc.oneof(
    fc.tuple(name, value).map(([key, text]) => [`--${key}=${text}`]),
    fc.tuple(name, value).map(([key, text]) => [`--${key}`, text]),
    name.map((key) => [`--${key}`]),
  );
  const junk = fc.oneof(
    value.map((text) => [text]),
    fc.string().map((text) => [`-${text}`]),
  );
  return fc.array(fc.oneof({ weight: 3, arbitrary: option }, junk), { maxLength: 5 }).map((all) => all.flat());
}

/** What main() makes of it. */
function told(error: unknown): string {
  const line = explain(error);
  assert.not.match(line, /[\n\r]/, "one line");
  assert.not.match(line, /\bat .*:\d+:\d+/, "no stack");
  assert.ok(line.length > 0);
  // An engine's own words are nobody's business.
  assert.not.match(line, /undefined|is not a function|Cannot read|\[object/);
  return line;
}

const NAMED = /--?\S|FILE|TARGET|DIR|option|takes no argument|'/;

/** Runs until it is refused: with what is given nothing can be done. */
async function refused(command: { run(argv: string[]): Promise<number> }, args: string[]): Promise<void> {
  try {
    await within(command.run(args), args.join(" "), 20_000);
  } catch (error) {
    const line = told(error);
    if (error instanceof UsageError) assert.match(line, NAMED);
    return;
  }
  assert.unreachable(`it ran: ${JSON.stringify(args)}`);
}

test("send", async () => {
  const before = fdCount();
  // The file is not there, so that nothing is sent whatever else is right.
  const property = fc.asyncProperty(argv(OPTIONS.send), fc.constantFrom([], TARGETS), async (some, targets) => {
    const end = some.indexOf("--");
    const last = some.at(-1) ?? "";
    fc.pre(!existsSync(last));
    const own = end < 0 && last.startsWith("--") && !last.includes("=") ? ["1"] : [];
    await refused(send, [...some.filter((word) => word !== "--"), ...own, NOWHERE, ...targets.slice(0, 1)]);
  });
  await check(property, 300);
  await until(() => fdCount() <= before); // one may have been open for a moment
});

test("serve", async () => {
  const before = fdCount();
  const property = fc.asyncProperty(argv(OPTIONS.serve), (some) => {
    return refused(serve, [...some.filter((word) => word !== "--"), `--cert=${NOWHERE}`, `--key=${NOWHERE}`, NOWHERE]);
  });
  await check(property, 300);
  await until(() => fdCount() <= before); // one may have been open for a moment
});

test("a file of options", () =>
  inFolder(async (folder) => {
    const file = join(folder, "x.json");
    const name = fc.oneof(fc.constantFrom(...OPTIONS.serve, "__proto__"), fc.string());
    const text = fc.oneof(
      fc.dictionary(name, fc.jsonValue()).map((all) => JSON.stringify(all)),
      fc.json(),
      fc.string(),
    );
    const property = fc.asyncProperty(text, async (some) => {
      writeFileSync(file, some);
      let taken: ReturnType<typeof config>;
      try {
        taken = config(file);
      } catch (error) {
        assert.instance(error, UsageError);
        assert.ok(told(error).startsWith(file));
        return;
      }
      for (const [option, value] of Object.entries(taken?.values ?? {})) {
        assert.ok(Object.hasOwn(SERVE, option), option);
        assert.ok(value === true || typeof value === "string" || Array.isArray(value), option);
      }
    });
    await check(property, 500);
  }));

test("a field Authorization: whoever does not have the password is nobody", async () => {
  const gate = new Gate("me:secret");
  const base64 = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64"));
  const word = fc.oneof(
    base64,
    fc.string({ unit: "binary" }),
    fc.constantFrom("", "Basic", "=", "bWU6", "bWU6c2VjcmU="),
  );
  const field = fc.tuple(fc.constantFrom("Basic ", "basic\t", "Bearer ", ""), word).map((both) => both.join(""));
  const property = fc.asyncProperty(fc.array(field, { maxLength: 3 }), async (fields) => {
    const rawHeaders = fields.flatMap((value) => ["authorization", value]);
    const headers = fields.length === 0 ? {} : { authorization: fields[0] };
    assert.is(gate.userOf({ headers, rawHeaders } as IncomingMessage), null);
  });
  await check(property, 1000);
});

test("info", async () => {
  const property = fc.asyncProperty(argv(OPTIONS.info), (some) => refused(info, [...some, "--nothing"]));
  await check(property, 200);
});

test("the whole command", async () => {
  const command = fc.oneof(
    fc.constantFrom("send", "serve", "info", "help", "--help", "-V", "constructor", "__proto__", ""),
    fc.string({ unit: "grapheme" }),
  );
  let left = 3; // as processes: the rest in this one
  const rest = argv([...OPTIONS.send, ...OPTIONS.serve, ...OPTIONS.info]);
  const property = fc.asyncProperty(command, rest, async (name, some) => {
    const wrong = name === "send" || name === "serve" ? ["--nothing"] : [];
    const args = [name, ...some, ...wrong].map((word) => word.replaceAll("\0", "")); // no process can be given one
    const { status, stdout, stderr } = await (left-- > 0 ? run : call)(args);
    assert.ok(status === 0 || status === 1 || status === 2, `${status}`);
    if (status === 0) return assert.ok(stdout.length > 0);
    assert.match(stderr, /^sendoff: [^\n]+\n$/, "one line");
    assert.not.match(stderr, /\bat .*:\d+:\d+|\[object/);
    assert.is(stdout, "");
  });
  await check(property, 100);
});

test.run();
