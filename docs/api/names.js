// A plugin of TypeDoc: modules are called as programs import them, not by their files.

import { Converter, ReflectionKind } from "typedoc";

const NAMES = {
  "host/runtimes/node": "sendoff",
  "host/runtimes/node/exit": "sendoff/exit",
  "host/runtimes/deno": "sendoff (Deno)",
  "host/runtimes/bun": "sendoff (Bun)",
  "host/http": "sendoff/http",
  "host/server": "sendoff/server",
  host: "sendoff/host",
};

export function load({ converter }) {
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      if (NAMES[module.name] === undefined) throw new Error(`docs/api/names.js has no name for ${module.name}`);
      module.name = NAMES[module.name];
    }
  });
}
