// An FTP server whose downloads take the kernel's way: node ftp.js [FOLDER] [PORT]
//
// ftp-srv's own RETR reads a stream and writes its chunks to the data connection. A FileSystem class of one's own, the
// documented way to lend it other files, changes nothing about that: what it returns is read, ABOR is not heard
// until all of it has gone, and whatever goes wrong is a 551. So RETR and ABOR are replaced in its table of commands;
// logins, listings, REST and the data connections are ftp-srv's.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { FtpSrv } from "ftp-srv";
import commands from "ftp-srv/src/commands/registry.js";
import { drainOnExit, sendfile } from "sendoff";

const [folder = ".", port = process.env.PORT ?? 2121] = process.argv.slice(2);

/** The downloads that run, by their control connections: how to abort one, and when it is over. */
const downloads = new Map();

/** RFC 959, section 4.1.3; `this` is the control connection. */
commands.RETR.handler = async function ({ command }) {
  // A data connection carries one file. Besides, the next command can be here before our last reply is known to be out.
  while (downloads.has(this)) await downloads.get(this).over;
  const aborter = new AbortController();
  const over = retrieve(this, command.arg, aborter.signal)
    .then(async (reply) => {
      await hangUp(this);
      await this.reply(...reply);
    })
    .finally(() => downloads.delete(this));
  downloads.set(this, { abort: () => aborter.abort(), over });
  return over;
};

/** The download that runs says 426, and then ABOR itself 226. */
commands.ABOR.handler = async function () {
  const download = downloads.get(this);
  download?.abort();
  await download?.over;
  await hangUp(this);
  return this.reply(226, "Nothing is being sent any more");
};

/** Sends a file over the data connection; returns what to reply. */
async function retrieve(connection, name, signal) {
  const offset = connection.restByteCount ?? 0;
  connection.restByteCount = 0; // REST holds for one download
  const ascii = connection.transferType === "ascii";

  if (name === null) return [501, "Which file?"];
  const path = connection.fs._resolvePath(name).fsPath;
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return [550, "No such file"];
  // RFC 1123, section 4.1.3.4. As text a file is longer than it is, and an offset in it has no place in the file.
  if (offset > found.size || (ascii && offset > 0)) return [554, "It can't be resumed there"];

  const socket = await connection.connector.waitForConnection().catch(() => null);
  if (socket === null) return [425, "No data connection"];

  await connection.reply(150, ascii ? "Here it comes, as text" : `Here it comes (${found.size - offset} bytes)`);
  try {
    if (ascii) await sendfile(socket, lines(path), { signal, timeout: 60_000 });
    else await sendfile(socket, path, { offset, signal, timeout: 60_000 });
    return [226, "That was all of it"];
  } catch (error) {
    socket.destroy();
    const gone = error.code === "ERR_SENDFILE_CLOSED" || error.code === "ERR_SENDFILE_ABORTED";
    return gone ? [426, "The download was aborted"] : [451, "The file can't be read"];
  }
}

/** Ends the data connection and waits until it is gone: when it goes, ftp-srv forgets the one that it has by then. */
async function hangUp({ connector }) {
  const { socket } = connector;
  connector.end();
  if (socket && !socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}

/** TYPE A: lines end in CR LF (RFC 959, section 3.1.1.1). The kernel changes no bytes, so these are copied. */
async function* lines(path) {
  let before = "";
  for await (const text of createReadStream(path, { encoding: "latin1" })) {
    yield Buffer.from((before + text).replace(/(?<!\r)\n/g, "\r\n").slice(before.length), "latin1");
    before = text.endsWith("\r") ? "\r" : "";
  }
}

// A logger in bunyan's words, and quiet: what a client did wrong it is told.
const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

const ftp = new FtpSrv({
  url: `ftp://127.0.0.1:${port}`,
  pasv_url: "127.0.0.1",
  pasv_min: 0, // any port that is free
  pasv_max: 0,
  anonymous: true,
  blacklist: ["ALLO", "APPE", "DELE", "MKD", "RMD", "RNFR", "RNTO", "SITE", "STOR", "STOU"],
  log: quiet,
});
ftp.on("login", (_login, resolve) => resolve({ root: folder }));

// ftp-srv exits with 0 on these, downloads or no downloads.
for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"]) process.removeAllListeners(signal);

// SIGTERM and Ctrl-C: no new connections; downloads that run get five seconds, clients that wait are told (421).
drainOnExit({
  servers: [
    {
      close: (done) => ftp.server.close(done),
      closeIdleConnections() {
        for (const connection of Object.values(ftp.connections)) if (!downloads.has(connection)) connection.close();
      },
    },
  ],
});

await ftp.listen();
console.log(`ftp://127.0.0.1:${ftp.server.address().port}/`);
