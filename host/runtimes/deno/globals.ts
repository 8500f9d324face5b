// The part of Deno that we use; the project does not depend on its types.

export type Pointer = object & { readonly pointer: unique symbol };

/** Of TCP. */
export interface NetAddress {
  /** Always "tcp". */
  transport: "tcp";
  /** In numbers. */
  hostname: string;
  /** 1 to 65535. */
  port: number;
}

/** Deno.Conn: of TCP, TLS or a Unix socket. */
export interface Conn {
  /** The local address. */
  readonly localAddr: NetAddress | Address;
  /** The peer's address. */
  readonly remoteAddr: NetAddress | Address;
  /** Resolves with the bytes that the kernel took. */
  write(bytes: Uint8Array): Promise<number>;
  /** Shuts down the writing side. */
  closeWrite(): Promise<void>;
  /** Ends the connection, and a transfer with ERR_SENDFILE_CLOSED. */
  close(): void;
}

/** Of anything else. */
export interface Address {
  /** "unix", say. */
  transport: string;
}

/** The part of Deno.FsFile that we use. */
export interface FsFile {
  /** Reads at the file's position; null at the end. */
  read(bytes: Uint8Array): Promise<number | null>;
  /** Moves the file's position, and returns it. */
  seekSync(offset: number, whence: number): number;
  /** Its kind and size. */
  statSync(): FileInfo;
}

/** The part of Deno.FileInfo that we use. */
export interface FileInfo {
  /** Whether it is a regular file. */
  isFile: boolean;
  /** Whether it is a folder. */
  isDirectory: boolean;
  /** Whether it is a block device; null if the system has none. */
  isBlockDevice: boolean | null;
  /** Bytes. */
  size: number;
  /** Blocks of 512 bytes on the disk; null if unknown. */
  blocks: number | null;
}

export type Permission =
  | { name: "ffi" }
  | { name: "env"; variable: string }
  | { name: "read"; path: string }
  | { name: "sys"; kind: string };

interface DenoGlobal {
  readonly FsFile: new () => FsFile;
  readonly build: { os: string; arch: string };
  readonly permissions: { querySync(permission: Permission): { state: "granted" | "prompt" | "denied" } };
  readonly UnsafePointer: { of(bytes: Uint8Array): Pointer; value(pointer: Pointer): bigint };
  readonly UnsafePointerView: new (
    pointer: Pointer,
  ) => {
    getArrayBuffer(length: number): ArrayBuffer;
    getCString(): string;
  };
  dlopen(name: string, symbols: Record<string, object>): { symbols: object };
}

export const { Deno } = globalThis as unknown as { Deno: DenoGlobal };
if (Deno === undefined) throw new Error("sendoff: this file is for Deno");
