// The entry of a server's thread, with calls that can fail by a FaultPlan: koffi's functions are wrapped
// before the ordinary entry runs. A close(2) that fails has closed its fd.

import fs from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { CALLS, FaultPlan } from "./fault-plan.js";

type Native = (...args: unknown[]) => unknown;
interface Library {
  func(symbol: string, gives: string, takes: string[]): Native;
}
interface Koffi {
  load(library: string | null): Library;
  errno(errno?: number): number;
}

const plan = new FaultPlan();
const koffi = createRequire(import.meta.url)("koffi") as Koffi;
const { load } = koffi;
/** Where a call has its count. */
const COUNTS: { [symbol: string]: number } = { recv: 2, send: 2, sendfile: 3 };

koffi.load = (library) => {
  const loaded = load(library);
  return {
    func(symbol, gives, takes) {
      const native = loaded.func(symbol, gives, takes);
      return (CALLS as readonly string[]).includes(symbol) ? faulty(symbol, native) : native;
    },
  };
};

function faulty(symbol: string, native: Native): Native {
  const count = COUNTS[symbol];
  return (...args) => {
    const fate = plan.meet(symbol);
    if (fate === null) return symbol === "close" ? close(native, args) : native(...args);
    if (fate.errno < 0) throw new Error(`${symbol} breaks the thread`);
    if (fate.size >= 0) fs.truncateSync(plan.path, fate.size);
    if (fate.most >= 0 && count !== undefined) args[count] = Math.min(args[count] as number, fate.most);
    if (fate.errno === 0) return native(...args);
    if (symbol === "close") close(native, args);
    koffi.errno(fate.errno);
    return -1;
  };
}

function close(native: Native, args: unknown[]): unknown {
  const result = native(...args);
  if ((result as number) < 0 && koffi.errno() === constants.errno.EBADF) plan.closedTwice();
  return result;
}

await import("../../host/runtimes/node/thread.js");
