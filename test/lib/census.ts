// How many records of the core are taken: its exports, counted from outside. A transfer that is over has given its own back.

import type { Core } from "../../host/core.js";
import type { Shared } from "../../host/shared.js";

/** Counts from now on. Every transfer of this host gets its core anew. */
export function census(shared: Shared): { readonly open: number } {
  const { core } = shared;
  const taken = new Set<number>();
  const counted: Core = {
    ...core,
    transfer_open(now) {
      const handle = core.transfer_open(now);
      if (handle !== 0) taken.add(handle);
      return handle;
    },
    transfer_close(handle) {
      core.transfer_close(handle);
      taken.delete(handle);
    },
  };
  (shared as { core: Core }).core = counted;
  return {
    get open() {
      return taken.size;
    },
  };
}
