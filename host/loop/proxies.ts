// The address of a client behind proxies, as a log has it: X-Forwarded-For, as far as those who have written it are trusted.

import { BlockList, isIP } from "node:net";
import { argumentError } from "../errors.js";
import { describe } from "../validate.js";

/**
 * Whose word is taken: everybody's; that of so many hops, from the nearest one on; or of those addresses and ranges
 * (`10.0.0.0/8`). As Express's `trust proxy`.
 */
export type Trust = true | number | readonly string[];

/** Names that Express has for ranges. */
const RANGES: { readonly [name: string]: readonly string[] } = {
  loopback: ["127.0.0.0/8", "::1"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/** Addresses of one request that are looked at. */
const MOST = 100;

export class Proxies {
  readonly #trusts: (address: string, hop: number) => boolean;

  /** @throws TypeError for what is no address or range. */
  constructor(trust: Trust) {
    const ranges = typeof trust === "object" ? listOf(trust) : null;
    if (ranges !== null) this.#trusts = (address) => isIP(address) > 0 && ranges.check(address, familyOf(address));
    else if (typeof trust === "number") this.#trusts = (_, hop) => hop < trust;
    else this.#trusts = () => true;
  }

  /** The first address that is not trusted, from `peer` on; the last one there is if all are, or if no address follows. */
  clientOf(peer: string, forwarded: string): string {
    let client = peer;
    if (forwarded === "" || !this.#trusts(peer, 0)) return client;
    const told = forwarded.split(",").filter((text) => text.trim() !== "");
    for (let hop = 0; hop < MOST && this.#trusts(client, hop); hop++) {
      const address = addressOf(told.pop()?.trim() ?? "");
      if (address === null) break;
      client = address;
    }
    return client;
  }
}

const familyOf = (address: string) => (isIP(address) === 4 ? "ipv4" : "ipv6");

function listOf(trust: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of trust.flatMap((name) => (Object.hasOwn(RANGES, name) ? (RANGES[name] ?? []) : name))) {
    const [address = "", length, more] = text.split("/");
    const family = familyOf(address);
    const most = family === "ipv4" ? 32 : 128;
    const prefix = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
    if (isIP(address) === 0 || address.includes("%") || more !== undefined || !(prefix <= most)) {
      throw argumentError(TypeError, `no address or range: ${describe(text)}`);
    }
    list.addSubnet(address, prefix, family);
  }
  return list;
}

/** As a line has it, of `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`; null if it is none. */
function addressOf(text: string): string | null {
  const [, six, four] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  const address = six ?? four ?? text;
  const family = isIP(address);
  if (family === 4) return address;
  return family === 6 && !address.includes("%") ? shortened(address) : null;
}

/** RFC 5952, and an IPv4 address without `::ffff:`. */
function shortened(six: string): string {
  const short = new URL(`http://[${six}]`).hostname.slice(1, -1);
  const words = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(short)?.slice(1) ?? [];
  if (words.length === 0) return short;
  return words.flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 255]).join(".");
}
