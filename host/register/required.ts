// The same for node --require and for bundlers, which can't have an await here.

import "./pipes.js";
import "./files.js";
