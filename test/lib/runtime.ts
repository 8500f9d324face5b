// The runtime that runs the tests, and its limitations: each known difference by its name, with its
// reason. A row that asks `lacks(name)` is skipped there, and says why.

import process from "node:process";

export type RuntimeName = "node" | "deno" | "bun";

const { bun, deno } = process.versions as Partial<Record<RuntimeName, string>>;

export const runtime: RuntimeName = deno !== undefined ? "deno" : bun !== undefined ? "bun" : "node";

/** The arguments between the runtime's path and a program's. */
export const RUN: readonly string[] = runtime === "deno" ? ["run", "-A", "--no-lock"] : [];

/** Whose connections transfers are made on: node:net's everywhere, and the runtime's own. */
export type ConnectionKind = "node:net" | "Deno.Conn";
export const KINDS: readonly ConnectionKind[] = runtime === "deno" ? ["node:net", "Deno.Conn"] : ["node:net"];

/** The option that loads a module before the program. */
export const IMPORT = runtime === "deno" ? "--preload" : "--import";

/** Each by the feature wanted. */
export type Difference =
  | "the end of a TLS connection"
  | "TLS with a shared key"
  | "progress of a write"
  | "timeout of a stalled socket"
  | "a write that is over at once"
  | "workers that import what the primary does"
  | "the fd of a Unix Deno.Conn"
  | "the order of a later write to a Deno.Conn"
  | "live imports of node:fs"
  | "a Blob of a file is the file"
  | "stdout is a stream"
  | "fd of a response"
  | "the async context of a pipe"
  | "keep-alive of HTTP/1.0"
  | "a loader that can be watched"
  | "a bound of what the kernel holds unsent"
  | "ticks between callbacks"
  | "callbacks without an iterator of arrays"
  | "a handle as Node's"
  | "a module anew"
  | "the error of a connection that fails at once"
  | "a client that is half open"
  | "an answer to half a head"
  | "setNoDelay(false)"
  | "NODE_OPTIONS"
  | "names that are not UTF-8"
  | "a certificate that is looked at"
  | "what close(2) fails with"
  | "a destroyed response without an answer"
  | "a connection that says nothing"
  | "connections in turn"
  | "a listener for *"
  | "two spellings of a header"
  | "highWaterMark of a response"
  | "a highWaterMark of 0"
  | "times of change within a second"
  | "the end of a client's side"
  | "writes to stdio that wait"
  | "an address with a zone"
  | "the count of a short write"
  | "llhttp"
  | "an answer to one who has half-closed";

const DIFFERENCES: Record<RuntimeName, Partial<Record<Difference, string>>> = {
  node: {},
  deno: {
    "an answer to one who has half-closed":
      "an http.Server under Deno fails at times to answer one who has half-closed, on a connection that it was given",
    "the end of a TLS connection": "node:tls under Deno tells nobody that the other side has ended",
    "TLS with a shared key": "node:tls under Deno has no PSK ciphers",
    "progress of a write": "node:net under Deno tells of a write only once it is over",
    "a write that is over at once": "no write of a net.Socket under Deno is over in the same turn",
    "workers that import what the primary does": "a cluster's workers under Deno are not told of --preload",
    "the fd of a Unix Deno.Conn": "Deno tells no fd of a Unix Deno.Conn, and its addresses do not either",
    "the order of a later write to a Deno.Conn": "a write to a Deno.Conn during a transfer goes out in the middle",
    "the async context of a pipe": "under Deno an event of a pipe may be told in none, also without sendoff",
    "live imports of node:fs": "under Deno syncBuiltinESMExports() changes no import",
    "a Blob of a file is the file": "fs.openAsBlob() under Deno reads the file at once",
    "a client that is half open":
      "net.connect() under Deno ends its own side with the other's, also with allowHalfOpen",
    "an answer to half a head": "node:http under Deno answers nothing to a head that ends in its middle",
    NODE_OPTIONS: "Deno takes no --import from NODE_OPTIONS",
    "names that are not UTF-8": "node:fs under Deno leaves out names that are not UTF-8",
    "a certificate that is looked at": "createSecureContext() under Deno takes anything for a certificate",
    "what close(2) fails with": "Deno tells nobody what close(2) fails with",
    "ticks between callbacks": "under Deno several callbacks may run before the ticks of the first",
    "callbacks without an iterator of arrays": "what setImmediate() is given Deno calls by a spread",
    "a handle as Node's": "the handle of a net.Socket under Deno has no bytesWritten",
    llhttp: "node:http under Deno has a parser of its own",
    "times of change within a second": "ctime under Deno is a whole second",
    "writes to stdio that wait": "a write to stdout or stderr under Deno blocks the process until it is taken",
    "the count of a short write": "fs.writeSync() under Deno fails where a part was written, and does not tell which",
    "an address with a zone": "net.connect() under Deno takes no address with a zone",
    "a highWaterMark of 0": "node:http under Deno takes no highWaterMark of 0",
    "highWaterMark of a response": "node:http under Deno does not know the option highWaterMark",
    "a bound of what the kernel holds unsent": "Deno might ask for permission to read what the system has as one",
  },
  bun: {
    "the end of a client's side":
      "node:http under Bun does not tell a server that may be half-closed of a client's end",
    "progress of a write": "node:net under Bun tells of a write only once it is over",
    "timeout of a stalled socket": "a net.Socket under Bun emits no 'timeout' while a write is under way",
    "a Blob of a file is the file": "fs.openAsBlob() under Bun does not notice a change",
    "stdout is a stream": "process.stdout under Bun has a write() of its own, and no queue to wait in",
    "fd of a response": "a response of node:http under Bun has no socket with an fd",
    "keep-alive of HTTP/1.0": "node:http under Bun answers no pipelined HTTP/1.0",
    "a loader that can be watched": "require() under Bun does not end in Module._load",
    "what close(2) fails with": "Bun tells nobody what close(2) fails with",
    "a destroyed response without an answer":
      "node:http under Bun answers an empty 200 for a response that is destroyed",
    "a connection that says nothing":
      "a server of node:http under Bun has TCP_DEFER_ACCEPT: it hears of a client by its first byte",
    "connections in turn": "workers of node:cluster under Bun each listen, and the kernel chooses between them",
    "a listener for *": "node:http under Bun answers a request for * itself",
    "two spellings of a header":
      "writeHead() under Bun takes the last of two spellings of a header, and drops the other",
    "TLS with a shared key": "node:tls under Bun has no PSK ciphers",
    "a handle as Node's": "a net.Socket under Bun writes by a handle with other methods",
    "the error of a connection that fails at once": "net.connect() under Bun is destroyed before it tells ENOENT",
    "setNoDelay(false)": "a net.Socket under Bun has TCP_NODELAY also after setNoDelay(false)",
    NODE_OPTIONS: "Bun takes nothing from NODE_OPTIONS",
    llhttp: "node:http under Bun has a parser of its own",
    "a module anew": "under Bun a module is the same with any query",
    "live imports of node:fs": "under Bun syncBuiltinESMExports() changes no import",
  },
};

/** Why this runtime lacks the feature; null if it has it. */
export function lacks(difference: Difference): string | null {
  return DIFFERENCES[runtime][difference] ?? null;
}
