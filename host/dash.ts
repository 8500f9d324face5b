// One run of a transfer at once, without a place in the queue: for a socket that has nothing else to
// write. Most bodies of responses need no more.

import { Action, Flag, Way } from "../assembly/abi.js";
import { max } from "./originals.js";
import type { Queue } from "./queue.js";
import type { Shared } from "./sendfile.js";

export interface Dash {
  /** Done; Yield where a later turn has to go on; else the kernel would wait, or can't. */
  action: Action;
  /** Bytes that went, of header and body. */
  moved: number;
  /** What the socket has no room for: so many bytes, written as ever, are the doorbell. 0 where it is not that. */
  bell: number;
  /** The kernel can't serve this pair of file and socket, now and later. */
  unable: boolean;
  /** The last bytes that went are held back by MSG_MORE. */
  corked: boolean;
}

/**
 * Moves what can be moved now of `header`, which is latin1, and of `count` bytes at `offset` of the regular
 * file `file`. The queue must be idle, and `out` the fd that its `native` has just said.
 */
export function dash(
  { core, turns, scratch }: Shared,
  queue: Queue,
  out: number,
  file: number,
  header: string,
  offset: number,
  count: number,
): Dash {
  const now = turns.enter();
  const handle = core.transfer_open(now);
  if (handle === 0) {
    turns.leave();
    return { action: Action.Copy, moved: 0, bell: 0, unable: false, corked: false };
  }
  core.transfer_extent(handle, header.length, offset, count, 0, Flag.Native | Flag.Probe);
  if (header.length > 0) scratch.write(header);
  const action = core.transfer_run(handle, out, file, now);
  const done = action === Action.Done; // as nearly always: then there is nothing to ask
  const moved = done ? header.length + count : core.transfer_tally(handle, Way.Native);
  const corked = !done && core.transfer_corked(handle) === 1;
  const way = action === Action.Copy ? core.transfer_way(handle) : Way.Native;
  const unable = way === Way.Copied;
  const bell = way === Way.Doorbell ? core.transfer_want(handle) - max(0, header.length - moved) : 0;
  core.transfer_close(handle);
  queue.moved(moved);
  turns.leave();
  return { action, moved, bell, unable, corked };
}
