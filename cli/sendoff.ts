#!/usr/bin/env node
// The `sendoff` command: runs the sub-command, and turns its errors into messages and a status.

import "./engine.js";

import { readFileSync, statSync } from "node:fs";
import { say } from "../host/say.js";
import { UsageError } from "./arguments.js";
import { explain } from "./explain.js";
import { print } from "./print.js";

/** The exports of a sub-command's module: its help, and the command, which resolves with the exit status. */
export interface Command {
  readonly help: string;
  run(argv: string[]): Promise<number>;
}

/** Loaded on demand, so that `sendoff info` is not slowed down by a progress bar. */
const COMMANDS: { readonly [name: string]: { summary: string; load(): Promise<Command> } } = {
  send: { summary: "send a file over TCP or a Unix socket, and measure it", load: () => import("./send.js") },
  serve: { summary: "serve a folder over HTTP", load: () => import("./serve.js") },
  info: { summary: "say what this machine can do, and why native is off", load: () => import("./info.js") },
};

const HELP = `sendoff: files over sockets at kernel speed

Usage:
  sendoff COMMAND [ARGUMENT]...

Commands:
${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join("\n")}
  help [COMMAND]  this text, or a command's

Options:
  -h, --help      the same, also after a command
  -v, --version   the version, also after a command

Environment:
  SENDOFF_MODE    auto (default), native or copy: what --mode auto means
  SENDOFF_FFI     koffi, node or none: how the C library is called
                  (default: koffi where it is installed, else node:ffi, else not at all)

Exit status:
  0  done
  1  it failed: the reason is on stderr
  2  the arguments are wrong: stderr names the one
`;

async function main([name, ...rest]: string[]): Promise<number> {
  switch (name) {
    case undefined:
    case "-h":
    case "--help":
      await print(HELP);
      return 0;
    case "help":
      await print(rest[0] === undefined ? HELP : (await command(rest[0])).help);
      return 0;
  }
  if (VERSION.includes(name)) return printVersion();
  const { help, run } = await command(name);
  const end = rest.indexOf("--");
  const options = end < 0 ? rest : rest.slice(0, end);
  if (options.includes("--help") || options.includes("-h")) {
    await print(help);
    return 0;
  }
  return options.some((option) => VERSION.includes(option)) ? printVersion() : run(rest);
}

const VERSION: readonly string[] = ["-v", "-V", "--version"];

async function printVersion(): Promise<number> {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  await print(`${version}\n`);
  return 0;
}

async function command(name: string): Promise<Command> {
  const found = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (found !== undefined) return found.load();
  if (name.startsWith("-")) throw new UsageError(`unknown option ${name}`);
  const near = Object.keys(COMMANDS).find((known) => known.startsWith(name) || name.startsWith(known));
  const meant = near ?? (isFolder(name) ? `serve ${name}` : null);
  throw new UsageError(`no command ${name}${meant === null ? "" : `: did you mean sendoff ${meant}?`}`);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

const argv = process.argv.slice(2);
try {
  // Not process.exit(): output to a pipe has to be flushed first.
  process.exitCode = await main(argv);
} catch (error) {
  const usage = error instanceof UsageError;
  const hint = usage
    ? ` (see sendoff ${argv[0] !== undefined && Object.hasOwn(COMMANDS, argv[0]) ? `${argv[0]} ` : ""}--help)`
    : "";
  say(`sendoff: ${explain(error)}${hint}`);
  process.exitCode = usage ? 2 : 1;
}
