// Fields of a file by an option, where `send` would set its own: Content-Type by the extension, and a whole Cache-Control.

import { extname } from "node:path";
import { argumentError } from "../errors.js";
import { SafeMap } from "../originals.js";
import { describe, object } from "../validate.js";
import type { Response } from "./message.js";
import type { SendStream } from "./send/stream.js";

/** RFC 9110 section 5.6: a token; and what a token or a quoted string of ASCII is in a parameter. */
const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
const VALUE = `(?:${TOKEN}|"[ !#-[\\]-~]*")`;
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?:[ \\t]*;[ \\t]*${TOKEN}=${VALUE})*$`);
/** A directive begins with a letter: '1d' is a mistake. */
const DIRECTIVE = `[A-Za-z][\\w-]*(?:=${VALUE})?`;
const CACHE_CONTROL = new RegExp(`^${DIRECTIVE}(?:[ \\t]*,[ \\t]*${DIRECTIVE})*$`);

/** Of a file's name, without its dot. */
const isExtension = (text: string): boolean => /^[^./\\\0]+$/.test(text);

export const isMediaType = (text: unknown): boolean => typeof text === "string" && MEDIA_TYPE.test(text);

export const isCacheControl = (text: unknown): boolean => typeof text === "string" && CACHE_CONTROL.test(text);

/** `type` of a stream of `send`, which looks into this table first. @throws TypeError that names the entry. */
export function typeBy(mimeTypes: object, type: SendStream["type"]): SendStream["type"] {
  object("mimeTypes", mimeTypes);
  const types = new SafeMap<string, string>();
  for (const [extension, value] of Object.entries(mimeTypes)) {
    if (!isExtension(extension)) {
      throw argumentError(TypeError, `mimeTypes: a name must be an extension without its dot (got '${extension}')`);
    }
    if (!isMediaType(value)) {
      const such = "a media type such as 'text/plain; charset=utf-8'";
      throw argumentError(TypeError, `mimeTypes.${extension} must be ${such} (got ${describe(value)})`);
    }
    types.set(extension.toLowerCase(), value);
  }
  if (types.size === 0) return type;
  return function (this: SendStream, path) {
    const own = types.get(extname(path).slice(1).toLowerCase());
    if (own === undefined || this.res.getHeader("Content-Type")) type.call(this, path);
    else this.res.setHeader("Content-Type", own);
  };
}

/** A listener of `send`'s event 'headers' that sets the text; null if `send` is to decide. @throws TypeError */
export function cacheControlBy(text: boolean | string | undefined): ((res: Response) => void) | null {
  if (text === undefined || typeof text === "boolean") return null;
  if (!isCacheControl(text)) {
    const such = "true, false, or the text of a Cache-Control such as 'no-store'";
    throw argumentError(TypeError, `cacheControl must be ${such} (got ${describe(text)})`);
  }
  return (res) => {
    if (!res.getHeader("Cache-Control")) res.setHeader("Cache-Control", text);
  };
}
