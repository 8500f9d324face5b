// What a server has counted.

import { Count, REASONS } from "../loop/messages.js";
import type { Thread } from "./thread.js";

/** What a server has counted. */
export interface ServerStats {
  /** Who answers. */
  engine: "loop" | "node";
  /** Why no loop does; null if one does. */
  reason: string | null;
  /** It has begun to end. */
  draining: boolean;
  /** Open now: of the loops, and handed over. */
  connections: number;
  /** Accepted so far. */
  accepted: number;
  /** Answered by the loops. */
  requests: number;
  /** Answers by who gave them, and the class of their status: "2xx". */
  answers: {
    /** By the loops. */
    loop: { [code: string]: number };
    /** By `node:http`. */
    node: { [code: string]: number };
  };
  /** Connections that the loops gave to the server behind, by reason. */
  handedOver: { [reason: string]: number };
  /** Bytes that the loops sent. */
  bytes: {
    /** By sendfile(2), or straight from the page cache. */
    native: number;
    /** From memory. */
    copied: number;
  };
  /** Files that the loops have open. */
  openFiles: number;
  /** Reads that waited for a disk. */
  coldReads: number;
  /** Turns of the loops. */
  wakeUps: number;
  /** Connections refused by `maxConnections`. */
  dropped: number;
  /** Connections of the loops that a timeout ended. */
  expired: number;
  /** Threads that ended, and were started again. */
  respawns: number;
}

export interface Counted {
  readonly reason: string | null;
  readonly draining: boolean;
  /** As a loop's `Start` has it. */
  readonly connections: Int32Array;
  readonly threads: readonly Pick<Thread, "counts" | "respawns">[];
  /** Of the server behind: its connections, by whomever they were accepted; answers by the first digit of their status. */
  readonly followed: number;
  readonly statuses: readonly number[];
  /** Refused by it. */
  readonly dropped: number;
}

export function statsOf(counted: Counted): ServerStats {
  const { reason, draining, connections, threads, followed, statuses, dropped } = counted;
  const sum = (count: number) => threads.reduce((all, { counts }) => all + (counts[count] as number), 0);
  // A difference of what others count meanwhile would fall at times.
  const found = sum(Count.Found);
  const unmodified = sum(Count.Unmodified);
  const handedOver: { [reason: string]: number } = {};
  for (const [i, reason] of REASONS.entries()) if (i > 0) handedOver[reason] = sum(Count.HANDED + i);
  return {
    ...{ engine: reason === null ? "loop" : "node", reason },
    draining,
    connections: connections.reduce((all, one) => all + one),
    accepted: reason === null ? sum(Count.Accepted) : followed,
    requests: found + unmodified,
    answers: {
      loop: { "2xx": found, "3xx": unmodified },
      node: Object.fromEntries(statuses.slice(2).map((count, i) => [`${i + 2}xx`, count])),
    },
    handedOver,
    bytes: { native: sum(Count.Native), copied: sum(Count.Doorbell) + sum(Count.Cold) + sum(Count.Copied) },
    openFiles: sum(Count.OpenFiles),
    coldReads: sum(Count.ColdReads),
    wakeUps: sum(Count.WakeUps),
    dropped: sum(Count.Dropped) + dropped,
    expired: sum(Count.Expired),
    respawns: threads.reduce((all, { respawns }) => all + respawns, 0),
  };
}
