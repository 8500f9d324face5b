// A folder and a download over Express: node express.js [FOLDER] [PORT]

import { createRequire } from "node:module";
import path from "node:path";
import express from "express";
import { drainOnExit } from "sendoff";
import { accelerate } from "sendoff/http";

const [folder = ".", port = process.env.PORT ?? 8080] = process.argv.slice(2);

// All of Express's files go through `send`: its own copy of it, which need not be the one that we would import.
accelerate(createRequire(import.meta.resolve("express"))("send"));

// From here on it is the program that it would be without sendoff.
const app = express();

app.use("/files", express.static(folder));

app.get("/download/:name", (req, res, next) => {
  res.download(req.params.name, { root: path.resolve(folder) }, (error) => {
    // The client has gone in the middle: there is nobody to tell.
    if (error && !res.headersSent) next(error);
  });
});

app.use((req, res) => res.status(404).type("text").send(`404: ${req.originalUrl}\n`));

// Express knows an error handler by its four arguments.
app.use((error, req, res, _next) => {
  const status = error.status ?? 500;
  if (status >= 500) console.error(error);
  if (res.headersSent) return res.destroy();
  res.status(status).type("text").send(`${status}: ${req.originalUrl}\n`);
});

const server = app.listen(port, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`http://127.0.0.1:${server.address().port}/files/`);
});

// SIGTERM and Ctrl-C: no new connections; downloads that run get five seconds.
drainOnExit({ servers: [server] });
