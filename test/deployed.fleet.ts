// npm run test:fleet: the other files of examples/fleet, by the tools that they are for, and beside the command that they call.

import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { help } from "../cli/serve.js";
import { COMMAND, until } from "./lib/command.js";
import { tempFolder } from "./lib/files.js";
import { freePorts, run, statusOf } from "./lib/fleet.js";
import { without } from "./lib/programs.js";
import { test } from "./lib/suite.js";

const FOLDER = fileURLToPath(new URL("../../examples/fleet/", import.meta.url));
const text = (name: string) => fs.readFileSync(join(FOLDER, name), "utf8");

async function accepted(command: string, ...args: string[]): Promise<void> {
  const { ended, err } = run(command, args);
  assert.is(await ended, 0, err());
  assert.not.match(err(), /sendoff\.(service|socket)/); // systemd-analyze only warns of what it does not know
}

test.unless(without("systemd-analyze"), "systemd takes the unit and the socket", async () => {
  await accepted("systemd-analyze", "verify", join(FOLDER, "sendoff.service"), join(FOLDER, "sendoff.socket"));
});

test.unless(without("kubectl"), "kubectl reads the manifest", async (t) => {
  const folder = tempFolder(t);
  fs.copyFileSync(join(FOLDER, "kubernetes.yaml"), join(folder, "kubernetes.yaml"));
  fs.writeFileSync(join(folder, "kustomization.yaml"), "resources: [kubernetes.yaml]\n");
  await accepted("kubectl", "kustomize", folder);
});

test("their options are the command's, and what ends it has the time that it takes", () => {
  for (const name of ["sendoff.service", "Containerfile", "kubernetes.yaml"]) {
    const line = text(name).replaceAll('"', " ").replaceAll(",", " ");
    for (const [option] of line.matchAll(
      /(?<=\s)--(?!omit|ignore-scripts|no-audit|no-fund|force|read-only)[a-z][a-z-]*/g,
    )) {
      assert.match(help, new RegExp(`^ +(-\\w, )?${option}\\b`, "m"), `${name}: ${option}`);
    }
  }
  const seconds = (name: string, pattern: RegExp) => Number(pattern.exec(text(name))?.[1] ?? Number.NaN);
  const timeout = seconds("sendoff.service", /--timeout (\d+)s/);
  assert.ok(seconds("sendoff.service", /^TimeoutStopSec=(\d+)$/m) > timeout);
  const [delay, left] = [/--drain-delay", "(\d+)s/, /--timeout", "(\d+)s/].map((one) => seconds("Containerfile", one));
  const grace = seconds("kubernetes.yaml", /terminationGracePeriodSeconds: (\d+)/);
  const pre = seconds("kubernetes.yaml", /sleep:\n +seconds: (\d+)/);
  assert.ok(grace > pre + (delay as number) + (left as number));
});

test.unless(without("systemd-socket-activate"), "a socket of systemd's is served, and logged as its own", async (t) => {
  const folder = tempFolder(t);
  fs.writeFileSync(join(folder, "a.txt"), "a text\n");
  const [port = 0] = await freePorts(1);
  const listen = ["--listen", `127.0.0.1:${port}`, "--fdname", "http"];
  const serve = [process.execPath, COMMAND, "serve", "--quiet", "--health", "/healthz", folder];
  const { child, ended, err } = run("systemd-socket-activate", [...listen, ...serve]);
  t.after(() => child.kill("SIGKILL"));
  await until("it listens", () => err().includes("Listening on"));
  for (const path of ["/a.txt", "/healthz"]) assert.is(await statusOf(port, path), 200, path);
  assert.is(await statusOf(port, "/none"), 404);
  child.kill("SIGTERM");
  assert.is(await ended, "SIGTERM", err());
});

test.run();
