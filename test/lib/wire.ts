// Two network namespaces and a wire between them: a veth pair and what tc can do to it, or the relay where the kernel
// has no netem. Needs root, iproute2, and a kernel that allows it.

import { type ChildProcess, execFileSync } from "node:child_process";
import { compileRelay, type Relay } from "./relay.js";

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
}

async function reason(attempt: () => unknown): Promise<string | null> {
  try {
    await attempt();
    return null;
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
    return code === "ENOENT"
      ? `${message.split(" ")[1]} is not installed`
      : (stderr || message).trim().split("\n").join("; ");
  }
}

/** The replacement for netem if the kernel has none, or why there is none. */
let relay: Relay | string | null = null;

let count = 0;
/** Those that are there: a process that ends leaves none behind. */
const wires = new Set<Wire>();
process.on("exit", () => {
  for (const wire of wires) wire.remove();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** One of them for each test. */
export class Wire {
  /** The namespaces: the sender is in the first. */
  readonly near: string;
  readonly far: string;
  /** The sender's address. */
  readonly host = "10.213.7.1";
  #relay: ChildProcess | null = null;

  private constructor() {
    const name = `sendoff-${process.pid}-${count++}`;
    this.near = `${name}-near`;
    this.far = `${name}-far`;
    wires.add(this);
  }

  /** With the sender's queueing discipline, as in tc: `netem delay 20ms`, `tbf rate 1mbit …`. */
  static async lay(...discipline: string[]): Promise<Wire> {
    const wire = new Wire();
    try {
      await wire.#lay(discipline);
    } catch (error) {
      wire.remove();
      throw error;
    }
    return wire;
  }

  async #lay(discipline: string[]): Promise<void> {
    const { near, far, host } = this;
    for (const space of [near, far]) {
      run("ip", "netns", "add", space);
      run("ip", "-n", space, "link", "set", "lo", "up");
    }
    const [kind, ...words] = discipline;
    if (kind === "netem" && relay !== null) {
      if (typeof relay === "string") throw new Error(`${noNetem}; ${relay}`);
      this.#relay = await relay(near, far, words);
    } else {
      run("ip", "link", "add", "wire", "netns", near, "type", "veth", "peer", "name", "wire", "netns", far);
      if (kind !== undefined) run("tc", "-n", near, "qdisc", "replace", "dev", "wire", "root", ...discipline);
    }
    for (const [space, address] of [
      [near, host],
      [far, "10.213.7.2"],
    ] as const) {
      run("ip", "-n", space, "address", "add", `${address}/24`, "dev", "wire");
      run("ip", "-n", space, "link", "set", "wire", "up");
    }
  }

  /** A black hole: nothing is refused, and nothing arrives. */
  swallow(): void {
    run(
      "ip",
      "-n",
      this.near,
      "neighbour",
      "replace",
      "10.213.7.2",
      "lladdr",
      "02:00:00:00:00:99",
      "dev",
      "wire",
      "nud",
      "permanent",
    );
  }

  /** The receiver's interface goes down. */
  unplug(): void {
    run("ip", "-n", this.far, "link", "set", "wire", "down");
  }

  remove(): void {
    wires.delete(this);
    this.#relay?.kill("SIGKILL");
    for (const space of [this.near, this.far]) {
      try {
        run("ip", "netns", "delete", space);
      } catch {} // it was never made
    }
  }
}

/** Why there can be no wire here; null if there can. */
export const noWire = await reason(async () => (await Wire.lay()).remove());

const noNetem = await lacks("netem", "delay", "1ms");
if (noWire === null && noNetem !== null) relay = compileRelay();

/** Why a wire with this discipline is unavailable here; null if it is available. */
export async function lacks(...discipline: string[]): Promise<string | null> {
  return noWire ?? reason(async () => (await Wire.lay(...discipline)).remove());
}
