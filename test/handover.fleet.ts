// One machine without a balancer: `sendoff serve` is started anew by SIGUSR2 on its socket, again and again, under load.

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { COMMAND, until } from "./lib/command.js";
import { tempFolder } from "./lib/files.js";
import { freePorts, LARGE, Load, ROUNDS, release, SMALL, statusOf } from "./lib/fleet.js";
import { test } from "./lib/suite.js";

/** The processes of a group that have not ended. */
function members(group: number): number[] {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = fs.readFileSync(join("/proc", pid, "stat"), "utf8");
        const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return Number(pgrp) === group && state !== "Z" ? [Number(pid)] : [];
      } catch {
        return []; // it has just ended
      }
    });
}

test.unless(
  process.platform === "linux" ? null : "needs /proc",
  `a socket that is handed over ${ROUNDS} times, under load: nothing fails`,
  async (t) => {
    const folder = tempFolder(t);
    release(folder);
    const [port = 0] = await freePorts(1);
    const args = [COMMAND, "serve", "--quiet", "--port", String(port), "--timeout", "30s", folder];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
    const group = child.pid as number;
    t.after(() => {
      try {
        process.kill(-group, "SIGKILL");
      } catch {} // all have ended
    });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (more: string) => {
      stderr += more;
    });
    const starts = () => stderr.match(/^engine: /gm)?.length ?? 0;
    await until("it serves", async () => (await statusOf(port, SMALL[0]?.path as string)) === 200);
    const load = new Load(port, SMALL, LARGE, { small: 64, large: 8 });
    t.after(() => load.stop());
    for (let round = 1; round <= ROUNDS; round++) {
      const { small } = load.tally;
      await until("the clients are served", () => load.tally.small > small + 64);
      const [before] = members(group);
      process.kill(-group, "SIGUSR2");
      await until(`process ${round + 1} is alone: ${stderr}`, () => {
        const [now, ...others] = members(group);
        return others.length === 0 && now !== before && starts() === round + 1;
      });
      assert.equal(load.tally.failed, [], `hand-over ${round}: ${stderr}`);
    }
    const { failed, small, large } = await load.stop();
    console.log(`${ROUNDS} hand-overs, ${small} small files, ${large} downloads, ${failed.length} failed`);
    assert.equal(failed, []);
    assert.ok(small >= 64 * ROUNDS && large >= 8);
  },
);

test.run();
