// What createFileServer()'s options have answers say: types by extension, a whole Cache-Control, header fields. By both
// engines, for whole files, parts and 304; and by serveStatic() in a server of its own.

import * as fs from "node:fs";
import { join } from "node:path";
import { serveStatic } from "sendoff/http";
import { createFileServer, type FileServerOptions } from "sendoff/server";
import * as assert from "uvu/assert";
import { type Answered, answersOf, both, first, folder, get, head, LAST_MODIFIED, talk } from "./lib/file-server.js";
import { type Cleanup, test } from "./lib/suite.js";
import { site } from "./lib/web.js";

/** Files with extensions of all kinds, as old as LAST_MODIFIED. */
function typed(t: Cleanup): string {
  const root = folder(t);
  for (const name of ["a.glb", "B.GLB", "c.html", "d", ".glb", "e.constructor", "c.html.gz", "f.glb.gz"]) {
    fs.writeFileSync(join(root, name), "0123456789");
    fs.utimesSync(join(root, name), new Date(LAST_MODIFIED), new Date(LAST_MODIFIED));
  }
  return root;
}

const GLB = "model/gltf-binary";
const HTML = 'text/html; charset="iso-8859-1"';
const SAME = `If-Modified-Since: ${LAST_MODIFIED}`;

/** What is asked for, the status, and the type by the table. */
const TYPES: readonly [request: string, status: number, type: string | undefined][] = [
  [get("/a.glb"), 200, GLB],
  [head("/a.glb"), 200, GLB],
  [get("/a.glb", "Range: bytes=1-3"), 206, GLB],
  [get("/a.glb", SAME), 304, undefined],
  [get("/a.glb", "Range: bytes=99-"), 416, "text/html; charset=UTF-8"],
  [get("/B.GLB"), 200, GLB],
  [get("/a.glb?x.html"), 200, GLB],
  [get("/c.html"), 200, HTML],
  [get("/c.html", "Accept-Encoding: gzip"), 200, HTML],
  [get("/f.glb.gz"), 200, "application/gzip"],
  [get("/d"), 200, "application/octet-stream"],
  [get("/e.constructor"), 200, "application/octet-stream"],
  [get("/page.html"), 200, HTML],
  [get("/a%20b.txt"), 200, "text/plain; charset=utf-8"],
  [get("/sub/"), 200, HTML],
];

for (const more of [{}, { openFileCache: false }, { symlinks: "inside" }] as FileServerOptions[]) {
  test(`mimeTypes come before the built-in ones, ${JSON.stringify(more)}`, async (t) => {
    const options = { mimeTypes: { glb: GLB, HTML }, precompressed: true, ...more };
    const { ask } = await both(t, typed(t), options);
    for (const [request, status, type] of TYPES) {
      const { status: got, fields } = await only(ask, request);
      assert.equal([got, fields["content-type"]], [status, type], request);
    }
    const parts = await only(ask, get("/a.glb", "Range: bytes=0-1,5-6"));
    assert.match(parts.body, new RegExp(`\\r\\nContent-Type: ${GLB}\\r\\nContent-Range: bytes 5-6/10\\r\\n`, "i"));
  });

  test(`cacheControl is the whole text, ${JSON.stringify(more)}`, async (t) => {
    const cacheControl = 'public, max-age=31536000, immutable, private="set-cookie"';
    const { ask } = await both(t, typed(t), { cacheControl, maxAge: 1000, immutable: true, ...more });
    for (const [request, status] of TYPES) {
      const { status: got, fields } = await only(ask, request);
      assert.equal([got, fields["cache-control"]], [status, status === 416 ? undefined : cacheControl], request);
    }
    assert.is((await only(ask, get("/none"))).fields["cache-control"], undefined);
    // One by one the head is the same; and so it is as one of several.
    const [one, two] = answersOf(await ask(first("/a.glb") + get("/a.glb")));
    assert.equal(Object.keys(one?.fields ?? {}).slice(0, 3), Object.keys(two?.fields ?? {}).slice(0, 3));
  });
}

async function only(ask: (request: string) => Promise<string>, request: string): Promise<Answered> {
  const answers = answersOf(await ask(request), request.startsWith("HEAD") ? [0] : []);
  assert.is(answers.length, 1);
  return answers[0] as Answered;
}

test("cacheControl: true and false, as ever; what a program has set goes before it", async (t) => {
  const root = typed(t);
  for (const [options, wanted] of [
    [{}, "public, max-age=0"],
    [{ cacheControl: true, maxAge: "1d", immutable: true }, "public, max-age=86400, immutable"],
    [{ cacheControl: false, maxAge: "1d" }, undefined],
    [{ cacheControl: "no-store", headers: { "cache-control": "no-cache" } }, "no-cache"],
    [{ cacheControl: "no-store", headers: { "Content-Type": "text/x-own" }, mimeTypes: { glb: GLB } }, "no-store"],
  ] as [FileServerOptions, string | undefined][]) {
    const { ask } = await both(t, root, options);
    const { fields } = await only(ask, get("/a.glb"));
    assert.is(fields["cache-control"], wanted);
    if (options.headers !== undefined && "Content-Type" in options.headers) {
      assert.is(fields["content-type"], "text/x-own");
    }
  }
  const setHeaders: NonNullable<FileServerOptions["setHeaders"]> = (res, path) => {
    if (!res.hasHeader("Cache-Control")) res.setHeader("X-Unset", "yes");
    if (path.endsWith(".glb")) res.setHeader("Cache-Control", "private");
  };
  const { ask } = await both(t, root, { cacheControl: "no-store", setHeaders });
  for (const [target, wanted] of [
    ["/a.glb", "private"],
    ["/d", "no-store"],
  ] as const) {
    const { fields } = await only(ask, get(target));
    assert.equal([fields["cache-control"], fields["x-unset"]], [wanted, "yes"], target);
  }
});

