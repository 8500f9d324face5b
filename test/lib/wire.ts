// Two network namespaces and a veth pair between them, and what tc can do to it. Needs root, iproute2, and a
// kernel that allows it.

import { execFileSync } from "node:child_process";

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
}

function reason(attempt: () => void): string | null {
  try {
    attempt();
    return null;
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
    return code === "ENOENT"
      ? `${message.split(" ")[1]} is not installed`
      : (stderr || message).trim().split("\n").join("; ");
  }
}

let count = 0;
/** Those that are there: a process that ends leaves none behind. */
const wires = new Set<Wire>();
process.on("exit", () => {
  for (const wire of wires) wire.remove();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** One of them for each test. */
export class Wire {
  /** The namespaces: who sends is in the first. */
  readonly near: string;
  readonly far: string;
  /** The address of who sends. */
  readonly host = "10.213.7.1";

  constructor() {
    const name = `sendoff-${process.pid}-${count++}`;
    this.near = `${name}-near`;
    this.far = `${name}-far`;
    wires.add(this);
    try {
      for (const space of [this.near, this.far]) {
        run("ip", "netns", "add", space);
        run("ip", "-n", space, "link", "set", "lo", "up");
      }
      run("ip", "link", "add", "wire", "netns", this.near, "type", "veth", "peer", "name", "wire", "netns", this.far);
      for (const [space, address] of [
        [this.near, this.host],
        [this.far, "10.213.7.2"],
      ] as const) {
        run("ip", "-n", space, "address", "add", `${address}/24`, "dev", "wire");
        run("ip", "-n", space, "link", "set", "wire", "up");
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** What the sender's side does with its packets: `netem delay 20ms`, `tbf rate 1mbit …`. */
  shape(...discipline: string[]): void {
    run("tc", "-n", this.near, "qdisc", "replace", "dev", "wire", "root", ...discipline);
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
    for (const space of [this.near, this.far]) reason(() => run("ip", "netns", "delete", space));
  }
}

/** Why there can be no wire here; null where there can. */
export const noWire = reason(() => new Wire().remove());

/** Why a queueing discipline can't be had; null where it can. */
export function lacks(...discipline: string[]): string | null {
  if (noWire !== null) return noWire;
  const wire = new Wire();
  try {
    return reason(() => wire.shape(...discipline));
  } finally {
    wire.remove();
  }
}
