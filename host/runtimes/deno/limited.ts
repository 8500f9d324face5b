// The system's limit of unsent bytes, where it may be read.

import { LIMIT, limited } from "../../libc/linux.js";
import { granted } from "./permissions.js";

/** As of linux(): what may not be read may be so. */
export const isLimited = (): boolean => !granted({ name: "read", path: LIMIT }) || limited();
