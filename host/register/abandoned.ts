// SENDOFF_ABANDONED=destroy: destroys a piped fs.ReadStream whose destination has closed. pipe() leaves such a stream
// open, and its fd with it (nodejs/node#1834). Patches fs.ReadStream's pipe(), which adds a listener to the destination.
//
// The stream is left to the program if anybody else uses it, or takes it over within the turn of the 'close'.

import type { EventEmitter } from "node:events";
import fs from "node:fs";
import { ServerResponse } from "node:http";
import { watch } from "../http/pipelining.js";
import { apply, hasOwn, isArray, setImmediate } from "../originals.js";

/** What SENDOFF_ABANDONED asks for. @throws TypeError for an unknown value. */
export function abandonedOf(value: string | undefined): boolean {
  if (value === undefined || value === "" || value === "leave") return false;
  if (value === "destroy") return true;
  throw new TypeError(`SENDOFF_ABANDONED must be leave or destroy (got '${value}')`);
}

type Pipe = (this: fs.ReadStream, target: unknown, ...options: unknown[]) => unknown;
type Target = EventEmitter & { destroyed?: boolean; closed?: boolean };

/** Patches fs.ReadStream of the process; `onDestroyed` gets the number of streams destroyed so far. Returns an undo. */
export function destroyAbandoned(onDestroyed: (count: number) => void): () => void {
  const proto = fs.ReadStream.prototype as unknown as { pipe: Pipe };
  const inherited = !hasOwn(proto, "pipe");
  const { pipe: original } = proto;
  let count = 0;

  const pipe: Pipe = function pipe(...args) {
    const piped = apply(original, this, args);
    const target = args[0] as Target;
    const check = (): void =>
      void setImmediate(() => {
        if (!isAbandoned(this, target)) return;
        this.destroy();
        onDestroyed(++count);
      });
    if (isClosed(target)) check();
    else if (typeof target.on === "function") onLost(this, target, check);
    return piped;
  };
  proto.pipe = pipe;

  return () => {
    if (proto.pipe !== pipe) return;
    if (inherited) delete (proto as Partial<typeof proto>).pipe;
    else proto.pipe = original;
  };
}

/** Calls `lost` once the target closes while it is piped to: pipe() unpipes it then. */
function onLost(stream: fs.ReadStream, target: Target, lost: () => void): void {
  const unpipe = (source: unknown): void => {
    if (source !== stream) return;
    target.removeListener("unpipe", unpipe);
    forget();
    if (isClosed(target)) lost();
  };
  target.on("unpipe", unpipe);
  // In a pipeline it emits nothing then.
  const forget = target instanceof ServerResponse ? watch(target.req, target, lost) : () => {};
}

function isClosed(target: Target): boolean {
  return target.destroyed === true || target.closed === true;
}

function targets(stream: fs.ReadStream): unknown[] {
  const { pipes } = (stream as unknown as { _readableState: { pipes?: unknown } })._readableState;
  return isArray(pipes) ? pipes : [];
}

/** Whether nobody uses the stream any more; pipe() itself may still be attached, to a target that was closed before. */
function isAbandoned(stream: fs.ReadStream, target: unknown): boolean {
  const all = targets(stream);
  if (all.length > 1 || (all.length === 1 && all[0] !== target)) return false;
  if (stream.destroyed || stream.readableEnded || !closesItself(stream)) return false;
  if (stream.listenerCount("data") !== all.length || stream.listenerCount("readable") !== 0) return false;
  return all.length === 1 || stream.readableFlowing !== true;
}

/** The option autoClose; without it the fd is the program's to close. */
function closesItself(stream: fs.ReadStream): boolean {
  return (stream as fs.ReadStream & { autoClose?: boolean }).autoClose === true;
}
