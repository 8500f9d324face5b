// What a command has to say, on stdout. Where its reader has gone it ends as other commands do, by SIGPIPE: the runtime
// ignores that signal, and gets an error in its place.

import process from "node:process";

/** Resolves once the text is out. @throws where it can't be written. */
export async function print(text: string): Promise<void> {
  const { stdout } = process;
  stdout.on("error", nothing); // the write is told of it
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
    try {
      stdout.write(text, resolve);
    } catch (thrown) {
      resolve(thrown as Error); // Deno throws it
    }
  });
  if (!error) return void stdout.removeListener("error", nothing);
  // Windows has no such signal.
  if (error.code === "EPIPE" && process.platform !== "win32") {
    const { configureExit, exitNow } = await import("sendoff/exit"); // hardly ever needed
    configureExit({ log: null });
    await exitNow("SIGPIPE");
  }
  throw new Error(`stdout can't be written: ${error.message}`);
}

function nothing(): void {}
