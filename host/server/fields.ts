// Header fields that a program or a command line gives, checked.

import { validateHeaderName, validateHeaderValue } from "node:http";
import { argumentError } from "../errors.js";
import { describe, object } from "../validate.js";

export type Field = readonly [name: string, value: string | readonly string[]];

/** Of a connection, or of one answer: the server alone knows them. */
const RESERVED: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "content-range", "date", "keep-alive", "trailer", "transfer-encoding", "upgrade"],
]);

export const isReserved = (name: string): boolean => RESERVED.has(name.toLowerCase());

/** @throws TypeError that names the field. */
export function fieldsOf(headers: object): Field[] {
  object("headers", headers);
  return Object.entries(headers).map(([name, value]) => {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one !== "string") {
        throw argumentError(TypeError, `headers.${name} must be text, or an array of it (got ${describe(one)})`);
      }
      validateHeaderName(name);
      validateHeaderValue(name, one);
    }
    if (isReserved(name)) throw argumentError(TypeError, `headers.${name} is the server's own`);
    return [name, value];
  });
}
