// Runs the compiled suite on each runtime that package.json here installs, one after the other.
// Arguments choose among them: `node test/runtimes/run.js node26`.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));
const { dependencies } = JSON.parse(readFileSync(`${here}package.json`, "utf8"));
const chosen = process.argv.slice(2);
let failed = 0;

for (const name of Object.keys(dependencies)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const binary = `${here}node_modules/${name}/bin/node`;
  if (!existsSync(binary)) {
    console.error(`${name}: not installed`);
    failed++;
    continue;
  }
  const { stdout } = spawnSync(binary, ["--version"], { encoding: "utf8" });
  console.log(`\n${name} ${stdout.trim()}`);
  const { status, signal } = spawnSync(binary, ["node_modules/uvu/bin.js", "build/test", "\\.test\\.js$"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) {
    console.error(`${name}: failed (${signal ?? status})`);
    failed++;
  }
}
process.exitCode = failed === 0 ? 0 : 1;
