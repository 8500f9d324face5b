// Downloads over Koa: node koa.js [FOLDER] [PORT]

import { open } from "node:fs/promises";
import path from "node:path";
import Koa from "koa";
import parseRange from "range-parser";
import { drainOnExit } from "sendoff";
import { respond } from "sendoff/http";

const [folder = ".", port = process.env.PORT ?? 8080] = process.argv.slice(2);

const app = new Koa();

// Refusals and errors are Koa's to answer, by throwing; only a body goes past it.
app.use(async (ctx) => {
  ctx.assert(ctx.method === "GET" || ctx.method === "HEAD", 405);
  const name = nameIn(ctx.path);
  ctx.assert(name !== null, 404);
  const file = await open(path.join(folder, name)).catch((error) => error);
  ctx.assert(file.code !== "ENOENT", 404);
  if (file instanceof Error) throw file;
  try {
    // Asked of the open file: what has this name may be another one by now.
    const stat = await file.stat();
    ctx.assert(stat.isFile(), 404);

    ctx.status = 200;
    ctx.type = path.extname(name) || "application/octet-stream";
    ctx.lastModified = stat.mtime;
    ctx.etag = `W/"${stat.size.toString(16)}-${stat.mtime.getTime().toString(16)}"`;
    ctx.set("Accept-Ranges", "bytes");
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }

    const part = {};
    const ranges = ctx.get("Range") ? parseRange(stat.size, ctx.get("Range")) : [];
    if (ranges === -1) ctx.throw(416, { headers: { "Content-Range": `bytes */${stat.size}` } });
    if (ranges.type === "bytes" && ranges.length === 1) {
      const [{ start, end }] = ranges;
      Object.assign(part, { offset: start, count: end - start + 1 });
      ctx.status = 206;
      ctx.set("Content-Range", `bytes ${start}-${end}/${stat.size}`);
    }

    // Awaited, so that middleware around this one comes to its end when the body has gone, not before.
    ctx.respond = false;
    await respond(ctx.req, ctx.res, file, { ...part, timeout: 60_000 });
  } finally {
    await file.close();
  }
});

/** The name in /files/name; null for any other path, and for one that leads out of the folder. */
function nameIn(url) {
  if (!url.startsWith("/files/")) return null;
  try {
    const name = decodeURIComponent(url.slice("/files/".length));
    return name === path.basename(name) && /^[^.]/.test(name) && !name.includes("\0") ? name : null;
  } catch {
    return null; // a % that is no encoding
  }
}

// A client that goes in the middle of its download is no error of ours.
const gone = new Set(["ECONNRESET", "EPIPE", "ERR_SENDFILE_CLOSED"]);
app.on("error", (error) => {
  if (!error.expose && !gone.has(error.code)) console.error(error);
});

const server = app.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/files/`));

// SIGTERM and Ctrl-C: no new connections; downloads that run get five seconds.
drainOnExit({ servers: [server] });
