// uvu, as the test files of a mutant have it: each test says its name before it runs, so that who reads along knows
// which one failed, or hangs.

import * as uvu from "uvu";

function named<T>(suite: uvu.Test<T>): uvu.Test<T> {
  suite.before.each((context) => {
    process.stdout.write(`\n▶ ${(context as { __test__?: string }).__test__}\n`);
  });
  return suite;
}

export const suite: typeof uvu.suite = (...args) => named(uvu.suite(...args));
export const test = named(uvu.test);
