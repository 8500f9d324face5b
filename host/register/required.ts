// node --require sendoff/register server.js: the same without an await, which require() can't take.

import "./pipes.js";
import "./files.js";
