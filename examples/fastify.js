// Downloads over Fastify: node fastify.js [FOLDER] [PORT]

import { open } from "node:fs/promises";
import path from "node:path";
import Fastify from "fastify";
import parseRange from "range-parser";
import { drainOnExit, onExit } from "sendoff";
import { respond } from "sendoff/http";

const [folder = ".", port = process.env.PORT ?? 8080] = process.argv.slice(2);

const app = Fastify();

// HEAD is answered by the same handler, as Fastify has it.
app.get("/files/:name", async (request, reply) => {
  const { name } = request.params;
  if (name !== path.basename(name) || name.startsWith(".") || name.includes("\0")) return reply.callNotFound();
  const file = await open(path.join(folder, name)).catch((error) => error);
  if (file.code === "ENOENT") return reply.callNotFound();
  if (file instanceof Error) throw file;

  try {
    // Asked of the open file: what has this name may be another one by now.
    const stat = await file.stat();
    if (!stat.isFile()) return reply.callNotFound();

    const etag = `W/"${stat.size.toString(16)}-${stat.mtimeMs.toString(16)}"`;
    reply.headers({ "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", ETag: etag });
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();

    const part = {};
    const ranges = request.headers.range ? parseRange(stat.size, request.headers.range) : [];
    if (ranges === -1) return reply.code(416).header("Content-Range", `bytes */${stat.size}`).send();
    if (ranges.type === "bytes" && ranges.length === 1) {
      const [{ start, end }] = ranges;
      Object.assign(part, { offset: start, count: end - start + 1 });
      reply.code(206).header("Content-Range", `bytes ${start}-${end}/${stat.size}`);
    }

    // From here on the response is ours: Fastify sends nothing any more, so its status and headers are handed over.
    reply.hijack();
    reply.raw.statusCode = reply.statusCode;
    for (const [header, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(header, value);
    await respond(request.raw, reply.raw, file, { ...part, timeout: 60_000 });
  } catch (error) {
    if (!reply.sent) throw error;
    // A client that has gone, or a file that got shorter: respond() has ended the connection.
    request.log.info(error);
    if (!reply.raw.headersSent) reply.raw.writeHead(500).end();
  } finally {
    await file.close();
  }
});

// The last one registered runs first: downloads that run get five seconds, then the hooks 'onClose' of plugins run.
onExit(() => app.close());
drainOnExit({ servers: [app.server] });

const address = await app.listen({ host: "127.0.0.1", port: Number(port) });
console.log(`${address}/files/`);
