// fds and memory of the server's process, over the time.

import * as fs from "node:fs";
import type { Told } from "./served.js";

/** Memory may be this much larger in the last quarter than in the second, whose heap has found its size. */
const GROWTH = 1.2;
const SLACK = 32 << 20;
/** The same for fds, of a load that differs from second to second. */
const FDS_SLACK = 64;

interface Look {
  readonly fds: number;
  /** Private bytes. */
  readonly memory: number;
  readonly connections: number;
}

export class Health {
  readonly #pid: number;
  /** Before the load. */
  readonly #first: Look;
  readonly #looks: Look[] = [];

  constructor(pid: number, told: Told) {
    this.#pid = pid;
    this.#first = this.look(told);
  }

  look({ stats: { connections } }: Told): Look {
    const rollup = fs.readFileSync(`/proc/${this.#pid}/smaps_rollup`, "latin1");
    const memory = [...rollup.matchAll(/^Private_\w+:\s*(\d+) kB$/gm)].reduce(
      (sum, [, kib]) => sum + Number(kib) * 1024,
      0,
    );
    const look = { fds: fs.readdirSync(`/proc/${this.#pid}/fd`).length, memory, connections };
    this.#looks.push(look);
    return look;
  }

  /** Whether all is closed that was opened meanwhile. */
  isAtRest(told: Told): boolean {
    const { fds, connections } = this.look(told);
    return connections === 0 && told.stats.openFiles === 0 && fds <= this.#first.fds;
  }

  problems(told: Told): string[] {
    const { fds, connections } = this.look(told);
    const [early, late] = [this.#quarter(1), this.#quarter(3)];
    const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
    return [
      connections > 0 && `${connections} connections are left`,
      told.stats.openFiles > 0 && `${told.stats.openFiles} files are left open`,
      fds > this.#first.fds && `${fds} fds, ${this.#first.fds} before: ${this.#names()}`,
      late.memory > early.memory * GROWTH + SLACK && `memory: ${mib(late.memory)}, ${mib(early.memory)} before`,
      late.fds > early.fds * GROWTH + FDS_SLACK && `fds under load: ${late.fds}, ${early.fds} before`,
    ].filter((text) => text !== false);
  }

  summary(): string {
    const quarters = [0, 1, 2, 3].map((n) => this.#quarter(n));
    const memory = quarters.map(({ memory }) => `${Math.round(memory / 2 ** 20)}`).join(", ");
    const fds = quarters.map(({ fds }) => fds).join(", ");
    return `medians of the quarters: memory ${memory} MiB; fds ${fds}, and ${this.#first.fds} without load before`;
  }

  /** Medians of a quarter of the time. */
  #quarter(n: number): Look {
    const { length } = this.#looks;
    const some = this.#looks.slice(Math.floor((n * length) / 4), Math.floor(((n + 1) * length) / 4));
    const median = (of: (look: Look) => number) => some.map(of).sort((a, b) => a - b)[some.length >> 1] ?? 0;
    return { fds: median(({ fds }) => fds), memory: median(({ memory }) => memory), connections: 0 };
  }

  #names(): string {
    const names = fs.readdirSync(`/proc/${this.#pid}/fd`).map((fd) => {
      try {
        return fs.readlinkSync(`/proc/${this.#pid}/fd/${fd}`);
      } catch {
        return "gone";
      }
    });
    return names.sort().join(" ");
  }
}
