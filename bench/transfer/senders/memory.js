// Memory of this process, in bytes. Needs --expose-gc.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** After the collector has had several chances to give memory back. RSS without the pages of files is `anon`. */
export async function memory() {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await sleep(100);
  }
  const anon = Number(/RssAnon:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
  return { ...process.memoryUsage(), anon };
}
