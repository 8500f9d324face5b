// The WASI command on a host that fails: the nth call, n = 1, 2, … until a run meets no fault; short reads and
// writes; polls that lie. It sends exactly the bytes, or says with one line why not, and how many it has sent.

import * as assert from "uvu/assert";
import { type Ended, Errno, each, type File, type Module, type Options, run } from "./lib/wasi.js";

const KiB = 1024;
const SIZE = 200 * KiB + 7;
const files = { "3:file": { size: SIZE } };
const { EACCES, EAGAIN, EBADF, EINTR, EIO, ENOSYS, EPIPE } = Errno;

/** Runs it over one file. `args` follow the path. */
function send(module: Module, options: Options & { file?: File } = {}): Ended {
  const { file = { size: SIZE }, args = [], ...rest } = options;
  const at = args.indexOf("--offset");
  return run(module, at < 0 ? 0 : Number(args[at + 1]), {
    files: { "3:file": file },
    args: ["/file", ...args],
    ...rest,
  });
}

function done({ code, stderr, sent }: Ended, bytes: number, where = ""): void {
  assert.equal({ code, stderr, sent }, { code: 0, stderr: "", sent: bytes }, where);
}

function failed({ code, stderr, sent }: Ended, line: string, where = ""): void {
  assert.equal({ code, stderr }, { code: 1, stderr: `sendoff: ${line.replace("{sent}", String(sent))}\n` }, where);
}

