// The pages of folders: each is made once for all clients that request it meanwhile, and few at a time.

import { Flights } from "./flights.js";
import type { Listings } from "./listing.js";
import { Limit } from "./pace.js";
import { folderPage, queryOf, type View } from "./page.js";

/** The most pages made at once: each may have a folder open, and all of its names in memory. */
const MADE = 8;

export class Pages {
  readonly #listings: Listings;
  readonly #making = new Flights<Buffer>();
  readonly #limit = new Limit(MADE);

  constructor(listings: Listings) {
    this.#listings = listings;
  }

  /**
   * @param folder is its real path, and @param version its state when requested.
   * @param names are that of the root, and those that lead to it.
   * @throws the reason of `signal`, once that aborts.
   */
  get(
    { folder, version, names }: { folder: string; version: string; names: readonly string[] },
    view: View,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const { order, page, filter } = view;
    // No name has a slash in it.
    const key = [...names, queryOf(order, page, filter), version].join("/");
    return this.#making.share(key, signal, (signal) =>
      this.#limit.run(async () => {
        const listing = await this.#listings.list(folder, order, page, signal, filter);
        return Buffer.from(await folderPage(names, view, listing, signal));
      }),
    );
  }
}
