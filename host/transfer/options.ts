// What may be said of a transfer, and what it tells of itself.

/** What `onProgress` is told. All are bytes. */
export interface Progress {
  /** Bytes of the file that have left so far. */
  sent: number;
  /** Bytes of the file that will be sent; Infinity where only the end will tell. */
  total: number;
  /** Moved by the kernel: sendfile(2), or send(2) of what was in the page cache. Header and trailer count, here and below. */
  native: number;
  /** Copied to learn when a full socket is writable again. */
  doorbell: number;
  /** Copied because they were not in the page cache. */
  cold: number;
  /** Copied because the kernel's way was not to be had, or not asked for; every trailer too. */
  copied: number;
}

/** What may be said of a transfer. None of it is needed. */
export interface SendfileOptions {
  /** Bytes from the start of the file. Default: 0. */
  offset?: number | undefined;
  /** Bytes to send. Default: all from the offset to the end, as long as the file is at the start. */
  count?: number | undefined;
  /** Sent before the file, in the same packet where the host can (MSG_MORE). */
  header?: Uint8Array | undefined;
  /** Sent after the file. */
  trailer?: Uint8Array | undefined;
  /** Milliseconds without progress after which to fail. Default: 0, no limit. */
  timeout?: number | undefined;
  /** Milliseconds for the whole transfer, from the call. Default: 0, no limit. */
  deadline?: number | undefined;
  /** Aborts the transfer: it fails with ERR_SENDFILE_ABORTED, and the signal's reason is the `cause`. Default: none. */
  signal?: AbortSignal | undefined;
  /** Called after each step, at most once per turn of the event loop, and at the end. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * 'auto': the kernel's sendfile where it can, else copies. 'native': fails with
   * ERR_SENDFILE_NOT_AVAILABLE where it can't. 'copy': never calls the kernel's sendfile.
   */
  mode?: Mode | undefined;
}

/** Which way the bytes go: see {@link SendfileOptions.mode}. */
export type Mode = "auto" | "native" | "copy";

/** The options, checked, each with a value. */
export interface Checked {
  readonly offset: number;
  readonly count: number;
  readonly header: Uint8Array;
  readonly trailer: Uint8Array;
  readonly timeout: number;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  readonly mode: Mode;
  /** Leave the file's own position behind the last byte that was sent. */
  readonly seek: boolean;
}
