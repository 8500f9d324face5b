// A folder's files below a prefix of the targets, as Express's app.use("/static", …) mounts them: it is not a part of
// their names.

import type { Request } from "../http/message.js";
import type { StaticFiles } from "../http/static.js";

/** A target below `prefix` ("" for all, else "/static") as its folder has it, with its query; null if it is not below it. */
export function below(prefix: string, target: string): string | null {
  if (!target.startsWith(prefix)) return null;
  const rest = target.slice(prefix.length);
  if (rest.startsWith("/")) return rest;
  // The folder itself, without its slash: a redirect tells the client of that.
  return prefix !== "" && (rest === "" || rest.startsWith("?")) ? `/${rest}` : null;
}

/** `files` for the targets below `prefix`; `next` gets all other requests, as they came. */
export function mounted(files: StaticFiles, prefix: string): StaticFiles {
  return {
    handler(req: Request & { originalUrl?: string }, res, next) {
      const { url = "", originalUrl } = req;
      const target = below(prefix, url);
      if (target === null) return next?.();
      req.originalUrl = url;
      req.url = target;
      if (next === undefined) return files.handler(req, res);
      files.handler(req, res, (error) => {
        req.url = url;
        if (originalUrl === undefined) delete req.originalUrl;
        else req.originalUrl = originalUrl;
        next(error);
      });
    },
    find(target, encodings) {
      const inside = below(prefix, target);
      return inside === null ? null : files.find(inside, encodings);
    },
  };
}