/** Numbers from a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let a = seed;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

each("wasi: faults", (test, module) => {
  for (const lasting of [false, true]) {
    for (const [name, errno] of Object.entries({ EAGAIN, EINTR, EIO, EPIPE, EBADF, EACCES, ENOSYS })) {
      test(`${name} at every nth call, ${lasting ? "lasting" : "passing"}`, () => {
        const met = new Set<string>();
        for (let nth = 1; ; nth++) {
          let hit = "";
          // A fault that lasts is one of that call's.
          const fault = (call: string, n: number) => {
            if (n === nth) hit = call;
            return n === nth || (lasting && n > nth && call === hit) ? errno : 0;
          };
          const end = send(module, { fault, args: ["--timeout", "100"] });
          const where = `call ${nth}, ${hit}`;
          met.add(hit);
          if (hit === "") {
            done(end, SIZE, where);
            break;
          }
          assert.ok(nth < 100, "there is a run without a fault");
          assert.ok(end.sent <= SIZE, where);
          if (end.code === 0) done(end, SIZE, where);
          else assert.match(end.stderr, /^sendoff: [^\n]+\n$/, where);
          const said = end.stderr.match(/, (\d+) bytes sent\n$/);
          if (said !== null) assert.is(Number(said[1]), end.sent, where);

          const moving = hit === "fd_pread" || hit === "fd_write";
          if (/^(args|environ)/.test(hit)) assert.is(end.code, 2, where);
          else if (hit === "clock_time_get" || hit === "poll_oneoff") assert.is(end.code, 0, where);
          else if (moving && !lasting && (errno === EAGAIN || errno === EINTR)) assert.is(end.code, 0, where);
          else if (moving && (errno === EAGAIN || errno === EINTR)) {
            failed(end, "fd 1: timed out: no progress, {sent} bytes sent", where);
          } else if (moving) {
            assert.is(end.code, 1, where);
            assert.match(end.stderr, hit === "fd_write" ? /^sendoff: fd 1: / : /^sendoff: \/file: /, where);
          } else if (hit !== "fd_prestat_get") assert.is(end.code, 1, where); // another folder may do
        }
        for (const call of ["args_get", "environ_get", "path_open", "fd_filestat_get", "fd_pread", "fd_write", ""]) {
          assert.ok(met.has(call), `${call} was made to fail`);
        }
      });
    }
  }

  test("short reads and short writes, full buffers, interruptions", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const pick = random(seed);
      const most = 1 + pick(100_000);
      const end = send(module, {
        moves: (count) => 1 + pick(Math.min(count, most)),
        fault: (call) => {
          if (call !== "fd_pread" && call !== "fd_write") return 0;
          return [0, 0, 0, EAGAIN, EINTR][pick(5)] as number;
        },
        args: ["--offset", String(pick(1000)), "--count", String(SIZE - 1000)],
      });
      done(end, SIZE - 1000, `seed ${seed}`);
    }
  });

  for (const poll of ["true", "ready", "fails", "event fails", "nothing"] as const) {
    test(`a reader that is slow, and a poll that is: ${poll}`, () => {
      let now = 0;
      // Full for 20 calls after each one that moved something.
      const fault = (call: string) => (call === "fd_write" && now++ % 21 !== 20 ? EAGAIN : 0);
      const end = send(module, { fault, poll });
      done(end, SIZE);
      const writes = end.calls.fd_write as number;
      assert.ok((end.calls.poll_oneoff as number) <= 2 * writes, `${end.calls.poll_oneoff} polls, ${writes} writes`);
      // No poll spins: where nothing came of the first, it sleeps.
      assert.ok(end.ms >= 4 * (1 + 2 + 4 + 8 + 16 + 32), `${end.ms} ms`);
      assert.ok(end.ms < 4 * 20 * 1100, `${end.ms} ms`);
    });
  }

  for (const [name, errno] of Object.entries({ EINTR, EIO })) {
    test(`the nth poll fails: ${name}`, () => {
      for (let nth = 1; ; nth++) {
        let writes = 0;
        let polls = 0;
        const fault = (call: string) => {
          if (call === "fd_write" && writes++ % 3 !== 2) return EAGAIN;
          return call === "poll_oneoff" && ++polls === nth ? errno : 0;
        };
        done(send(module, { fault }), SIZE, `poll ${nth}`);
        if (polls < nth) break;
        assert.ok(nth < 100, "there is a run in which none fails");
      }
    });
  }

  test("no poll while nothing is full", () => {
    assert.is(send(module).calls.poll_oneoff, undefined);
  });

  test("a host that can neither poll nor sleep is given up", () => {
    const end = send(module, { poll: "does not sleep", fault: (call) => (call === "fd_write" ? EAGAIN : 0) });
    failed(end, "fd 1: Resource temporarily unavailable, 0 bytes sent");
    assert.ok(end.total < 10_000, `${end.total} calls`);
  });

  test("a write that takes nothing is one to wait for", () => {
    let writes = 0;
    done(send(module, { moves: (count, name) => (name === "fd_write" && writes++ % 2 === 0 ? 0 : count) }), SIZE);
  });

  test("a host that answers with more than it was asked for is not believed", () => {
    for (const call of ["fd_pread", "fd_write"]) {
      const end = send(module, { moves: (count, name) => (name === call ? count + 1 : count) });
      assert.is(end.code, 1);
      assert.match(end.stderr, /Input\/output error, 0 bytes sent/);
    }
  });

  test("timeout: no progress", () => {
    let writes = 0;
    const end = send(module, {
      fault: (call) => (call === "fd_write" && ++writes > 1 ? EAGAIN : 0),
      args: ["--timeout", "500"],
    });
    failed(end, `fd 1: timed out: no progress, ${64 * KiB} bytes sent`);
    assert.ok(end.ms >= 500 && end.ms < 700, `${end.ms} ms`);
  });

  test("deadline: also with progress", () => {
    let writes = 0;
    // Each write waits for 1 ms, and then a byte goes.
    const fault = (call: string) => (call === "fd_write" && writes++ % 2 === 0 ? EAGAIN : 0);
    const end = send(module, {
      fault,
      poll: "fails",
      moves: (n, name) => (name === "fd_write" ? 1 : n),
      args: ["--deadline", "300", "--timeout", "100"],
    });
    failed(end, "fd 1: the deadline has passed, {sent} bytes sent");
    assert.ok(end.sent > 10, `${end.sent} bytes`);
    assert.ok(end.ms >= 300 && end.ms < 400, `${end.ms} ms`);
  });

  test("a file that is shorter than it was at the start", () => {
    const end = send(module, { file: { size: SIZE, there: 100 * KiB } });
    failed(end, `/file: the file ended before its count, ${100 * KiB} bytes sent`);
  });

  test("a count that is more than there is; an offset at the end, and behind it", () => {
    done(send(module, { args: ["--count", "999999999999"] }), SIZE);
    done(send(module, { args: ["--offset", String(SIZE - 1), "--count", "2"] }), 1);
    for (const offset of [SIZE, SIZE + 1, 2 ** 53 - 1]) {
      const end = send(module, { args: ["--offset", String(offset)] });
      done(end, 0);
      assert.is(end.calls.fd_pread, undefined, "nothing is read");
    }
  });

  test("at 2^31, 2^32 and 2^53", () => {
    const size = 2 ** 53 - 1;
    for (const edge of [2 ** 31, 2 ** 32, size]) {
      const offset = edge - 70_000;
      done(
        send(module, { file: { size }, args: ["--offset", String(offset), "--count", "140000"] }),
        edge === size ? 70_000 : 140_000,
      );
    }
  });

  test("a file that is larger than a number is exact: up to 2^53 - 1", () => {
    done(send(module, { file: { size: 2 ** 60 }, args: ["--offset", String(2 ** 53 - 1001)] }), 1000);
  });

  test("a stream: to its end, or its count; read in order, and not from an offset", () => {
    const file: File = { type: "stream", size: SIZE };
    const pick = random(7);
    const end = send(module, { file, moves: (count) => 1 + pick(count) });
    done(end, SIZE);
    assert.is(end.calls.fd_pread, undefined);
    done(send(module, { file, args: ["--count", "100"] }), 100);
    done(send(module, { file, args: ["--count", "999999999999"] }), SIZE);
    failed(send(module, { file, args: ["--offset", "1"] }), "/file: Illegal seek");
  });

  test("a file of size 0 that has bytes, as those of /proc; and one that has none", () => {
    done(send(module, { file: { size: 0, there: 3000 } }), 3000);
    done(send(module, { file: { size: 0, there: 3000 }, args: ["--offset", "1000"] }), 2000);
    done(send(module, { file: { size: 0 } }), 0);
  });

  test("a folder, a missing file, a closed descriptor", () => {
    failed(send(module, { file: { type: "folder", size: 4096 } }), "/file: Is a directory");
    failed(run(module, 0, { files, args: ["/nope"] }), "/nope: No such file or directory");
    failed(send(module, { args: ["--fd", "9"] }), "fd 9: Bad file descriptor, 0 bytes sent");
  });

  // Which folder is asked, and for what.
  const PLACES: [path: string, folders: string[], opened: string | null][] = [
    ["/a/b", ["/"], "3:a/b"],
    ["//a//b", ["/"], "3:a//b"],
    ["/", ["/"], "3:."],
    ["/a/b", ["/", "/a"], "4:b"],
    ["/a/b", ["/a", "/"], "3:b"],
    ["/a/b", ["/a/"], "3:b"],
    ["/a", ["/a"], "3:."],
    ["/ab/c", ["/a"], null],
    ["/a/b/c", ["/", "/a", "/a/b", "/a/c"], "5:c"],
    ["/b", ["/a"], null],
    ["/b", ["."], null],
    ["b", ["."], "3:b"],
    ["./b", ["."], "3:b"],
    [".", ["."], "3:."],
    [".hidden", ["."], "3:.hidden"],
    ["../b", ["."], "3:../b"],
    ["a/b", [".", "a"], "4:b"],
    ["a/b", ["/", "."], "4:a/b"],
    ["a/b", ["/x", "./a"], "4:b"],
    ["b", ["/x", "/y"], "3:b"],
    ["ab", ["a", "/"], "3:ab"],
    ["b", [], null],
  ];
  for (const [path, folders, opened] of PLACES) {
    test(`${path} in ${folders.join(" and ") || "no folder"}`, () => {
      const end = run(module, 0, { folders, args: [path] });
      assert.is(end.opened, opened);
      failed(
        end,
        `${path}: ${opened === null ? "in no folder that the host has opened" : "No such file or directory"}`,
      );
    });
  }

  const OFFSET = "an integer, 0 to 9007199254740991";
  const USAGE = "sendoff PATH [--offset N] [--count N] [--fd N] [--timeout MS] [--deadline MS]";
  const WRONG: [args: string[], env: Record<string, string>, line: string][] = [
    [[], {}, `PATH is missing: ${USAGE}`],
    [[], { SENDOFF_PATH: "" }, `PATH is missing: ${USAGE}`],
    [["--"], {}, `PATH is missing: ${USAGE}`],
    [[""], {}, "unexpected argument "],
    [["/file", "other"], {}, "unexpected argument other"],
    [["/file", "--size", "1"], {}, "unknown option --size"],
    [["/file", "--path", "x"], {}, "unknown option --path"],
    [["/file", "--offsets", "1"], {}, "unknown option --offsets"],
    [["/file", "--off\nset"], {}, "unknown option --off?set"],
    [["--offset"], {}, "a value is missing behind --offset"],
    [["/file", "--offset", ""], {}, `--offset must be ${OFFSET}, not `],
    [["/file", "--offset="], {}, `--offset must be ${OFFSET}, not `],
    [["/file", "--offset", "x"], {}, `--offset must be ${OFFSET}, not x`],
    [["/file", "--offset", "-1"], {}, `--offset must be ${OFFSET}, not -1`],
    [["/file", "--offset", "1.5"], {}, `--offset must be ${OFFSET}, not 1.5`],
    [["/file", "--offset", "0x10"], {}, `--offset must be ${OFFSET}, not 0x10`],
    [["/file", "--offset", "9007199254740992"], {}, `--offset must be ${OFFSET}, not 9007199254740992`],
    [["/file", "--offset", "99999999999999999999"], {}, `--offset must be ${OFFSET}, not 99999999999999999999`],
    [["/file", "--count", "0"], {}, "--count must be an integer, 1 to 9007199254740991, not 0"],
    [["/file", "--count=-1"], {}, "--count must be an integer, 1 to 9007199254740991, not -1"],
    [["/file", "--fd", "stdout"], {}, "--fd must be an integer, 0 to 2147483647, not stdout"],
    [["/file", "--fd", "2147483648"], {}, "--fd must be an integer, 0 to 2147483647, not 2147483648"],
    [["/file", "--timeout", "1s"], {}, `--timeout must be ${OFFSET}, not 1s`],
    [["/file", "--deadline", "soon"], {}, `--deadline must be ${OFFSET}, not soon`],
    [["/file"], { SENDOFF_COUNT: "0" }, "SENDOFF_COUNT must be an integer, 1 to 9007199254740991, not 0"],
    [["/file"], { SENDOFF_DEADLINE: " 1" }, `SENDOFF_DEADLINE must be ${OFFSET}, not  1`],
    [["/file"], { LARGE: "x".repeat(200_000) }, "the environment: longer than 196608 bytes"],
    [["/file", "x".repeat(200_000)], {}, "the arguments: longer than 196608 bytes"],
  ];
  for (const [args, env, line] of WRONG) {
    test(`wrong: ${line}`, () => {
      const { code, stderr, sent } = run(module, 0, { files, args, env });
      assert.equal({ code, stderr, sent }, { code: 2, stderr: `sendoff: ${line}\n`, sent: 0 });
    });
  }

  const RIGHT: [args: string[], env: Record<string, string>, offset: number, sent: number][] = [
    [["--count", "10", "/file"], {}, 0, 10],
    [["--count=10", "--", "/file"], {}, 0, 10],
    [["/file", "--count", "10", "--count", "20"], {}, 0, 20],
    [["/file", "--offset", "007", "--count", "10"], {}, 7, 10],
    [[], { SENDOFF_PATH: "/file", SENDOFF_OFFSET: "5", SENDOFF_COUNT: "10", SENDOFF_FD: "1" }, 5, 10],
    [["/file", "--count", "20"], { SENDOFF_PATH: "/nope", SENDOFF_OFFSET: "5", SENDOFF_COUNT: "x" }, 5, 20],
    [["/file"], { SENDOFF_OFFSET: "", SENDOFF_TIMEOUT: "0", SENDOFF_DEADLINE: "0" }, 0, SIZE],
    [["/file"], { SENDOFF: "1", SENDOFF_OFFSETS: "x", SENDOFF_MODE: "copy", offset: "9" }, 0, SIZE],
  ];
  for (const [args, env, offset, sent] of RIGHT) {
    test(`right: ${args.join(" ")} ${JSON.stringify(env)}`, () =>
      done(run(module, offset, { files, args, env }), sent));
  }
});
