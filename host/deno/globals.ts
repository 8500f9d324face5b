// What is used of Deno; its types are not among those of this project.

export type Pointer = object & { readonly pointer: unique symbol };

export interface NetAddress {
  transport: "tcp";
  hostname: string;
  port: number;
}

/** Deno.Conn: of TCP, TLS or a Unix socket. */
export interface Conn {
  readonly localAddr: NetAddress | { transport: string };
  readonly remoteAddr: NetAddress | { transport: string };
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

export interface FsFile {
  read(bytes: Uint8Array): Promise<number | null>;
  seekSync(offset: number, whence: number): number;
  statSync(): {
    isFile: boolean;
    isDirectory: boolean;
    isBlockDevice: boolean | null;
    size: number;
    blocks: number | null;
  };
}

interface Permission {
  name: "ffi" | "env";
  variable?: string;
}

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
