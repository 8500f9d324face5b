// Folders' files below prefixes of the targets, as Express's app.use("/static", …) mounts them: they are not a part of
// the files' names.

import type { Request } from "../http/message.js";
import type { StaticFiles } from "../http/static.js";

/** A folder, and the prefix of its targets: "/static", or "" for all. */
export interface Mount {
  readonly prefix: string;
  readonly root: string;
}

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

/** Of several, the longest prefix that fits a target decides, as nginx's location does. */
export interface Mounted extends StaticFiles {
  /** Whether a target is below one of the prefixes. */
  has(target: string): boolean;
}

export function mountedAll(mounts: readonly Mount[], filesOf: (root: string) => StaticFiles): Mounted {
  const all = mounts
    .map(({ prefix, root }) => ({ prefix, files: mounted(filesOf(root), prefix) }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  const of = (target: string) => all.find(({ prefix }) => below(prefix, target) !== null)?.files;
  return {
    has: (target) => of(target) !== undefined,
    handler(req, res, next) {
      const files = of(req.url ?? "");
      if (files === undefined) next?.();
      else files.handler(req, res, next);
    },
    find: (target, encodings) => of(target)?.find(target, encodings) ?? null,
  };
}
