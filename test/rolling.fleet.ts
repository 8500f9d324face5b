// npm run test:fleet: three servers behind HAProxy, restarted in turn under load, without one failed request.
//
//   SENDOFF_FLEET_ROUNDS=50 npm run test:fleet    as often each is restarted; 3 times else

import * as fs from "node:fs";
import * as http from "node:http";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { pattern } from "./lib/bytes.js";
import { until } from "./lib/command.js";
import { tempFolder } from "./lib/files.js";
import { Balancer, freePorts, Load, NAMES, type Process, serve } from "./lib/fleet.js";
import { without } from "./lib/programs.js";
import { type Cleanup, test } from "./lib/suite.js";

const { SENDOFF_FLEET_ROUNDS = "3" } = process.env;
const ROUNDS = Number(SENDOFF_FLEET_ROUNDS);
if (!Number.isSafeInteger(ROUNDS) || ROUNDS < 1) throw new Error("SENDOFF_FLEET_ROUNDS must be a whole number");

const noBalancer = without("haproxy");

const SMALL = Array.from({ length: 16 }, (_, i) => ({ path: `/small-${i}.bin`, bytes: pattern(256 << (i % 8)) }));
const LARGE = { path: "/large.bin", bytes: pattern(16 << 20) };
const RELEASED = new Date("2026-01-02T03:04:05Z");

/** The files of a release, as each machine has a copy of its own. */
function release(t: Cleanup): string {
  const folder = tempFolder(t);
  for (const { path, bytes } of [...SMALL, LARGE]) {
    const file = join(folder, path);
    fs.writeFileSync(file, bytes);
    fs.utimesSync(file, RELEASED, RELEASED);
  }
  return folder;
}

interface Fleet {
  readonly balancer: Balancer;
  readonly port: number;
  readonly ports: number[];
  readonly servers: Process[];
  readonly folders: string[];
}

async function fleet(t: Cleanup): Promise<Fleet> {
  const folders = NAMES.map(() => release(t));
  const [port, ...ports] = (await freePorts(4)) as [number, number, number, number];
  const servers = await Promise.all(folders.map((folder, i) => serve(folder, ports[i] as number)));
  t.after(() => {
    for (const { child } of servers) child.kill("SIGKILL");
  });
  const balancer = new Balancer(tempFolder(t), port, ports);
  t.after(async () => {
    balancer.process.child.kill("SIGTERM");
    await balancer.process.ended;
  });
  for (const name of NAMES) await until(`${name} is up: ${balancer.process.err()}`, () => balancer.isUp(name));
  return { balancer, port, ports, servers, folders };
}

const validators = (port: number, path: string) =>
  new Promise<(string | undefined)[]>((resolve, reject) => {
    const options = { method: "HEAD", port, host: "127.0.0.1", path, agent: false };
    const req = http.request(options, ({ headers }) => resolve([headers.etag, headers["last-modified"]]));
    req.on("error", reject).end();
  });

test.unless(noBalancer, "each server, and the balancer, tells the same ETag and Last-Modified of a file", async (t) => {
  const { port, ports } = await fleet(t);
  for (const { path } of [...SMALL, LARGE]) {
    const all = await Promise.all([port, ...ports].map((one) => validators(one, path)));
    assert.is(all[0]?.[1], RELEASED.toUTCString());
    assert.match(String(all[0]?.[0]), /^W\/"/);
    for (const one of all) assert.equal(one, all[0]);
  }
});

test.unless(noBalancer, `${ROUNDS} rolling restarts under load: nothing fails, nothing is short`, async (t) => {
  const { balancer, port, ports, servers, folders } = await fleet(t);
  const load = new Load(port, SMALL, LARGE, { small: 64, large: 8 });
  t.after(() => load.stop());
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, name] of NAMES.entries()) {
      const before = { ...load.tally };
      await until("the clients are served", () => load.tally.small > before.small + 64);
      const server = servers[i] as Process;
      server.child.kill("SIGTERM");
      assert.is(await server.ended, "SIGTERM", server.err());
      assert.not(await balancer.isUp(name));
      servers[i] = await serve(folders[i] as string, ports[i] as number);
      await until(`${name} is up again`, () => balancer.isUp(name));
      if (load.tally.failed.length > 0) break;
    }
  }
  const { failed, small, large } = await load.stop();
  console.log(
    `${ROUNDS * NAMES.length} restarts, ${small} small files, ${large} downloads of 16 MiB, ${failed.length} failed`,
  );
  assert.equal(failed, []);
  assert.ok(large >= 8);
});

test.run();
