// The address of a client that was accepted, as text.

import type { Core } from "../core.js";

const AF_INET = 2;
const AF_INET6 = 10;
/** Bytes of a struct sockaddr_in6. */
const SIZE = 28;

export class Peer {
  readonly #core: Core;
  /** Of a struct sockaddr in the core's memory, and of its length. */
  readonly address: number;
  readonly length: number;

  constructor(core: Core) {
    this.#core = core;
    this.address = core.scratch();
    this.length = this.address + 32;
  }

  /** Before accept4(2), which writes there. */
  reset(): this {
    const view = this.#view();
    view.setUint16(0, 0, true);
    view.setInt32(32, SIZE, true);
    return this;
  }

  /** As `socket.remoteAddress` has it, without `%zone`; "-" of a Unix socket; an IPv4 address stands without `::ffff:`. */
  text(): string {
    const view = this.#view();
    const family = view.getUint16(0, true);
    if (family === AF_INET) return four(view, 4);
    return family === AF_INET6 ? six(view) : "-";
  }

  #view(): DataView {
    return new DataView(this.#core.memory.buffer, this.address, 36);
  }
}

const four = (view: DataView, at: number) =>
  `${view.getUint8(at)}.${view.getUint8(at + 1)}.${view.getUint8(at + 2)}.${view.getUint8(at + 3)}`;

/** RFC 5952: the longest run of zeros, of two or more, is left out. */
function six(view: DataView): string {
  const words = Array.from({ length: 8 }, (_, i) => view.getUint16(8 + 2 * i).toString(16));
  if (words.slice(0, 6).join(" ") === "0 0 0 0 0 ffff") return four(view, 20);
  const all = words.join(":");
  const [longest = ""] = all.match(/\b0(?::0)+\b/g)?.sort((a, b) => b.length - a.length) ?? [];
  if (longest === "") return all;
  const at = all.search(new RegExp(`\\b${longest}\\b`));
  return `${all.slice(0, at).replace(/:$/, "")}::${all.slice(at + longest.length).replace(/^:/, "")}`;
}
