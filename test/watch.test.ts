// The tests' own runner: a file that hangs, dies or runs nothing is a failure, and its test is named.

import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { test } from "./lib/suite.js";

interface Told {
  passed: number;
  failed: { test: string; message: string }[];
  skipped: string[];
}
type Watch = (
  entry: { name: string; command: string[]; program?: boolean },
  setting: { silent?: number; env?: NodeJS.ProcessEnv },
) => Promise<Told>;

// By a name that tsc does not follow.
const WATCH: string = new URL("../../test/watch.js", import.meta.url).href;
const { watch }: { watch: Watch } = await import(WATCH);
const FIXTURE = fileURLToPath(new URL("../../test/fixtures/watch/tests.mjs", import.meta.url));

const told = (way: string, silent?: number) =>
  watch({ name: way, command: [process.execPath, FIXTURE, way] }, { silent });

/** Begun at once, since it takes its time. */
const blocked = told("blocks", 5000).then(({ failed }) => failed);

test("a good file: passed, and skipped with the reason", async () => {
  const { passed, failed, skipped } = await told("well");
  assert.equal({ passed, failed, skipped }, { passed: 3, failed: [], skipped: ["left out (for a reason)"] });
});

test("one test alone, by its name", async () => {
  const env = { SENDOFF_TEST_ONLY: "third" };
  const { passed, failed, skipped } = await watch(
    { name: "", command: [process.execPath, FIXTURE, "throws"] },
    { env },
  );
  assert.equal({ passed, failed, skipped }, { passed: 1, failed: [], skipped: [] });
});

for (const [way, passed, name, message] of [
  ["throws", 2, "second", /^of its own$/],
  ["rejects", 2, "second", /^that nobody caught$/],
  ["raises", 2, "second", /^that nobody caught$/],
  ["dies", 1, "second", /SIGKILL/],
  ["exits", 1, "second", /ended by 1 while it ran/],
  ["late", 3, "(after third)", /ended by 1/],
  ["forgets", 3, "(after third)", /ended by 1/],
  ["nothing", 0, "(none)", /no test/],
] as const) {
  test(`a file of which one test ${way}`, async () => {
    const { failed, ...rest } = await told(way);
    assert.is(rest.passed, passed);
    assert.is(failed.length, 1);
    assert.is(failed[0]?.test, name);
    assert.match(failed[0]?.message as string, message);
  });
}

test("a program that counts itself: what it names is named again, and what it only counts is counted", async () => {
  const says = [
    "caught-one    0.5 s  core: by its test",
    "missed-one   12.5 s  NOT CAUGHT: not by core",
    "NOT CAUGHT: without a mistake, too",
    "  Total:     7",
    "  Passed:    4",
    "  Skipped:   0",
  ];
  const command = [process.execPath, "-e", `console.log(${JSON.stringify(says.join("\n"))}); process.exitCode = 1`];
  const { passed, failed, skipped } = await watch({ name: "", command, program: true }, {});
  assert.is(passed, 4);
  assert.equal(failed, [
    { test: "missed-one", message: "not by core" },
    { test: "(a test)", message: "without a mistake, too" },
    { test: "see its output", message: "above" },
  ]);
  assert.equal(skipped, []);
});

test("a test that never gives up the loop is killed, and named", async () => {
  assert.equal(await blocked, [{ test: "second", message: "the process hung: no word for 5000 ms while it ran" }]);
});

test.run();
