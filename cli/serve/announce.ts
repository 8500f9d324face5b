// What the server says at its start: where it can be reached, for people, programs and telephones.

import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { onExit } from "sendoff";
import { say } from "../../host/say.js";
import { isLoopback } from "./auth.js";
import { openBrowser } from "./browser.js";
import type { Address, Settings } from "./server.js";

/** A quiet zone, in modules: 4 are the rule (ISO/IEC 18004), and telephones read 2. */
const BORDER = 2;
/** Columns of a terminal that does not tell. */
const COLUMNS = 80;
/** White on black, whatever the terminal's colours are. */
const WHITE_ON_BLACK = "\x1b[97;40m";

export interface Words {
  /** Lines below the addresses. */
  readonly lines: readonly string[];
  /** --open. */
  readonly opens: boolean;
}

export async function announce(settings: Settings, at: Address, { lines, opens }: Words): Promise<void> {
  const { root, tls, timeout, log } = settings;
  const hosts = typeof at === "string" || at === null ? [] : hostsOf(at.host);
  const url = (host: string) =>
    `${tls === null ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${(at as { port: number }).port}/`;
  const urls = hosts.length === 0 ? [`${at ?? "an inherited socket"}`] : hosts.map(url);
  say([`Serving ${root}`, ...urls.map((text) => `  ${text}`), ...lines].join("\n"));
  onExit(({ signal }) => {
    if (signal !== undefined)
      say(`stopping: running downloads get ${timeout / 1000} s; a second Ctrl-C ends them at once`);
  });
  const [reachable] = hosts.filter((host) => !isLoopback(host));
  if (reachable !== undefined && log !== null) await sayCode(url(reachable));
  // A new process in place of another one, or one of systemd's, has nobody who waits for a page.
  if (opens && hosts.length > 0 && settings.inherited === null)
    openBrowser(url(hosts.find(isLoopback) ?? (hosts[0] as string)));
}

/** All addresses of a machine, for one that means all of them. */
function hostsOf(host: string): string[] {
  if (host !== "0.0.0.0" && host !== "::") return [host];
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return addressesOf(all, host === "::");
}

type Interface = Pick<NetworkInterfaceInfo, "address" | "family">;

/** IPv4 first. Those of a link alone say nothing to other machines. */
export function addressesOf(all: readonly Interface[], six: boolean): string[] {
  const isLinkLocal = ({ address }: Interface) => /^169\.254\.|^fe[89ab]/i.test(address);
  const some = all.filter((one) => (six || one.family === "IPv4") && !isLinkLocal(one));
  some.sort((a, b) => Number(b.family === "IPv4") - Number(a.family === "IPv4"));
  return some.map(({ address }) => address);
}

/** A QR code, if stderr is a terminal that is wide enough. */
async function sayCode(url: string): Promise<void> {
  const { isTTY, columns } = process.stderr;
  if (!isTTY) return;
  const uqr = await import("uqr").catch(() => null); // hardly ever needed
  if (uqr === null) return; // somebody has installed us without it
  const code = codeOf(uqr.renderUnicodeCompact(url, { border: BORDER }), columns || COLUMNS, process.env);
  if (code !== null) say(code);
}

/** The code as it is drawn; null if the terminal is too narrow. */
export function codeOf(drawn: string, columns: number, { NO_COLOR = "", TERM }: NodeJS.ProcessEnv): string | null {
  const lines = drawn.split("\n");
  if (lines.some(({ length }) => length > columns)) return null;
  if (NO_COLOR !== "" || TERM === "dumb") return drawn;
  return lines.map((line) => `${WHITE_ON_BLACK}${line}\x1b[0m`).join("\n");
}
