// The message of a failure.

import { SendfileError } from "sendoff";

/** A failure in one line: code, message, and bytes sent. */
export function explain(error: unknown): string {
  const { code, message, errors } = error as NodeJS.ErrnoException & { errors?: Error[] };
  // A name with several addresses fails with several errors, and no message of its own.
  const nested = errors ?? (error as { cause?: { errors?: Error[] } }).cause?.errors ?? [];
  const words = (message || nested.map((one) => one.message).join(", ")).replaceAll("\n", " ");
  const text = code === undefined || words.includes(code) ? words : `${code}: ${words}`;
  if (!(error instanceof SendfileError)) return text;
  const hint = code === "ERR_SENDFILE_NOT_AVAILABLE" ? " (sendoff info may say why)" : "";
  return `${text}${hint}; ${error.sent} bytes sent`;
}
