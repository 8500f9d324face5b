// What a server has counted.

import { Count, REASONS } from "../loop/messages.js";
import type { Thread } from "./thread.js";

export interface ServerStats {
  /** Who answers, and why it is not a loop: as of the server. */
  engine: "loop" | "node";
  reason: string | null;
  /** Open now: of the loops, and handed over. */
  connections: number;
  /** Answered by the loops. */
  requests: number;
  /** Connections that the loops gave to the server behind, by reason. */
  handedOver: { [reason: string]: number };
  /** Bytes that the loops sent: by sendfile(2) or straight from the page cache, and from memory. */
  bytes: { native: number; copied: number };
  openFiles: number;
  /** Reads that waited for a disk. */
  coldReads: number;
  /** Turns of the loops. */
  wakeUps: number;
  /** Connections refused by `maxConnections`, and ended by a timeout. */
  dropped: number;
  expired: number;
  /** Threads that ended, and were started again. */
  respawns: number;
}

/** `connections`: as a loop's `Start` has it. */
export function statsOf(
  reason: string | null,
  connections: Int32Array,
  threads: readonly Pick<Thread, "counts" | "respawns">[],
): ServerStats {
  const sum = (count: number) => threads.reduce((all, { counts }) => all + (counts[count] as number), 0);
  const handedOver: { [reason: string]: number } = {};
  for (const [i, reason] of REASONS.entries()) if (i > 0) handedOver[reason] = sum(Count.HANDED + i);
  return {
    ...{ engine: reason === null ? "loop" : "node", reason },
    connections: connections.reduce((all, one) => all + one),
    requests: sum(Count.Requests),
    handedOver,
    bytes: { native: sum(Count.Native), copied: sum(Count.Doorbell) + sum(Count.Cold) + sum(Count.Copied) },
    openFiles: sum(Count.OpenFiles),
    coldReads: sum(Count.ColdReads),
    wakeUps: sum(Count.WakeUps),
    dropped: sum(Count.Dropped),
    expired: sum(Count.Expired),
    respawns: threads.reduce((all, { respawns }) => all + respawns, 0),
  };
}
