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
where native transfers are off, why.

Options:
      --json      as one JSON object: sendoff, runtime (node, deno or bun),
                  runtimeVersion, platform, arch, kernelRelease, and what
                  capabilities() returns
  -h, --help      this text

Environment:
  SENDOFF_MODE    auto (default), native or copy: what mode 'auto' means
  SENDOFF_FFI     koffi, node or none: how the C library is called

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
    kernelRelease: release(),
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
  kernelRelease: string;
}

function words(system: System, { native, reason, binding, libc, mode, kernel, abi }: Capabilities): string {
  const has = (there: boolean, use: string, without: string) => {
    if (binding === null) return "not looked for: the C library can't be called";
    return there ? `yes: ${use}` : `no: ${without}`;
  };
  const rows = [
    ["sendoff", `${system.sendoff}, core ABI ${abi}`],
    [system.runtime, `${system.runtimeVersion} on ${system.platform} ${system.arch}, kernel ${system.kernelRelease}`],
    [
      "native",
      !native
        ? `off: ${why(reason ?? "")}`
        : reason === null
          ? "on: files go by the kernel's sendfile(2)"
          : `on demand: ${reason}`,
    ],
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

/** The reason in a sentence, with a remedy if there is one. */
function why(reason: string): string {
  const effect = "every byte is copied through the runtime's own streams";
  if (/^SENDOFF_\w+=(copy|none)$/.test(reason)) return `${reason} is set, so ${effect}`;
  const advice = /koffi: Cannot find/.test(reason) ? " (npm install koffi would change that)" : "";
  return `${reason}; so ${effect}${advice}`;
}
