// A site in this process, as `sendoff serve` has it by node:http.

import { serveStatic } from "sendoff/http";
import type { Files } from "../../cli/serve/catalog.js";
import { FILES } from "../../cli/serve/listing.js";
import { type SiteOptions, site, staticOptions } from "../../cli/serve/site.js";
import { type Site, site as serve } from "./web.js";

/** Lists by `files`, and counts who asks. */
export async function listed(
  root: string,
  files: Files = FILES,
  counts = { asked: 0, left: 0 },
  more: Partial<SiteOptions> = {},
): Promise<Site> {
  const answers = { cache: 0, mimeTypes: {}, fields: [], cors: false, page: null };
  const options = { root, listing: true, dotfiles: false, precompressed: false, ...answers, ...more };
  const app = site(options, files);
  const handler = serveStatic(root, staticOptions(options));
  const at = await serve((req, res) => {
    counts.asked++;
    res.once("close", () => counts.left++);
    app(req, res, handler);
  });
  Object.assign(at.server, { httpAllowHalfOpen: true });
  return at;
}
