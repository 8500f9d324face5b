// node --import sendoff/register server.js: an import with no exports. The server is loaded only for those who want it.

import "./pipes.js";

if (process.env.SENDOFF_FILES || process.env.SENDOFF_FILES_PORT) await import("./files.js");
