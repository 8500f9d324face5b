// The answer to "download this folder": an archive, its files by the kernel. Loaded when it is first asked for.

import type { IncomingMessage, ServerResponse } from "node:http";
import { host } from "#process";
import { PiecesBody } from "../../host/http/pieces.js";
import { escaped } from "../../host/loop/log-line.js";
import { say } from "../../host/say.js";
import { type Archive, piecesOf, survey } from "./archive.js";
import type { Place } from "./catalog.js";
import { Limit } from "./pace.js";

/** Folders that are looked at, at once: each has one open. */
const SURVEYS = 4;
/** Files and folders of all archives that are being sent, at some 300 bytes each; more have to wait. */
const HELD = 400_000;

const limit = new Limit(SURVEYS);
let held = 0;

export function look(place: Place, name: string, signal: AbortSignal): Promise<Archive> {
  return limit.run(() => survey(place, name, signal));
}

/** Sends it as `name`.tar. Rejects if nothing was sent; else the connection ends. */
export async function send(
  req: IncomingMessage,
  res: ServerResponse,
  archive: Archive,
  name: string,
  most = HELD,
): Promise<void> {
  const { length } = archive.members;
  if (held > 0 && held + length > most) {
    const headers = { "Retry-After": "60" };
    throw Object.assign(new Error("Too many folders are being downloaded"), { statusCode: 503, headers });
  }
  const head = {
    "Content-Type": "application/x-tar",
    "Content-Length": archive.length,
    "Content-Disposition": disposition(`${name}.tar`),
    "X-Content-Type-Options": "nosniff",
  };
  for (const [field, value] of Object.entries(head)) res.setHeader(field, value);
  if (req.method === "HEAD") return void res.end();
  held += length;
  try {
    await new Promise((resolve, reject) =>
      new PiecesBody(host().shared, req, res, piecesOf(archive), resolve, reject).open(),
    );
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_SENDFILE_CLOSED") return;
    if (!res.headersSent) throw error;
    say(`sendoff: "${escaped(req.url ?? "")}" ended early: ${escaped(message)}`);
  } finally {
    held -= length;
  }
}

/** RFC 6266: the name in ASCII, and as it is. */
export function disposition(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const exact = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
