// The other end of a promise: why it was rejected.

import * as assert from "uvu/assert";
import type { SendfileError } from "../../host/errors.js";

/** The error of a promise that must reject. */
export function failure(promise: Promise<unknown>): Promise<SendfileError> {
  const error = promise.then(
    (value) => assert.unreachable(`resolved with ${value}`),
    (reason) => reason,
  ) as Promise<SendfileError>;
  error.catch(() => {}); // a test that has failed before it looks here has said why
  return error;
}
