// Mistakes that have been made, or would be, in the host and the command: by the test file that is to notice them, their
// name, a text that stands once in host/ and cli/, and what it says with the mistake.

type Mutations = { readonly [name: string]: readonly [find: string, replace: string] };

export const TABLE: { readonly [test: string]: Mutations } = {
  open: {
    "fd-of-a-stat-left-open": [
      "    const stat = fstat(fd);\n    closeFd(fd);\n    return stat;",
      "    return fstat(fd);",
    ],
    "fd-of-a-folder-left-open": [
      "    closeFd(fd);\n    if (stat !== null) this.#met.delete(path);",
      "    if (stat !== null) this.#met.delete(path);",
    ],
    "opens-on-networks": ["this.#local.set(dev, LOCAL.has(found.type))", "this.#local.set(dev, true)"],
    "opens-past-permissions": ["guarded ? null : sys", "sys"],
    "fd-is-inherited": ["const READ = O_NONBLOCK | O_CLOEXEC", "const READ = O_NONBLOCK"],
  },
  "pitfalls.files": {
    "read-ahead-beyond-the-end": ["Math.min(known.bytes, length)", "length"],
    "sysfs-is-believed": ["stat.size <= 4096)", "stat.size < 4096)"],
    "reads-after-the-close": ["if (this.#closing) return done(closedFile(), NOTHING);", ""],
    "count-beyond-the-end": [
      "this.count = Math.min(Math.max(0, Math.min(size, MAX) - offset), count);",
      "this.count = Math.min(MAX, count);",
    ],
    "position-left-behind": ["this.source.seek(this.options.offset + sent, ", "this.source.seek(sent, "],
    "range-error-without-its-code": ["const code = type === RangeError", "const code = type === TypeError"],
    "file-error-is-the-peers": ["return n === -Fault.Closed ? -Fault.System : n;", "return n;"],
    "offset-of-32-bits": [
      "      put(OFFSET, offset);\n      return",
      "      put(OFFSET, offset % 2 ** 32);\n      return",
    ],
  },
  "pitfalls.sockets": {
    "another-file-by-the-same-fd": [
      "return stat?.dev === this.#dev && stat.ino === this.#ino ? this.#fd : -1;",
      "return this.#fd;",
    ],
    "another-file-in-a-read": [
      "if (error || this.fd() >= 0) done(error, bytes);",
      "if (error || this.#fd >= 0) done(error, bytes);",
    ],
    "batches-never-again": ["if (--this.#batch.jobs === 0)", "if (this.#batch.jobs-- === 0)"],
    "idle-timer-forgotten": ["this.#inner._unrefTimer?.();", ""],
    "in-flight-is-sent": ["const flight = this.#queue.closed ? 0 : this.flight;", "const flight = this.flight;"],
  },
  "pitfalls.streams": {
    "early-error-is-fatal": ['if (typeof on === "function") on.call(this.#iterable, "error", () => {});', ""],
    "source-not-destroyed": [
      "if (destroy !== undefined) destroy.call(this.#iterable);",
      "if (destroy !== undefined) return;",
    ],
    "drain-not-waited-for": ["if (more !== false) done();", "if (more !== undefined) done();"],
    "last-abort-listener": ["if (set.delete(onAbort) && set.size === 0)", "if (set.delete(onAbort) && set.size === 1)"],
  },
  "pitfalls.kernel": {
    "more-forgotten": ["(more === 0 ? 0 : MSG_MORE)", "0"],
    "memory-grew": ["words.length > 0 ? words : (words =", "(frameWords.made ??= words ="],
    "scratch-grew": ["if (this.#bytes.length === 0) this.#bytes =", "if (this.#bytes === undefined) this.#bytes ="],
    "nodelay-taken-away": ["if (before !== 0) return;", ""],
    "nodelay-left-behind": ["      words[OPTVAL] = 0;\n", ""],
    "corked-at-the-end": ["if (fd >= 0) this.#shared.sys?.uncork(fd);", ""],
    "bound-of-others-taken": [
      "option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT) !== 0)",
      "option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT) < 0)",
    ],
    "not-to-be-interrupted": ['[Fault.Interrupted, ["EINTR"]],', ""],
    "einval-is-an-error": ['["EINVAL", "EOPNOTSUPP"', '["EOPNOTSUPP"'],
    "errno-of-the-wrong-sign": ["{ sent, errno: -errno, syscall }", "{ sent, errno, syscall }"],
  },
  turns: {
    "the-others-wait-for-ever": ["if (this.#waiting.length > 0 && !this.#asked) this.#ask();", ""],
  },
  drain: {
    "idle-connections-kept": ["server.closeIdleConnections?.();", ";"],
    "new-ones-may-start": ["this.#draining = true;", ""],
    "place-of-the-last": ["      last.slot = slot;", ""],
    "for-ever-is-now": [
      "timer = setTimeout(resolve, Math.min(timeout, LONGEST));",
      "timer = setTimeout(resolve, timeout);",
    ],
  },
  ranges: {
    "range-end-one-more": ["end: Math.max(start, start + count - 1)", "end: Math.max(start, start + count)"],
  },
  static: {
    "beside-the-root": ["= path.relative(root, file);", '= file.startsWith(root) ? "" : "..";'],
    "above-the-root": ["= path.relative(root, file);", '= path.relative(root, file).replace("../", "");'],
    "size-not-looked-at": ["known.size !== size ||", ""],
    "time-not-looked-at": ["|| known.mtimeMs !== mtimeMs", ""],
    "settings-not-looked-at": ["!== known.settings[i]) return false;", "=== SETTINGS) return false;"],
    "range-by-known-headers": ["if (req.headers.range !== undefined || ", "if ("],
    "etag-that-is-there": ["if (res.getHeader(NAMES[i] as string) !== undefined) return false;", ";"],
    "redirect-to-another-host": ['asked.replace(/^\\/+/, "/")', "asked"],
    "vary-forgotten": ["    vary(res);\n", ""],
    "coding-of-an-error": ['if (!res.headersSent) res.removeHeader("Content-Encoding");', ""],
    "worst-coding-first": [".sort(([, a], [, b]) => b - a)", ".sort(([, a], [, b]) => a - b)"],
    "undo-takes-others-away": ["if (last) Object.assign(proto, before);", "Object.assign(proto, before);"],
    "arguments-not-seen": [' && !text.includes("arguments")', ""],
  },
  register: {
    "send-told-of-twice": [" && !known.has(exports) && makes(exports)", " && makes(exports)"],
    "namesake-of-send": [" && makes(exports)) {", ") {"],
    "body-of-a-head": ["    inner._hasBody === true &&\n", ""],
  },
  respond: {
    "header-twice": ["  inner._headerSent = true;\n  return inner._header;", "  return inner._header;"],
    "pipeline-not-told": ["for (const one of [...all]) one();", "for (const one of [...all].slice(1)) one();"],
    "one-destroy-for-all": ["        thrown.push(error);\n", "        throw error;\n"],
  },
  exit: {
    "id-of-another": ["if (this.#entries.get(id) !== entry) return;", ""],
    "twice-is-called-twice": ["if (this.#called.has(fn)) return this.#core.exit_settle(id, 1);", ""],
    "answer-to-another-turn": ["if (turn !== this.#turn || this.#leaving) return;", ""],
    "caught-errors-end": ['if (process.listenerCount("uncaughtException") > 0) return;', ""],
    "before-the-last-beforeexit": [
      'if (process.listenerCount("beforeExit") === 1)',
      'if (process.listenerCount("beforeExit") > 0)',
    ],
    "behind-their-exit": ["process.prependListener.bind(process)", "process.on.bind(process)"],
    "later-listeners-called": ["if (others !== undefined) queueMicrotask(() => others.hold());", ""],
    "stand-in-of-a-stranger": ["standIn.listener = known.listener ?? known;", ""],
    "output-not-waited-for": ["if (--left === 0) done();", "if (--left === 1) done();"],
  },
  "cli.serve": {
    "log-quotes-not-escaped": ["[^\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]", "[^\\x20-\\x5b\\x5d-\\x7e]"],
    "hidden-folders-listed": ['if (!dotfiles && names.some((name) => name.startsWith("."))) throw notFound();', ""],
    "headers-of-the-file-kept": [
      'if (name !== "connection") res.removeHeader(name);',
      'if (name === "connection") res.removeHeader(name);',
    ],
    "pipelined-without-a-bound": ["else if (waiting === PIPELINED) req.socket.destroy();", ""],
    "names-in-html": ["return text\n    .replace(/[&<>\"']/g", "return text\n    .replace(/[&>\"']/g"],
    "what-is-no-file": ["if (stat.isFile() && known(file))", "if (known(file))"],
  },
  "cli.backlog": {
    "room-not-hashed-yet": ["Math.min(this.#slice, free, size - at)", "Math.min(this.#slice, size - at)"],
    "hash-across-the-end": ["const at = this.#hashed % this.#ring.length;", "const at = this.#hashed;"],
  },
  cli: {
    "half-closed-is-received": ["    if (ended) {\n", "    if (ended && deadline < 0) {\n"],
    "a-kilobyte-of-1000": ["Number(digits) * 1024 **", "Number(digits) * 1000 **"],
    "a-minute-of-60-ms": ["m: 60_000", "m: 60"],
    "port-0-is-a-target": ["port < 1 || port > 65535", "port > 65535"],
    "digest-not-compared": [
      "if (expected !== null && expected !== received.digest)",
      "if (expected === received.digest && sent < 0)",
    ],
    "usage-is-status-1": ["process.exitCode = usage ? 2 : 1;", "process.exitCode = 1;"],
    "options-behind-the-dashes": ["const options = end < 0 ? rest : rest.slice(0, end);", "const options = rest;"],
  },
  adapters: {
    "part-of-a-write": ["at += written;", "at = chunk.length;"],
    "those-behind-a-conn-not-told": ["for (const job of this.#jobs.slice(1)) job.drop();", ""],
    "reader-closed-in-a-read": ["if (!this.#busy) this.#reader.close?.();", "this.#reader.close?.();"],
  },
};
