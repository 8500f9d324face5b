// Whether the commands of a page are there: scripts, files and options by their names. Nothing is run but --help.

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { COMMAND } from "./command.js";
import { ROOT } from "./pages.js";

interface Package {
  scripts: Record<string, string>;
  exports: Record<string, unknown>;
}
const { scripts, exports }: Package = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));

const exists = (file: string) => fs.existsSync(path.join(ROOT, file));

/** test/run.js's suites, imported by a name that tsc does not follow. */
const TABLE: string = new URL("../../../test/suites.js", import.meta.url).href;
const { SUITES: own, GROUPS: groups } = await import(TABLE);
const SUITES = new Set([...Object.keys(own), ...Object.keys(groups)]);

/** Programs that are none of ours. */
const FOREIGN = new Set([
  ...[
    "apt-get",
    "cd",
    "cp",
    "curl",
    "git",
    "haproxy",
    "openssl",
    "sha256sum",
    "sysctl",
    "systemctl",
    "wc",
    "wizer",
    "ulimit",
  ],
]);

/** A reader's own file. */
const YOURS = new Set(["server.js", "app.js"]);

/** The errors in the lines of a shell block. */
export function complaints(code: string): string[] {
  const lines = code.replace(/\\\n/g, " ").split("\n");
  return lines.flatMap((line) =>
    line
      .replace(/(^|\s)#.*$/, "")
      .split(/&&|\|\|?|;|>\s*\S+/)
      .flatMap((command) => complaint(command.trim().split(/\s+/).filter(Boolean)) ?? [])
      .map((words) => `${words}, in: ${line.trim()}`),
  );
}

function complaint(words: string[]): string | null {
  const at = words.findIndex((word) => !/^[A-Z_][A-Z0-9_]*=/.test(word));
  if (at < 0) return null;
  const [program = "", ...rest] = words.slice(at);
  switch (program) {
    case "npm":
      return npm(rest);
    case "npx":
      return rest[0] === "sendoff" ? sendoff(rest.slice(1)) : `nobody knows npx ${rest[0]}`;
    case "node":
    case "bun":
      return script(rest);
    case "deno":
      return rest[0] === "run" ? script(rest.slice(1)) : `deno ${rest[0]}`;
    default:
      return known(FOREIGN.has(program), program);
  }
}

function known(is: boolean, what: string): string | null {
  return is ? null : `nobody knows ${what}`;
}

function npm([command = "", ...rest]: string[]): string | null {
  if (command === "ci" || command === "install") {
    const folder = rest[0] === "--prefix" ? (rest[1] as string) : ".";
    if (command === "install" && rest[0] === "sendoff") return null;
    return known(fs.existsSync(path.join(ROOT, folder, "package-lock.json")), `a package in ${folder}`);
  }
  if (command === "pack") return null; // npm's own
  const [name = "", ...more] = command === "run" ? rest : [command, ...rest];
  if (name === "") return null; // `npm run` itself
  const line = scripts[name];
  if (line === undefined) return `there is no script ${name}`;
  if (more.length === 0) return null;
  if (more[0] !== "--") return `what is for ${name} stands behind --`;
  if (name === "start") return sendoff(["send", ...more.slice(1)]);
  if (name === "bench" && !more[1]?.startsWith("-")) return bench(more.slice(1));
  const file = line.match(/.*node (\S+\.js)/)?.[1] as string;
  return (name === "test" ? suites(more.slice(1)) : null) ?? options(file, more.slice(1));
}

/** One benchmark, with its own options. */
function bench([name = "", ...words]: string[]): string | null {
  const file = [`bench/${name}/run.js`, `bench/${name}-compare/run.js`, `bench/${name}.js`].find((path) =>
    exists(path),
  );
  return file === undefined ? `there is no benchmark ${name}` : options(file, words);
}

/** The arguments of test/run.js: suites, parts of file names, options. */
function suites(words: string[]): string | null {
  const files = fs.readdirSync(path.join(ROOT, "test"));
  const stranger = words.find(
    (word) => !word.startsWith("--") && !SUITES.has(word) && !files.some((file) => file.includes(word)),
  );
  return stranger === undefined ? null : `there is no suite or test file ${stranger}`;
}

/** Options of a script have to be named in it. */
function options(file: string, words: string[]): string | null {
  const source = fs.readFileSync(path.join(ROOT, file.replace(/^build\/(.*)\.js$/, "$1.ts")), "utf8");
  const names = words.flatMap((word) => word.match(/^--([a-z-]+)/)?.[1] ?? []);
  const strange = names.find((name) => !new RegExp(`["'\`-]${name}\\b|\\b${name}:`).test(source));
  return strange === undefined ? null : `${file} has no --${strange}`;
}

/** Options of Node itself, then a file. */
function script(words: string[]): string | null {
  const { length } = words;
  let i = 0;
  for (; i < length && words[i]?.startsWith("-"); i++) {
    if (words[i] !== "--import" && words[i] !== "--preload") continue;
    const name = words[++i]?.replace(/^sendoff/, ".") as string;
    if (exports[name] === undefined) return `the package exports no ${name}`;
  }
  const file = words[i] as string;
  if (file === undefined || YOURS.has(file)) return null;
  if (!exists(file)) return `there is no ${file}`;
  return /^(bench|build\/test)\//.test(file) ? options(file, words.slice(i + 1)) : null;
}

const helps = new Map<string, string>();

function sendoff(words: string[]): string | null {
  const command = words[0]?.startsWith("-") ? "" : (words[0] ?? "");
  let help = helps.get(command);
  if (help === undefined) {
    const args = command === "" ? ["--help"] : [command, "--help"];
    help = execFileSync(process.execPath, ["--no-warnings", COMMAND, ...args], { encoding: "utf8" });
    helps.set(command, help);
  }
  const strange = words.find((word) => /^--?[a-z]/.test(word) && !new RegExp(`(^|\\s)${word}\\b`).test(help));
  return strange === undefined ? null : `sendoff ${command} has no ${strange}`;
}
