// What a transfer needs of the stream or connection that it writes to: a place in its queue.

import type { Writable } from "node:stream";

/** A queued task: a transfer. */
export interface Job {
  /** Starts the job, whose turn it is; it must call `release` once, which lets the queue go on. */
  start(release: () => void): void;
  /** The stream was destroyed. Returns true if the job had not started, and never will. */
  drop(): boolean;
}

/** Called once the kernel has the bytes, or with an error. */
export type Done = (error?: Error | null) => void;

/** The stream or connection that a job writes to. */
export interface Queue {
  /** True once end() was called. */
  readonly ended: boolean;
  /** True once nothing more can be written. */
  readonly closed: boolean;
  /** Why it was closed, if known. */
  readonly errored: Error | null;
  /** True while the connection is being made. */
  readonly connecting: boolean;
  /** Whether the next byte would go straight to the kernel. */
  readonly idle: boolean;
  /** Calls `listener` once. */
  once(event: "connect" | "close", listener: () => void): void;
  /** Removes a listener. */
  off(event: "connect" | "close", listener: () => void): void;
  /** Queues a job behind all pending writes. */
  enter(job: Job): void;
  /** Writes through the stream's own writer, ahead of the queue: for the job whose turn it is. */
  write(chunks: Uint8Array[], done: Done): void;
  /** The socket's fd for native calls, -1 if there is none; must be read immediately before each call. */
  fd(): number;
  /** Bytes of the last write that are still in the process; NaN if unknown. */
  pending(): number;
  /** A number that changes whenever bytes leave the process by this stream, including those of other writers. */
  activity(): number;
  /** The stream may keep a chunk after its write has called back, so buffers can't be reused. */
  readonly retainsChunks: boolean;
  /** The socket's fd if it passes `check`, asked once, and native calls may write to it now; else -1. */
  native(check: (fd: number) => boolean): number;
  /** Counts bytes that were sent without the stream's knowledge. */
  moved(bytes: number): void;
}

/**
 * The fd of a net.Socket's handle, -1 if it has none. Called immediately before each native call, for a socket that is
 * neither destroyed nor encrypted.
 */
export type FdOf = (handle: object) => number;

/** The common part of all queues of a stream. */
export abstract class StreamBase {
  protected readonly stream: Writable;

  constructor(stream: Writable) {
    this.stream = stream;
  }

  get ended(): boolean {
    return this.stream.writableEnded;
  }

  get errored(): Error | null {
    return this.stream.errored ?? null;
  }

  once(event: "connect" | "close", listener: () => void): void {
    this.stream.once(event, listener);
  }

  off(event: "connect" | "close", listener: () => void): void {
    this.stream.removeListener?.(event, listener); // not every wrapper has it
  }
}
