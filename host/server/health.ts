// The target that tells a balancer whether to send requests here: 200 while the server serves, 503 once it drains.

import type { IncomingMessage, ServerResponse } from "node:http";
import { withoutQuery } from "../http/message.js";

/** Whether it may be one. */
export const isTarget = (health: string): boolean => /^\/[\x21-\x22\x24-\x3e\x40-\x7e]*$/.test(health);

/** Whether a request asks for it. `health` is a target without a query; null for none. */
export function isHealth(health: string | null, { method, url = "" }: IncomingMessage): boolean {
  return health !== null && (method === "GET" || method === "HEAD") && withoutQuery(url) === health;
}

/** Nobody may keep the answer. */
export function answerHealth(req: IncomingMessage, res: ServerResponse, isReady: boolean): void {
  const text = isReady ? "ok\n" : "draining\n";
  res.writeHead(isReady ? 200 : 503, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": text.length,
    "Cache-Control": "no-store",
  });
  res.end(req.method === "HEAD" ? undefined : text);
}