test("serveStatic() has both, behind a program's own fields", async (t) => {
  const handler = serveStatic(typed(t), { mimeTypes: { glb: GLB }, cacheControl: "no-store" });
  const { port, close } = await site((req, res) => {
    if (req.url === "/B.GLB") res.setHeader("Content-Type", "text/x-own").setHeader("Cache-Control", "private");
    handler(req, res);
  });
  t.after(close);
  for (let i = 0; i < 3; i++) {
    for (const [target, type, cache] of [
      ["/a.glb", GLB, "no-store"],
      ["/B.GLB", "text/x-own", "private"],
    ] as const) {
      const { fields } = await only(async (request) => (await talk(port, [request])).toString("latin1"), get(target));
      assert.equal([fields["content-type"], fields["cache-control"]], [type, cache]);
    }
  }
});

test("headers: several of a name, any spelling, and texts that look like the server's own", async (t) => {
  const headers = {
    "Set-Cookie": ["a=1", "b=2"],
    etag: '"own"',
    "X-Range": "bytes 0-0/10",
    "X-Length": "Content-Length: 1",
    "X-None": "",
    "X-Latin": "\xfc",
  };
  const { ask } = await both(t, typed(t), { headers });
  const text = await ask(get("/a.glb"));
  assert.match(text, /\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\netag: "own"\r\nX-Range: bytes 0-0\/10\r\n/);
  assert.match(text, /\r\nX-Length: Content-Length: 1\r\nX-None: \r\nX-Latin: \xfc\r\n/);
  const part = await only(ask, get("/a.glb", "Range: bytes=2-4"));
  assert.equal([part.status, part.body, part.fields["x-range"]], [206, "234", "bytes 0-0/10"]);
  assert.equal([part.fields["content-range"], part.fields["content-length"]], ["bytes 2-4/10", "3"]);
  assert.is((await only(ask, get("/a.glb", 'If-None-Match: "own"'))).status, 304);
  assert.is((await only(ask, get("/a.glb", 'If-None-Match: "other"'))).status, 200);
});

test("a page for what is missing is not kept, unless it is told to be", async (t) => {
  const root = typed(t);
  for (const [headers, wanted] of [
    [{}, "no-cache"],
    [{ "Cache-Control": "max-age=9" }, "max-age=9"],
  ] as const) {
    const { ask } = await both(t, root, { notFound: "/c.html", cacheControl: "max-age=60", headers });
    const { status, fields } = await only(ask, get("/none"));
    assert.equal([status, fields["cache-control"]], [404, wanted]);
    const same = (await only(ask, get("/c.html"))).fields["cache-control"];
    assert.is(same, wanted === "no-cache" ? "max-age=60" : wanted);
  }
});

test("arguments: each is named", () => {
  for (const [options, message] of [
    [{ mimeTypes: null }, /mimeTypes must be an object \(got null\)/],
    [{ mimeTypes: { ".glb": GLB } }, /mimeTypes: a name must be an extension without its dot \(got '.glb'\)/],
    [{ mimeTypes: { "": GLB } }, /extension without its dot \(got ''\)/],
    [{ mimeTypes: { glb: 1 } }, /mimeTypes.glb must be a media type such as .* \(got 1\)/],
    [{ mimeTypes: { glb: "gltf" } }, /mimeTypes.glb must be a media type/],
    [{ mimeTypes: { glb: "a/b; c" } }, /mimeTypes.glb must be a media type/],
    [{ mimeTypes: { glb: "a/b\r\nX: y" } }, /mimeTypes.glb must be a media type/],
    [{ cacheControl: "" }, /cacheControl must be true, false, or the text of a Cache-Control .* \(got ''\)/],
    [{ cacheControl: "1d" }, /cacheControl must be .* \(got '1d'\)/],
    [{ cacheControl: "no-store\nX: y" }, /cacheControl must be/],
    [{ cacheControl: "no-store," }, /cacheControl must be/],
    [{ cacheControl: 1 }, /cacheControl must be .* \(got 1\)/],
    [{ headers: { a: [1] } }, /headers.a must be text, or an array of it \(got 1\)/],
    [{ headers: { a: ["b", "c\r\nd: e"] } }, /Invalid character in header content/],
    ...["Content-Length", "transfer-encoding", "CONNECTION", "Date", "Content-Range", "Keep-Alive"].map((name) => [
      { headers: { [name]: "1" } },
      new RegExp(`headers.${name} is the server's own`),
    ]),
  ] as [FileServerOptions, RegExp][]) {
    assert.throws(() => createFileServer(".", options), message);
  }
  assert.throws(() => serveStatic(".", { mimeTypes: { glb: "" } }), /mimeTypes.glb/);
});

test.run();
