// HTTP Basic (RFC 7617): who may have answers, and whose requests are in the log.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Handler } from "../../host/http/static.js";
import { UsageError } from "../arguments.js";

/** A user, a colon, a password; no control characters. */
const CREDENTIALS = /^[^:\p{Cc}]+:[^\p{Cc}]+$/u;
/** token68 of RFC 9110, as base64 has it. */
const FIELD = /^Basic +([A-Za-z0-9+/]+={0,2})$/i;
const CHALLENGE = { "WWW-Authenticate": 'Basic realm="sendoff", charset="UTF-8"' };

const decoder = new TextDecoder("utf-8", { fatal: true });
/** Of the same length whatever is compared. */
const digest = (text: string) => createHash("sha256").update(text.normalize("NFC")).digest();

/** Those of --auth, or of the environment; null for none. No message has a password in it. */
export function credentials(given: string | undefined, env: NodeJS.ProcessEnv = process.env): string | null {
  const text = given ?? env.SENDOFF_AUTH;
  if (text === undefined) return null;
  if (CREDENTIALS.test(text)) return text;
  throw new UsageError(`${given === undefined ? "SENDOFF_AUTH, as --auth," : "--auth"} must be USER:PASSWORD`);
}

/** @throws UsageError if passwords came in clear text from other machines. */
export function checkCleartext(host: string): void {
  if (isLoopback(host)) return;
  const ways = "--tls; or --auth-allow-cleartext, on a network that you trust or behind a proxy that has HTTPS";
  throw new UsageError(`--auth would take passwords in clear text at ${host}, and so needs ${ways}`);
}

/** An address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return /^localhost$|^::1$|^127\.\d+\.\d+\.\d+$/i.test(host);
}

export class Gate {
  readonly #expected: Buffer;
  readonly #user: string;

  constructor(credentials: string) {
    this.#expected = digest(credentials);
    this.#user = credentials.slice(0, credentials.indexOf(":"));
  }

  /** The user whose password a request has; null for everybody else. */
  userOf(req: IncomingMessage): string | null {
    const given = credentialsOf(req);
    return given !== null && timingSafeEqual(digest(given), this.#expected) ? this.#user : null;
  }

  /** In place of files. */
  readonly refuse: Handler = (_req, _res, next) =>
    next?.(Object.assign(new Error("unauthorized"), { statusCode: 401, headers: CHALLENGE }));
}

/** user:password of a request that has one field of them, and nothing odd in it. */
function credentialsOf({ headers, rawHeaders }: IncomingMessage): string | null {
  const fields = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === "authorization");
  const [, encoded] = FIELD.exec(headers.authorization ?? "") ?? [];
  if (fields.length !== 1 || encoded === undefined) return null;
  try {
    return decoder.decode(Buffer.from(encoded, "base64"));
  } catch {
    return null; // no UTF-8
  }
}
