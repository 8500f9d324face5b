// server.metrics(): text that a strict reader of OpenMetrics 1.0 takes, with the counts of what was asked; and its port.

import { once } from "node:events";
import * as net from "node:net";
import { createFileServer } from "sendoff/server";
import * as assert from "uvu/assert";
import { COUNTS, Count } from "../host/loop/messages.js";
import { expose } from "../host/server/exposition.js";
import { metricsOf } from "../host/server/metrics.js";
import { statsOf } from "../host/server/stats.js";
import { until } from "./lib/connection.js";
import {
  answersOf,
  ENGINES,
  first,
  folder,
  get,
  head,
  LAST_MODIFIED,
  onDeno,
  SMALL,
  serve,
  talk,
} from "./lib/file-server.js";
import { test } from "./lib/suite.js";

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const SAMPLE = new RegExp(`^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? (\\d+(?:\\.\\d+)?)$`);
const ENDS: { readonly [type: string]: string } = { counter: "_total", gauge: "", info: "_info" };

/** Samples by name and labels. @throws if the text is not well-formed. */
function parse(text: string): Map<string, number> {
  assert.ok(text.endsWith("\n# EOF\n"), "the last line");
  const samples = new Map<string, number>();
  const families = new Set<string>();
  let family = "";
  let type = "";
  let told: string[] = [];
  for (const line of text.slice(0, -"# EOF\n".length).split("\n").slice(0, -1)) {
    const [, kind, name = "", value = ""] = /^# (TYPE|UNIT|HELP) (\S+) (.*)$/.exec(line) ?? [];
    if (kind !== undefined) {
      if (name !== family) {
        assert.not(families.has(name), `${name} stands in one place`);
        assert.match(name, new RegExp(`^${NAME}$`));
        assert.not.match(name, /_total$|_info$/);
        families.add(name);
        family = name;
        told = [];
      }
      assert.not(told.includes(kind), `one ${kind} of ${name}`);
      told.push(kind);
      if (kind === "TYPE") type = value;
      if (kind === "UNIT") assert.ok(name.endsWith(`_${value}`), `${name} ends in its unit`);
      if (kind === "HELP") assert.not.match(value, /"/);
      continue;
    }
    const [, sample, labels = "", number] = SAMPLE.exec(line) ?? [];
    assert.ok(sample !== undefined, `no sample: ${line}`);
    assert.is(sample, `${family}${ENDS[type]}`);
    assert.ok(told.includes("TYPE") && told.includes("HELP"), `${family} is told of`);
    assert.not(samples.has(`${sample}${labels}`), `${sample}${labels} once`);
    samples.set(`${sample}${labels}`, Number(number));
  }
  return samples;
}

const denoIsMute = onDeno ? "Deno's http.Server tells of no connection that it refuses" : null;

for (const engine of ENGINES) {
  test(`${engine}: metrics count what was asked, by who answered and the class of the status`, async (t) => {
    const { server, port } = await serve(t, folder(t), { engine });
    const same = get("/small.bin", `If-Modified-Since: ${LAST_MODIFIED}`);
    for (const request of [get("/small.bin"), head("/small.bin"), same, get("/small.bin", "Range: bytes=0-9")]) {
      await talk(port, [request]);
    }
    for (const request of [get("/none"), get("/sub")]) await talk(port, [request]);
    await until(() => server.stats().connections === 0);
    const samples = parse(server.metrics());
    const of = (code: string, by: string) => samples.get(`sendoff_requests_total{engine="${by}",code="${code}"}`);
    assert.is(samples.get(`sendoff_server_info{engine="${engine}"}`), 1);
    const [files, same304] = engine === "loop" ? ["loop", "loop"] : ["node", "node"];
    assert.is(of("2xx", files as string), 3);
    // The redirect of a folder to its slash is of the server behind.
    assert.is((of("3xx", "loop") ?? 0) + (of("3xx", "node") ?? 0), 2);
    assert.is(of("3xx", same304 as string), engine === "loop" ? 1 : 2);
    assert.is(of("4xx", "node"), 1);
    assert.is(of("5xx", "node"), 0);
    assert.is(samples.get("sendoff_connections_accepted_total"), 6);
    assert.is(samples.get("sendoff_connections"), 0);
    assert.is(samples.get("sendoff_threads"), engine === "loop" ? 1 : 0);
    assert.is(samples.get("sendoff_draining"), 0);
    assert.is(samples.get('sendoff_connections_handed_over_total{reason="missing"}'), engine === "loop" ? 2 : 0);
    assert.not(samples.has("sendoff_log_lines_lost_total"), "it has no log");
    if (engine === "loop") {
      const sum = ["native", "copied"].map((way) => samples.get(`sendoff_sent_bytes_total{way="${way}"}`) as number);
      assert.ok((sum[0] as number) + (sum[1] as number) > SMALL.length);
    }
  });

  test.unless(
    engine === "node" ? denoIsMute : null,
    `${engine}: connections that are refused, and open, are counted`,
    async (t) => {
      const { server, port } = await serve(t, folder(t), { engine, maxConnections: 1 });
      const one = net.connect(port, "127.0.0.1");
      t.after(() => one.destroy());
      one.write(first("/small.bin"));
      await once(one, "readable");
      const other = net.connect(port, "127.0.0.1").on("error", () => {});
      t.after(() => other.destroy());
      const dropped = () => parse(server.metrics()).get("sendoff_connections_dropped_total");
      await until(() => dropped() === 1);
      assert.is(parse(server.metrics()).get("sendoff_connections"), 1);
    },
  );

  test(`${engine}: a port of its own tells metrics until the end, on loopback, and nothing else`, async (t) => {
    const { server, port } = await serve(t, folder(t), { engine, metrics: { port: 0 } });
    const { address, port: own = 0 } = server.metricsAddress() ?? {};
    assert.is(address, "127.0.0.1");
    assert.is.not(own, port);
    const ask = async (request: string, heads: number[] = []) =>
      answersOf((await talk(own, [request])).toString("latin1"), heads)[0];
    const answer = await ask(get("/metrics?x"));
    assert.is(answer?.status, 200);
    assert.match(
      answer?.fields["content-type"] as string,
      /^application\/openmetrics-text; version=1\.0\.0; charset=utf-8$/,
    );
    assert.is(answer?.fields["cache-control"], "no-store");
    assert.is((await ask(head("/metrics"), [0]))?.status, 200);
    assert.is((await ask(get("/metrics").replace("GET", "DELETE")))?.status, 405);
    assert.is((await ask(get("/small.bin")))?.status, 404);
    assert.is((await ask(get("/")))?.status, 404);
    const closed = server.close({ delay: 60_000 });
    const text = await (await fetch(`http://127.0.0.1:${own}/metrics`)).text();
    assert.is(parse(text).get("sendoff_draining"), 1);
    void server.close();
    await closed;
    assert.is(server.metricsAddress(), null);
    assert.is(
      await fetch(`http://127.0.0.1:${own}/metrics`).then(
        () => "answered",
        () => "refused",
      ),
      "refused",
    );
  });

  test(`${engine}: with a port of metrics that is taken it does not listen, and can later`, async (t) => {
    const taken = net.createServer().listen(0, "127.0.0.1");
    t.after(() => taken.close());
    await once(taken, "listening");
    const { port } = taken.address() as net.AddressInfo;
    const server = createFileServer(folder(t), { engine, metrics: { port } });
    t.after(() => server.close({ timeout: 0 }));
    const listens = () => server.listen({ port: 0, host: "127.0.0.1" }).catch(({ code }) => code);
    assert.is(await listens(), "EADDRINUSE");
    await new Promise((done) => taken.close(done));
    assert.is(typeof (await listens()), "object");
    assert.is(server.metricsAddress()?.port, port);
  });

  test(`${engine}: a port of metrics is free again if the server can't listen`, async (t) => {
    const taken = net.createServer().listen(0, "127.0.0.1");
    t.after(() => taken.close());
    await once(taken, "listening");
    const server = createFileServer(folder(t), { engine, metrics: { port: 0 } });
    const listens = server.listen({ port: (taken.address() as net.AddressInfo).port, host: "127.0.0.1" });
    assert.is(
      await listens.then(
        () => "",
        ({ code }) => code,
      ),
      "EADDRINUSE",
    );
    assert.is(server.metricsAddress(), null);
  });
}

test("lines of a log that are lost are told, and what is no port refused", async (t) => {
  const { server } = await serve(t, folder(t), {});
  const text = metricsOf({ stats: server.stats(), threads: 1, lost: 7 });
  assert.is(parse(text).get("sendoff_log_lines_lost_total"), 7);
  for (const metrics of [null, 1, {}, { port: -1 }, { port: "1" }, { fd: 1.5 }]) {
    assert.throws(() => createFileServer(".", { metrics: metrics as never }), /^metrics/);
  }
});

test("values of labels are escaped", () => {
  const text = expose({ a: { type: "gauge", help: "b\\c\nd", samples: [[1, { e: 'f"g\\h\ni' }]] } });
  assert.is(text, '# TYPE a gauge\n# HELP a b\\\\c\\nd\na{e="f\\"g\\\\h\\ni"} 1\n# EOF\n');
  parse(text);
});

test("a counter of answers does not fall, whatever a loop counts while it is read", () => {
  const counts = new Float64Array(new SharedArrayBuffer(8 * COUNTS));
  counts[Count.Unmodified] = 7;
  // A loop that answers with 304 meanwhile.
  const busy = new Proxy(counts, {
    get(target, name) {
      target[Count.Unmodified] = (target[Count.Unmodified] as number) + 1;
      return Reflect.get(target, name, target);
    },
  });
  const counted = {
    ...{ reason: null, draining: false, connections: new Int32Array(1), followed: 0, statuses: [0, 0, 0], dropped: 0 },
    threads: [{ counts: busy, respawns: 0 }],
  };
  let before = statsOf(counted).answers.loop;
  for (let i = 0; i < 3; i++) {
    const { loop } = statsOf(counted).answers;
    assert.is(loop["2xx"], 0);
    assert.ok((loop["3xx"] as number) > (before["3xx"] as number));
    before = loop;
  }
});

test.run();
