// A replacement for netem if the kernel has none: test/fixtures/network/relay.c, compiled, which joins two network
// namespaces and applies tc's options to the packets.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** SEED=n loses other frames. */
const SEED = process.env.SEED ?? "1";
const SOURCE = fileURLToPath(new URL("../../../test/fixtures/network/relay.c", import.meta.url));

/** `wire` is there in both namespaces when it resolves, and gone when the process is; that ends with this one. */
export type Relay = (near: string, far: string, words: string[]) => Promise<ChildProcess>;

/** Compiles it for this process; or says why not. */
export function compileRelay(): Relay | string {
  const folder = fs.mkdtempSync(join(tmpdir(), "sendoff-"));
  process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "relay");
  const { error, status, stderr } = spawnSync("cc", ["-O1", "-Wall", "-Wextra", "-Werror", "-o", path, SOURCE, "-lm"], {
    encoding: "utf8",
  });
  if (error) return "there is no cc";
  if (status !== 0) throw new Error(`cc failed: ${stderr}`);

  return async (near, far, words) => {
    // Its stdin is a pipe of ours, which the kernel closes whatever our end.
    const child = spawn(path, [near, far, SEED, ...words], { stdio: ["pipe", "ignore", "pipe"] });
    await once(child, "spawn");
    const hindrance = await text(child.stderr);
    if (hindrance !== "") throw new Error(hindrance.trim());
    // It ends with this process, and must not keep it alive.
    child.unref();
    (child.stdin as Socket).unref();
    return child;
  };
}
