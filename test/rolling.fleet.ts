// npm run test:fleet: three servers behind HAProxy, restarted in turn under load, without one failed request.
//
//   SENDOFF_FLEET_ROUNDS=50 npm run test:fleet    as often each is restarted; else twice

import * as http from "node:http";
import * as assert from "uvu/assert";
import { until } from "./lib/command.js";
import { tempFolder } from "./lib/files.js";
import {
  Balancer,
  freePorts,
  LARGE,
  Load,
  NAMES,
  type Process,
  RELEASED,
  ROUNDS,
  release,
  SMALL,
  serve,
} from "./lib/fleet.js";
import { without } from "./lib/programs.js";
import { Cleanup, test } from "./lib/suite.js";

const noBalancer = without("haproxy");

const cleanup = new Cleanup();
const servers: Process[] = [];
const folders: string[] = [];
let port = 0;
let ports: number[] = [];
let balancer: Balancer;
let load: Load;

if (noBalancer === null) {
  test.before(async () => {
    [port = 0, ...ports] = await freePorts(1 + NAMES.length);
    folders.push(...NAMES.map(() => tempFolder(cleanup)));
    for (const folder of folders) release(folder);
    cleanup.after(() => {
      for (const { child } of servers) child.kill("SIGKILL");
    });
    servers.push(...(await Promise.all(folders.map((folder, i) => serve(folder, ports[i] as number)))));
    balancer = new Balancer(tempFolder(cleanup), port, ports);
    cleanup.after(async () => {
      balancer.process.child.kill("SIGTERM");
      await balancer.process.ended;
    });
    for (const name of NAMES) await until(`${name} is up`, () => balancer.isUp(name));
    load = new Load(port, SMALL, LARGE, { small: 64, large: 8 });
    cleanup.after(() => load.stop());
  });
  test.after(() => cleanup.end());
}

const validators = (port: number, path: string) =>
  new Promise<(string | undefined)[]>((resolve, reject) => {
    const options = { method: "HEAD", port, host: "127.0.0.1", path, agent: false };
    const req = http.request(options, ({ headers }) => resolve([headers.etag, headers["last-modified"]]));
    req.on("error", reject).end();
  });

test.unless(noBalancer, "each server, and the balancer, tells the same ETag and Last-Modified of a file", async () => {
  for (const { path } of [...SMALL, LARGE]) {
    const all = await Promise.all([port, ...ports].map((one) => validators(one, path)));
    assert.is(all[0]?.[1], RELEASED.toUTCString());
    assert.match(String(all[0]?.[0]), /^W\/"/);
    for (const one of all) assert.equal(one, all[0]);
  }
});

for (let round = 1; round <= ROUNDS; round++) {
  test.unless(noBalancer, `rolling restart ${round} of ${ROUNDS}, under load: nothing fails`, async () => {
    for (const [i, name] of NAMES.entries()) {
      const { small, failed } = load.tally;
      assert.equal(failed, [], "nothing has failed so far");
      await until("the clients are served", () => load.tally.small > small + 64);
      const server = servers[i] as Process;
      const at = new Date().toISOString();
      server.child.kill("SIGTERM");
      assert.is(await server.ended, "SIGTERM", server.err());
      assert.not(await balancer.isUp(name));
      servers[i] = await serve(folders[i] as string, ports[i] as number);
      await until(`${name} is up again`, () => balancer.isUp(name));
      assert.equal(failed, [], `while ${name} was restarted, at ${at}`);
    }
  });
}

test.unless(noBalancer, "no request of the whole time has failed, and no body was short or wrong", async () => {
  const { failed, small, large } = await load.stop();
  console.log(`${ROUNDS * NAMES.length} restarts, ${small} small files, ${large} downloads, ${failed.length} failed`);
  assert.equal(failed, []);
  assert.ok(small >= 64 * NAMES.length * ROUNDS && large >= 8);
});

test.run();
