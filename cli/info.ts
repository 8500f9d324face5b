// `sendoff info`: the capabilities of this process, and why native is off if it is.

import { readFileSync } from "node:fs";
import { release } from "node:os";
import { type Capabilities, capabilities } from "sendoff";
import { parse, UsageError } from "./arguments.js";
import { print } from "./print.js";
import { runtime } from "./runtime.js";

export const help = `sendoff info: what this machine can do

Usage:
  sendoff info [--json]

Prints the versions, how the C library is called, which calls the kernel has, and,
where native transfers are off, why, and the command that brings them.

Options:
      --json      as one JSON object: sendoff, runtime (node, deno or bun),
                  runtimeVersion, platform, arch, kernelRelease, and what
                  capabilities() returns
  -h, --help      this text

Environment:
  SENDOFF_MODE    auto (default), native or copy: what mode 'auto' means
  SENDOFF_FFI     how the C library is called: koffi, node or none; on Deno deno
                  or none, on Bun bun or none

Exit status:
  0  printed, also where native is off
  2  the arguments are wrong
`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv, { json: { type: "boolean" } });
  if (positionals.length > 0) throw new UsageError(`info takes no argument (got '${positionals[0]}')`);
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const { platform, arch } = process;
  const system: System = {
    sendoff: version,
    runtime: runtime.name,
    runtimeVersion: runtime.version,
    platform,
    arch,
    kernelRelease: kernel(),
  };
  const found = known();
  await print(values.json ? `${JSON.stringify({ ...system, ...found }, null, 2)}\n` : words(system, found));
  return 0;
}

/** capabilities(), with a bad SENDOFF_MODE reported as a wrong argument. */
export function known(): Capabilities {
  try {
    return capabilities();
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

interface System {
  sendoff: string;
  runtime: string;
  runtimeVersion: string;
  platform: string;
  arch: string;
  /** null if this process may not ask for it. */
  kernelRelease: string | null;
}

function words(system: System, { native, reason, binding, libc, mode, kernel, abi }: Capabilities): string {
  const has = (there: boolean, use: string, without: string) => {
    if (binding === null) return "not looked for: the C library can't be called";
    return there ? `yes: ${use}` : `no: ${without}`;
  };
  const cure = native ? null : remedy(reason ?? "");
  const rows = [
    ["sendoff", `${system.sendoff}, core ABI ${abi}`],
    [
      system.runtime,
      `${system.runtimeVersion} on ${system.platform} ${system.arch}, kernel ${system.kernelRelease ?? "unknown: not allowed to ask"}`,
    ],
    [
      "native",
      !native
        ? `off: ${why(reason ?? "")}`
        : reason === null
          ? "on: files go by the kernel's sendfile(2)"
          : `on demand: ${reason}`,
    ],
    ...(cure === null ? [] : [["remedy", cure]]),
    [
      "binding",
      binding === null ? "none: the C library can't be called" : `the C library, ${libc}, is called by ${binding}`,
    ],
    ["mode", `${mode}${process.env.SENDOFF_MODE ? " (SENDOFF_MODE)" : ""}`],
    ["sendfile", has(kernel.sendfile, "this process can call it", "this process can't call it")],
    [
      "nowait",
      has(
        kernel.nowait,
        "preadv2(RWF_NOWAIT) tells what is in the page cache, so a cold disk can't stop the event loop",
        "without preadv2(RWF_NOWAIT) a cold disk can stop the event loop",
      ),
    ],
    [
      "openat2",
      has(
        kernel.openat2,
        "openat2(RESOLVE_CACHED) can open a file that was sent before without the thread pool",
        "every file is opened by the thread pool",
      ),
    ],
  ];
  return rows.map(([name = "", text]) => `${name.padEnd(10)}${text}\n`).join("");
}

/** The reason in a sentence. */
function why(reason: string): string {
  const effect = "every byte is copied through the runtime's own streams";
  return /^SENDOFF_\w+=(copy|none)$/.test(reason) ? `${reason} is set, so ${effect}` : `${reason}; so ${effect}`;
}

/** What decides which command helps: the major version of Node, and whether it runs with --permission. */
interface Process {
  readonly major: number;
  readonly isLimited: boolean;
}

const own: Process = {
  major: Number(process.versions.node.split(".")[0]),
  isLimited: "permission" in process && process.permission !== undefined,
};

/** A sign of the reason, and what brings native transfers then. Where several stand in their way, the first. */
const REMEDIES: readonly (readonly [RegExp, (found: RegExpExecArray, process: Process) => string | null])[] = [
  [/^(SENDOFF_\w+)=/, ([, name]) => `unset ${name}`],
  [
    /loading addons is disabled/,
    (_, { isLimited }) => (isLimited ? "node --allow-addons …" : "node without --no-addons"),
  ],
  [/node:ffi: the permission model/, (_, { major }) => (major >= 26 ? "node --allow-ffi …" : null)],
  [/koffi: Cannot find/, () => "npm install koffi"],
  [/^node:ffi: this Node has no/, () => "unset SENDOFF_FFI"],
  [/no permission \(--allow-ffi\)/, () => "deno run --allow-ffi …"],
];

/** The command that brings native transfers; null if none does. @internal for tests */
export function remedy(reason: string, process = own): string | null {
  for (const [sign, command] of REMEDIES) {
    const found = sign.exec(reason);
    const said = found && command(found, process);
    if (said !== null) return said;
  }
  return null;
}

/** Deno may not be allowed to ask. */
function kernel(): string | null {
  try {
    return release();
  } catch {
    return null;
  }
}
