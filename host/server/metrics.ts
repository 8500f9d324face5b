// What a server tells of itself to Prometheus and the like.

import { expose, type Family, type Sample } from "./exposition.js";
import type { ServerStats } from "./stats.js";

export interface Metrics {
  readonly stats: ServerStats;
  readonly threads: number;
  /** Lines of the access log that are lost; null without one. */
  readonly lost: number | null;
}

/** The text of an exposition. */
export function metricsOf({ stats, threads, lost }: Metrics): string {
  const { engine, answers, handedOver, bytes } = stats;
  const by = (label: string, values: { readonly [value: string]: number }, more = {}) =>
    Object.entries(values).map(([value, number]): Sample => [number, { ...more, [label]: value }]);
  const counter = (help: string, samples: readonly Sample[] | number): Family => ({
    ...{ type: "counter", help },
    samples: typeof samples === "number" ? [[samples]] : samples,
  });
  const gauge = (help: string, value: number): Family => ({ type: "gauge", help, samples: [[value]] });
  return expose({
    sendoff_server: { type: "info", help: "Who answers.", samples: [[1, { engine }]] },
    sendoff_draining: gauge("1 from the moment the server begins to end.", stats.draining ? 1 : 0),
    sendoff_threads: gauge("Loops.", threads),
    sendoff_connections: gauge("Open connections.", stats.connections),
    sendoff_connections_accepted: counter("Connections that were accepted.", stats.accepted),
    sendoff_connections_dropped: counter("Connections that maxConnections refused.", stats.dropped),
    sendoff_connections_expired: counter("Connections of the loops that a timeout ended.", stats.expired),
    sendoff_connections_handed_over: counter(
      "Connections that the loops gave to the server behind them.",
      by("reason", handedOver),
    ),
    sendoff_requests: counter("Answers, by who gave them and the class of their status.", [
      ...by("code", answers.loop, { engine: "loop" }),
      ...by("code", answers.node, { engine: "node" }),
    ]),
    sendoff_sent_bytes: { ...counter("Bytes that the loops sent.", by("way", bytes)), unit: "bytes" },
    sendoff_open_files: gauge("Files that the loops keep open.", stats.openFiles),
    sendoff_cold_reads: counter("Reads that waited for a disk.", stats.coldReads),
    sendoff_wake_ups: counter("Turns of the loops.", stats.wakeUps),
    sendoff_thread_respawns: counter("Threads that ended, and were started again.", stats.respawns),
    ...(lost === null ? {} : { sendoff_log_lines_lost: counter("Lines of the access log that are lost.", lost) }),
  });
}
