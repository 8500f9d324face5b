// What the threads of a server tell each other.

import type { MessagePort } from "node:worker_threads";
import type { Identity } from "../keep.js";
import type { Format } from "./log-line.js";
import type { Trust } from "./proxies.js";

/** What a target leads to, as the server behind the loop answers it. */
export interface Answer extends Identity {
  readonly path: string;
  /** Names that would come before it, and that no file has. */
  readonly absent: readonly string[];
  /** The file that was asked for: it has to be there if `path` is its compressed sibling. */
  readonly name: string;
  /** The head of 200, from the status line to the empty one. */
  readonly whole: string;
  /** null until it is asked for: few ask for more than the whole. */
  readonly rest: Rest | null;
}

/** The heads of 206 for `bytes=0-0`, and of 304; null for none. */
export interface Rest {
  readonly part: string | null;
  readonly unmodified: string | null;
}

/** What a client may take to close after its last answer, in ms: nginx's lingering_timeout. */
export const LINGER = 5000;

/** An access log. */
export interface LogPlan {
  readonly format: Format;
  /** Whose X-Forwarded-For is believed; null for nobody's. */
  readonly trust: Trust | null;
  /** Where lines go. */
  readonly memory: SharedArrayBuffer;
}

/** How the thread that reads from disks is started. */
export interface ReaderStart {
  /** Of `binding.ts`. */
  readonly bindings: Int32Array;
}

/** How a loop is started. */
export interface Start extends ReaderStart {
  readonly port: MessagePort;
  /** To the thread that reads from disks. */
  readonly reader: MessagePort;
  readonly listener: number;
  /** An eventfd: written to after each message. */
  readonly wake: number;
  /** A byte for each fd of the process: `id` if it is this loop's. */
  readonly fds: Uint8Array;
  readonly id: number;
  /** By {@link Count}. */
  readonly counts: Float64Array;
  /** Connections of each loop, by its id, and those that were handed over, at 0. */
  readonly connections: Int32Array;
  /** Not 0: leave at once. */
  readonly leave: Int32Array;
  /** Other loops share the listener. */
  readonly shared: boolean;
  /** A target leads to another file for each Accept-Encoding. */
  readonly varies: boolean;
  /** Limits in ms: as the server's options. */
  readonly headersTimeout: number;
  readonly keepAliveTimeout: number;
  readonly stallTimeout: number;
  readonly maxConnections: number;
  readonly openFiles: number;
  /** null for none. */
  readonly log: LogPlan | null;
}

/** Places in `counts`; hand-overs by reason follow from HANDED on. */
export enum Count {
  Accepted,
  Dropped,
  /** Answers with a file, or a part of one. */
  Found,
  /** Those with 304. */
  Unmodified,
  WakeUps,
  ColdReads,
  OpenFiles,
  Native,
  Doorbell,
  Cold,
  Copied,
  /** Connections that a limit has ended. */
  Expired,
  HANDED,
}

/** Why a connection was handed over: the core's `Odd` by number, then the loop's own. */
export const REASONS = [
  ...["none", "partial", "method", "target", "version", "field", "host", "connection", "body", "range", "condition"],
  ...["missing", "file"],
] as const;
/** No file, or none that the loop answers with. */
export const MISSING = REASONS.indexOf("missing");
/** A file that can't be opened, or changes all the time; or a request that is decided by the server behind. */
export const FILE = REASONS.indexOf("file");
export const COUNTS = Count.HANDED + REASONS.length;

export interface Handed {
  readonly fd: number;
  /** What was read of it, and not answered. */
  readonly bytes: Uint8Array;
}

/** Both that can be asked of a target, by names of their own: no key begins so. */
export const askedAs = (key: string, rest: boolean): string => (rest ? `+${key}` : key);

export type FromLoop =
  /** There is something in the access log. */
  | { readonly type: "logged" }
  | { readonly type: "handed"; readonly connections: readonly Handed[] }
  /** `rest`: for a range, or a condition. */
  | {
      readonly type: "ask";
      readonly key: string;
      readonly target: string;
      readonly encodings: string;
      readonly rest: boolean;
    };

export type ToLoop =
  | { readonly type: "answer"; readonly key: string; readonly rest: boolean; readonly answer: Answer | null }
  /** Another thread reads from disks now. */
  | { readonly type: "reader"; readonly port: MessagePort }
  /** Each answer is the last one of its connection from now on. */
  | { readonly type: "drain" }
  /**
   * Ends: takes no new connections; those that have been idle for `idle` ms are closed, and all others `timeout` ms from now
   * at the latest. `shut`: nobody else has the listener.
   */
  | { readonly type: "stop"; readonly timeout: number; readonly idle: number; readonly shut: boolean };

export interface ToReader {
  readonly id: number;
  readonly fd: number;
  readonly position: number;
  readonly length: number;
}

/** `read` is minus 1 if that failed. */
export interface FromReader {
  readonly id: number;
  readonly read: number;
}
