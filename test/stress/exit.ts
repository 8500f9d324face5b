// The burst row, 200 times (or as many as the argument says): 15 signals 0.2 ms apart, none of which may
// cost a function, be called twice, or change how the process dies.

import { burst, pool, RUNTIME, run } from "../lib/exit-process.js";

const times = Number(process.argv[2] ?? 200);
const expected = ["3", "2 begins", "2 ends", '1 {"signal":"SIGTERM"}'].join();
const job = pool(2);
let lost = 0;
await Promise.all(
  Array.from({ length: times }, () =>
    job(async () => {
      const { lines, status } = await run("signal.mjs", {
        args: ["-", '{"forceAfter":30000}'],
        act: burst("SIGTERM", 15, 0.2),
      });
      if (lines.join() === expected && status === "SIGTERM") return;
      lost++;
      console.error(`${status}: ${lines.join(" | ")}`);
    }),
  ),
);
console.log(`${RUNTIME}: ${times - lost} of ${times} bursts ran every function once and died by the signal`);
if (lost > 0) process.exitCode = 1;
