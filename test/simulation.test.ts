// Lives of the core, by chance, and every short one of a small alphabet: docs/guide/trust.md.
// SEED=n begins elsewhere; `node build/test/simulation/run.js` plays more of them.

import * as assert from "uvu/assert";
import { BUILDS, type Build } from "./lib/core.js";
import { play as playRow } from "./lib/script.js";
import { test } from "./lib/suite.js";
import { Connections } from "./simulation/connections.js";
import { exhaustive, LETTERS } from "./simulation/exhaustive.js";
import { type Schedule, schedule } from "./simulation/schedule.js";
import { compile, play, report, shrink } from "./simulation/simulate.js";

const SCHEDULES = 3000;
const SEED = Number(process.env.SEED ?? 1);

const [debug, release] = BUILDS as [Build, Build];

/** Schedules by their names. */
function* seeds(count: number): Generator<[string, Schedule]> {
  for (let seed = SEED; seed < SEED + count; seed++) {
    yield [`node build/test/simulation/run.js --schedules 1 --seed ${seed}`, schedule(seed)];
  }
}

function check({ bytes }: Build, schedules: Iterable<[string, Schedule]>): void {
  const core = compile(bytes);
  for (const [name, each] of schedules) {
    const wrong = play(core, each);
    if (wrong !== null) assert.unreachable(`${wrong}\n${name}\n\n${report(core, shrink(core, each))}`);
  }
}

test(`${SCHEDULES} schedules, on the release build`, () => check(release, seeds(SCHEDULES)));

test("500 of them on the debug build", () => check(debug, seeds(500)));

test("every order of the exhaustive alphabet to depth 4; depth 6 by node build/test/simulation/run.js --exhaustive", () => {
  const all = [...exhaustive(4)];
  assert.is(all.length, Object.keys(LETTERS).length ** 4);
  check(
    release,
    all.map((each) => ["node build/test/simulation/run.js --exhaustive", each]),
  );
});

test("one seed is one schedule, played one way", () => {
  for (let seed = SEED; seed < SEED + 20; seed++) {
    const rows = [0, 1].map(() => {
      const row: string[] = [];
      assert.is(play(compile(release.bytes), schedule(seed), row), null);
      return row;
    });
    assert.equal(rows[0], rows[1]);
  }
  assert.not.equal(schedule(1), schedule(2 ** 32 + 1));
});

test("what a schedule prints is a row of the transitions' tests", () => {
  for (let seed = SEED; seed < SEED + 100; seed++) {
    const row: string[] = [];
    assert.is(play(compile(release.bytes), schedule(seed), row), null);
    playRow(release, row.join("\n"));
  }
});

/** More of them: node build/test/simulation/run.js --connections */
const LIVES = 300;

for (const [{ name, bytes }, lives] of [
  [release, LIVES],
  [debug, Math.ceil(LIVES / 6)],
] as const) {
  test(`${lives} lives of connections, on the ${name} build`, () => {
    const core = compile(bytes);
    let answers = 0;
    for (let seed = SEED; seed < SEED + lives; seed++) {
      try {
        answers += new Connections(core, seed).play();
      } catch (error) {
        assert.unreachable(
          `${(error as Error).stack}\nnode build/test/simulation/run.js --connections --schedules 1 --seed ${seed}`,
        );
      }
    }
    assert.ok(answers > 5 * lives, `${answers} answers`);
  });
}

test.run();
