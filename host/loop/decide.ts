// What a recognized request gets: 200, 206 or 304, or nothing, and then the server behind the loop decides. In the order
// of RFC 9110, section 13.2.2, for the plain forms that the core recognizes.

import type { Facts } from "./facts.js";
import { lastHead, partHead } from "./heads.js";
import type { Entry } from "./known.js";

export interface Decision {
  head: string;
  offset: number;
  count: number;
}

/** One for all: read at once. */
const decision: Decision = { head: "", offset: 0, count: 0 };

/** `last`: the connection ends behind the answer. Null if it is not for the loop to answer. */
export function decide(entry: Entry, facts: Facts, last: boolean, second: number): Decision | null {
  const { size } = entry.answer;
  decision.offset = 0;
  decision.count = facts.isHead ? 0 : size;
  if (facts.isConditional) {
    const state = modified(entry, facts);
    if (state === null) return null;
    if (!state) {
      const head = last ? entry.unmodifiedLast : entry.unmodified;
      if (head === null) return null;
      decision.head = head.at(second);
      decision.count = 0;
      return decision;
    }
  }
  // RFC 9110, section 14.2: for GET alone.
  if (facts.range === 0 || facts.isHead) {
    decision.head = (last ? entry.last : entry.whole).at(second);
    return decision;
  }
  return part(entry, facts, last, second);
}

/** Whether the client's copy is an old one; null if that is not plain. */
function modified(entry: Entry, facts: Facts): boolean | null {
  const { etag, modified } = entry;
  const tag = facts.ifNoneMatch;
  const since = facts.ifModifiedSince;
  if (tag !== null) {
    if (etag === "" || !/^(?:W\/)?"[^"]*"$/.test(tag)) return null;
    const matches = tag.replace("W/", "") === etag.replace("W/", "");
    // With both, `send` wants both: where they disagree it is asked.
    if (since === null) return !matches;
    return matches && since === modified ? false : null;
  }
  return since === modified && modified !== "" ? false : null;
}

function part(entry: Entry, facts: Facts, last: boolean, second: number): Decision | null {
  const { part } = entry;
  const { size } = entry.answer;
  if (part === null) return null;
  const { range } = facts;
  let first = facts.first;
  let end = size - 1;
  if (range === 1) end = Math.min(facts.last, end);
  if (range === 3) {
    if (first === 0) return null;
    first = Math.max(size - first, 0);
  }
  if (first >= size) return null; // 416
  const head = partHead(part.at(second), first, end, size);
  decision.head = last ? lastHead(head) : head;
  decision.offset = first;
  decision.count = end - first + 1;
  return decision;
}
