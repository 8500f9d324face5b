// Children are run by qemu-user as well, and those that are not of this architecture have no use for its libraries.

process.execPath = require("node:path").join(__dirname, "node");
delete process.env.LD_PRELOAD;
