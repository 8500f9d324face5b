// The primary of `sendoff serve --workers`: starts the workers, replaces those that die, and ends all of them when it
// ends. Connections are handed out in turn by node:cluster.

import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { exitNow, onExit } from "sendoff";
import { say } from "../../host/say.js";
import { MARGIN, type Settings, untilEnd } from "./server.js";

/** A worker that dies sooner than this, in ms, counts as a short life. */
const SHORT_LIFE = 5000;
/** The server ends after this many short lives in succession. */
const SHORT_LIVES = 5;
/** Delay before the next one starts, in ms; it doubles after each short life. */
const PAUSE = 100;

/** Resolves once all of them listen. */
export async function startWorkers(count: number, settings: Settings): Promise<void> {
  cluster.setupPrimary({ exec: fileURLToPath(new URL("./worker.js", import.meta.url)), args: [] });
  const workers = new Set<Worker>();
  let stopping = false;
  let short = 0;

  const fork = (): Worker => {
    const worker = cluster.fork();
    const born = performance.now();
    workers.add(worker);
    worker.once("message", () => worker.send(settings)); // it sends a message when it is ready
    worker.on("error", () => {}); // 'exit' reports its end
    worker.once("exit", (code: number | null, signal: string | null) => {
      workers.delete(worker);
      if (stopping) return;
      short = performance.now() - born < SHORT_LIFE ? short + 1 : 0;
      const words = `sendoff: worker ${worker.process.pid} died (${signal ?? `status ${code}`})`;
      if (short === SHORT_LIVES) {
        say(`${words}, as ${SHORT_LIVES - 1} did before it: that is enough`);
        void exitNow(1);
        return;
      }
      say(`${words}: another one takes its place`);
      setTimeout(() => stopping || fork(), short === 0 ? 0 : PAUSE * 2 ** (short - 1));
    });
    return worker;
  };

  const stop = async ({ signal = "SIGTERM" }: { signal?: string }) => {
    stopping = true;
    const ends = [...workers].map((worker) => once(worker, "exit"));
    for (const worker of workers) kill(worker, signal);
    const late = setTimeout(() => {
      for (const worker of workers) kill(worker, "SIGKILL");
    }, untilEnd(settings));
    await Promise.allSettled(ends);
    clearTimeout(late);
  };
  onExit(stop, { timeout: untilEnd(settings) + MARGIN });

  const first = Array.from({ length: count }, fork);
  await Promise.all(first.map((worker) => once(worker, "listening")));
}

/** Not by worker.process.kill(), which under Deno also ends the channel that a closing server needs. */
function kill({ process: { pid } }: Worker, signal: string): void {
  try {
    process.kill(pid as number, signal);
  } catch {
    // It has died, and its 'exit' is on the way.
  }
}
