// A suffix range longer than the file means the whole file (RFC 9110, section 14.1.2). `send` considers it
// unsatisfiable, so it gets an equivalent range.

import type { SendStream } from "./send/stream.js";

const SUFFIX = /([=,]\s*)-\s*(\d+)(?=\s*(?:,|$))/g;

/** `send`, with such a range as `bytes=0-`. The request itself stays as it came. */
export function wholeSuffix(send: SendStream["send"]): SendStream["send"] {
  return function (this: SendStream, path, stat) {
    const { req } = this;
    const { range } = req.headers;
    const told = range?.replace(SUFFIX, (spec, before, length) => (Number(length) > stat.size ? `${before}0-` : spec));
    if (told === range) return send.call(this, path, stat);
    // No range describes the whole of an empty file.
    const headers = { ...req.headers, range: stat.size === 0 ? undefined : told };
    this.req = Object.create(req, { headers: { value: headers } });
    try {
      send.call(this, path, stat);
    } finally {
      this.req = req;
    }
  };
}
