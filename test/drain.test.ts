// drainOnExit(): a server with a download under way gets SIGTERM.

import * as assert from "uvu/assert";
import { kill, run } from "./lib/ending.js";
import { lacks } from "./lib/runtime.js";
import { suite } from "./lib/scene.js";

const test = suite("drainOnExit");

test("a running transfer is finished, a new one refused, idle connections ended", async () => {
  const { lines, status, stderr } = await run("drain.mjs", { args: ["fast"], act: kill("SIGTERM") });
  assert.equal(lines.slice(0, 2), ["new: ERR_SENDFILE_ABORTED 0", `sent ${32 << 20}`], stderr);
  assert.is(lines[2], "received all true", "the connection was ended once it was idle");
  assert.is(status, "SIGTERM", stderr);
});

const reason = lacks("fd of a response");
const late = "one that is not over by the timeout fails with the bytes sent";
(reason === null ? test : test.skip)(reason === null ? late : `${late} (${reason})`, async () => {
  const { lines, status, stderr } = await run("drain.mjs", { args: ["slow"], act: kill("SIGTERM") });
  assert.equal(lines, ["new: ERR_SENDFILE_ABORTED 0", "ERR_SENDFILE_ABORTED true"], stderr);
  assert.is(status, "SIGTERM", stderr);
});

test.run();
