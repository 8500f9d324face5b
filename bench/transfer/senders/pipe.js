// createReadStream().pipe(socket).
//
//   pipe.js '{"file":PATH,"clients":N,"highWaterMark":BYTES,"queueing":BOOL}'

import { createReadStream } from "node:fs";
import { serve } from "./serve.js";

const { file, clients, highWaterMark, queueing } = JSON.parse(process.argv[2]);

serve(
  clients,
  (socket) => {
    createReadStream(file, { highWaterMark }).pipe(socket);
    return Promise.resolve();
  },
  undefined,
  queueing,
);
