// Sets headers of a response without the checks of setHeader(), for names and values that are known to be valid: these
// checks are half of the cost of an answer's head.

import { type IncomingMessage, ServerResponse, validateHeaderValue } from "node:http";
import { ownSymbol } from "../originals.js";
import type { Response } from "./message.js";

/** Name and value, and the name as it is looked up. */
export type Header = readonly [name: string, value: string, key: string];

/** @throws TypeError as setHeader() */
export function headerOf(name: string, value: string): Header {
  validateHeaderValue(name, value);
  return [name, value, name.toLowerCase()];
}

/** How Node stores a response's headers, by their names in lower case. */
interface Stored {
  [key: string]: [name: string, value: unknown] | undefined;
}

/** Without a prototype's names. V8 goes through the names of a constructor's object faster than through those of `{ __proto__: null }`. */
const Stored = function Stored() {} as unknown as new () => Stored;
Stored.prototype = Object.create(null);

type Storing = { [key: symbol]: Stored | null | undefined };

// As they were when this was loaded: later replacements must see the headers.
const { setHeader, getHeader } = ServerResponse.prototype;

/** Where Node stores them; undefined if that is not found, or is not as in Node. */
const PLACE = ((): symbol | undefined => {
  const sample = new ServerResponse({ method: "GET" } as IncomingMessage);
  const place = ownSymbol(sample, "kOutHeaders");
  if (place === undefined || (sample as unknown as Storing)[place] !== null) return undefined;
  sample.setHeader("X-Name", "value");
  return String((sample as unknown as Storing)[place]?.["x-name"]) === "X-Name,value" ? place : undefined;
})();

/** Those of a response whose header is not rendered yet; null if they have to be set by its methods. */
function storedOf(res: Response): Stored | null {
  if (PLACE === undefined || res.setHeader !== setHeader || res.getHeader !== getHeader) return null;
  const storing = res as unknown as Storing;
  const stored = storing[PLACE];
  if (stored === undefined || res.headersSent) return null;
  return stored ?? (storing[PLACE] = new Stored());
}

/** As `if (!res.getHeader(name)) res.setHeader(name, value)`, for each of them. */
export function setNew(res: Response, headers: readonly Header[]): void {
  const stored = storedOf(res);
  for (let i = 0; i < headers.length; i++) {
    const [name, value, key] = headers[i] as Header;
    if (stored === null ? res.getHeader(name) : stored[key]?.[1]) continue;
    if (stored === null) res.setHeader(name, value);
    else stored[key] = [name, value];
  }
}

/** As `res.setHeader("Content-Length", bytes)`. */
export function setLength(res: Response, bytes: number): void {
  const stored = storedOf(res);
  if (stored !== null) stored["content-length"] = ["Content-Length", bytes];
  else res.setHeader("Content-Length", bytes);
}
