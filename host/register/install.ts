// Existing pipes by sendfile: patches fs.ReadStream's _read, which pipe() and pipeline() both call, to move bytes
// natively first, and to read the rest as before. All events are Node's own: pipe(), 'end', 'close' and the rest run
// unchanged; there is only less left to read.

import fs from "node:fs";
import { apply, call, SafeWeakMap, setImmediate } from "../originals.js";
import type { Shared } from "../shared.js";
import { known } from "../source/unchanged.js";
import { type OnDecision, Pipe } from "./pipe.js";
import { closeAtOnce, destinations, refuse, type Stream, usesFs } from "./stream.js";

// As they are when this is loaded: later replacements must see the bytes.
const { open } = fs.ReadStream.prototype as unknown as Stream;
const { open: fsOpen, close: fsClose, stat: fsStat } = fs;

/** Patches fs.ReadStream and fs.stat of the process; `onDecision` gets the reason for each pipe that is skipped, and null for another. Returns an undo. */
export function install(shared: Shared, onDecision: OnDecision): () => void {
  const proto = fs.ReadStream.prototype as unknown as Stream;
  const { _construct, _read: original, _destroy, unpipe } = proto;
  const runs = new SafeWeakMap<Stream, Pipe | null>();

  proto._read = function _read(this: Stream, size: number): void {
    let run = runs.get(this);
    if (run === undefined) {
      const refusal = shared.sys === null ? `no native calls here: ${shared.reason}` : refuse(this, _read);
      if (refusal !== null && destinations(this).length > 0) onDecision(refusal);
      run = refusal === null ? new Pipe(shared, this, original, onDecision) : null;
      runs.set(this, run);
    }
    if (run === null) call(original, this, size);
    else run.read(size);
  };

  // Opens and closes at once if that needs no thread. Events are emitted in a later turn, as always.
  proto._construct = function (this: Stream, callback): void {
    const own = this.flags === "r" && typeof this.fd !== "number" && this.open === open && usesFs(this);
    const opened = own && typeof this.path === "string" && fs.open === fsOpen ? shared.opener.open(this.path) : null;
    if (opened === null) return call(_construct, this, callback);
    setImmediate(() => {
      this.fd = opened.fd;
      callback();
      this.emit("open", opened.fd);
      this.emit("ready");
    });
  };
  proto._destroy = function (this: Stream, error, callback): void {
    const { fd } = this;
    const run = runs.get(this);
    run?.release();
    if (typeof fd !== "number" || run?.whole !== true || fs.close !== fsClose) {
      return call(_destroy, this, error, callback);
    }
    closeAtOnce(this, fd, error, callback);
  };

  // The only sign that the destination has gone: many programs leave the stream open then.
  proto.unpipe = function (this: Stream, destination) {
    runs.get(this)?.release();
    return call(unpipe, this, destination);
  };

  // Servers stat a file before streaming it: for a file streamed before, this needs no thread either.
  const stat = function stat(...args: unknown[]): void {
    const path = args[0];
    const callback: unknown = args[1];
    const plain = typeof path === "string" && args.length === 2 && typeof callback === "function";
    const found = plain ? shared.opener.stat(path) : null;
    if (found === null) return apply(fsStat as (...args: unknown[]) => void, fs, args);
    setImmediate(() => (callback as (error: null, stat: fs.Stats) => void)(null, found));
  };
  fs.stat = stat as typeof fs.stat;
  known.add(stat);

  return () => {
    Object.assign(proto, { _construct, _read: original, _destroy, unpipe });
    if (fs.stat === (stat as unknown)) fs.stat = fsStat;
  };
}
