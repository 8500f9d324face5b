// The core as a state machine: each row is a script of events and the exact transcript of calls and
// answers, on both builds. test/lib/script.ts says how a script reads.

import { each } from "./lib/core.js";
import { play } from "./lib/script.js";

const KiB = 1024;
const MiB = 1024 * KiB;

each("core: transitions", (test, build) => {
  const row = (name: string, script: string) => test(name, () => play(build, script));

  // Every cell of the table in assembly/transfer.ts. Wanted and Finished have no export of their own:
  // `run` is the only way to them, and it is illegal wherever they are.

  const STATES = {
    Ready: "> open count=100",
    Copying: `
      > open count=100
      > run
      Copy 100 at 0 Copied`,
    "Copying, with bytes moved": `
      > open count=100
      > run
      Copy 100 at 0 Copied
      > moved 40`,
    Done: `
      > open
      > run
      Done sent 0`,
    Failed: `
      > open count=100
      > failed Aborted
      Fail Aborted sent 0`,
    Free: `
      > open count=100
      > close`,
  } as const;

  const EVENTS = ["run", "moved 1", "copied 1", "ended", "failed System", "tick", "extent count=5", "close"] as const;

  /** What a legal event leads to; every event that is not here traps. */
  const LEGAL: { [state in keyof typeof STATES]: { [event in (typeof EVENTS)[number]]?: string } } = {
    Ready: {
      run: "Copy 100 at 0 Copied",
      "failed System": "Fail System sent 0",
      tick: "Fail Stalled sent 0",
      "extent count=5": `
        > run
        Copy 5 at 0 Copied`,
      close: "",
    },
    Copying: {
      "moved 1": `
        > at
        1
        > copied 99
        > run
        Done sent 100`,
      "copied 1": `
        > run
        Copy 99 at 1 Copied`,
      ended: "Fail Truncated sent 0",
      "failed System": "Fail System sent 0",
      tick: "Fail Stalled sent 0",
      close: "",
    },
    "Copying, with bytes moved": {
      "moved 1": `
        > at
        41
        > copied 59
        > run
        Done sent 100`,
      "copied 1": `
        > run
        Copy 59 at 41 Copied`,
      ended: "Fail Truncated sent 40",
      "failed System": "Fail System sent 40",
      tick: "Fail Stalled sent 40",
      close: "",
    },
    Done: {
      "extent count=5": `
        > run
        Copy 5 at 0 Copied`,
      close: "",
    },
    Failed: { close: "" },
    Free: {},
  };

  for (const [state, setup] of Object.entries(STATES)) {
    for (const event of EVENTS) {
      const legal = LEGAL[state as keyof typeof STATES][event];
      // The limit is set for the tick, and is legal at any time.
      const limit = event === "tick" ? "> limit timeout=1\n > now 1" : "";
      row(
        `${state}: ${event} ${legal === undefined ? "traps" : "is legal"}`,
        `${setup}
        ${limit}
        > ${event}
        ${legal ?? "trap"}`,
      );
    }
  }

  row(
    "an illegal event in the middle changes nothing: the transfer goes on",
    `
    > open header=10 count=100 native
    > run
    send @0 10 more = 10
    sendfile 0 100 = 60
    sendfile 60 40 = WouldBlock
    Copy 40 at 70 Doorbell
    > run
    trap
    > copied 41
    trap
    > moved -1
    trap
    > moved 2147483647
    trap
    > extent count=5
    trap
    > moved 15
    > copied 26
    trap
    > copied 25
    > copied 0
    trap
    > ended
    trap
    > run
    Done sent 100
    > run
    trap
    > failed System
    trap
    > tally
    Native 70, Doorbell 40, Cold 0, Copied 0
    > close
    > close
    trap
    > run
    trap`,
  );

  row(
    "an extent is never negative, and not said during a copy",
    `
    > open count=100
    > extent header=-1
    trap
    > extent offset=-1
    trap
    > extent count=-1
    trap
    > extent trailer=-1
    trap
    > extent count=NaN
    trap
    > extent count=Infinity
    trap
    > extent offset=NaN
    trap
    > extent offset=1 count=9007199254740991
    trap
    > extent offset=9007199254740991 count=1
    trap
    > extent offset=1 count=9007199254740990
    > extent offset=9007199254740991
    > extent count=8
    > run
    Copy 8 at 0 Copied
    > extent count=100
    trap
    > copied 3
    > run
    Copy 5 at 3 Copied`,
  );

  row(
    "another extent counts from 0, forgets what was left of the former, and keeps the tally and what is known of the disk",
    `
    > open header=4 count=100 native
    > run
    send @0 4 more = 4
    sendfile 0 100 = 100
    Done sent 100
    > extent header=6 offset=100 count=50 native
    > at
    0
    > run
    send @0 6 more = 6
    sendfile 100 50 = 20
    sendfile 120 30 = WouldBlock
    Copy 30 at 26 Doorbell
    > copied 10
    > extent header=2 offset=1000 count=33554532 native probe
    > run
    read @2 1000 1 = WouldBlock
    Copy 261146 at 0 Cold
    > copied 2
    > extent offset=2000 count=100 native probe
    > run
    Copy 100 at 0 Cold
    > tally
    Native 130, Doorbell 10, Cold 2, Copied 0`,
  );

  row(
    "a Way that is none traps",
    `
    > open count=100
    > way 4
    trap
    > way -1
    trap`,
  );

  row(
    "what is no handle traps",
    `
    > run
    trap
    > close
    trap`,
  );

  row(
    "a closed record is the next one to be given, and comes back clean",
    `
    > open header=10 count=${2 * MiB} trailer=5 native probe only eof
    > limit timeout=5 deadline=7
    > run
    read @10 0 1 = 1
    send @0 10 more = 10
    sendfile 0 ${MiB} = System
    Fail System sent 0 corked
    > close
    > open
    > due
    Infinity
    > at
    0
    > tally
    Native 0, Doorbell 0, Cold 0, Copied 0
    > run
    Done sent 0`,
  );

  // Where the bytes are few: header and body in one send(2).

  row(
    "T27 small: header and body in one send",
    `
    > open header=10 offset=5 count=100 native probe
    > run
    read @10 5 100 = 100
    send @0 110 = 110
    Done sent 100
    > tally
    Native 110, Doorbell 0, Cold 0, Copied 0`,
  );

  row(
    "small: no header",
    `
    > open count=1 native probe
    > run
    read @0 0 1 = 1
    send @0 1 = 1
    Done sent 1`,
  );

  row(
    "small: a body of 16 KiB is the most, whatever its header",
    `
    > open header=384 count=16384 native probe
    > run
    read @384 0 16384 = 16384
    send @0 16768 = 16768
    Done sent 16384
    > open header=16384 count=16384 native probe
    > run
    read @16384 0 16384 = 16384
    send @0 32768 = 32768
    Done sent 16384
    > open header=384 count=16385 native probe
    > run
    read @384 0 1 = 1
    send @0 384 more = 384
    sendfile 0 16385 = 16385
    Done sent 16385`,
  );

  row(
    "small: not where a trailer follows",
    `
    > open header=10 count=100 trailer=4 native probe
    > run
    read @10 0 1 = 1
    send @0 10 more = 10
    sendfile 0 100 = 100
    Copy 4 at 110 Copied
    > copied 4
    > run
    Done sent 100
    > tally
    Native 110, Doorbell 0, Cold 0, Copied 4`,
  );

  row(
    "small: not without the probe",
    `
    > open count=100 native
    > run
    sendfile 0 100 = 100
    Done sent 100`,
  );

  row(
    "small: a short read is sent with MSG_MORE, and read on",
    `
    > open header=10 count=100 native probe
    > run
    read @10 0 100 = 30
    send @0 40 more = 40
    read @0 30 70 = 70
    send @0 70 = 70
    Done sent 100`,
  );

  row(
    "small: a partial send in the header; the rest lies where the host put it",
    `
    > open header=10 count=100 native probe
    > run
    read @10 0 100 = 100
    send @0 110 = 4
    read @10 0 100 = 100
    send @4 106 = 106
    Done sent 100`,
  );

  row(
    "small: a partial send in the body",
    `
    > open header=10 count=100 native probe
    > run
    read @10 0 100 = 100
    send @0 110 = 50
    read @0 40 60 = 60
    send @0 60 = 60
    Done sent 100`,
  );

  row(
    "small: EAGAIN is a doorbell for the rest of the header and up to a page boundary",
    `
    > open header=10 offset=4090 count=100 native probe
    > run
    read @10 4090 100 = 100
    send @0 110 = WouldBlock
    Copy 16 at 0 Doorbell
    > copied 16
    > run
    read @0 4096 94 = 94
    send @0 94 = 94
    Done sent 100
    > tally
    Native 94, Doorbell 16, Cold 0, Copied 0`,
  );

  row(
    "small: cold bytes are copied with the header",
    `
    > open header=10 count=100 native probe
    > run
    read @10 0 100 = WouldBlock
    Copy 110 at 0 Cold
    > copied 110
    > run
    Done sent 100
    > tally
    Native 0, Doorbell 0, Cold 110, Copied 0`,
  );

  row(
    "small: the tail of a long body too",
    `
    > open count=${MiB + 100} native probe
    > run
    read @0 0 1 = 1
    sendfile 0 ${MiB} = ${MiB - 50}
    read @0 ${MiB - 50} 150 = 150
    send @0 150 = 150
    Done sent ${MiB + 100}`,
  );

  // Header with MSG_MORE, then sendfile(2).

  row(
    "header with MSG_MORE, then sendfile",
    `
    > open header=10 offset=3 count=100000 native
    > run
    send @0 10 more = 10
    sendfile 3 100000 = 100000
    Done sent 100000`,
  );

  row(
    "a partial header send, within one run",
    `
    > open header=10 count=100000 native
    > run
    send @0 10 more = 3
    send @3 7 more = 6
    send @9 1 more = 1
    sendfile 0 100000 = 100000
    Done sent 100000`,
  );

  row(
    "a partial header send, over two runs: the host puts the rest at scratch again",
    `
    > open header=10 count=100000 native
    > run
    send @0 10 more = 3
    send @3 7 more = WouldBlock
    Copy ${7 + 512} at 3 Doorbell corked
    > copied 2
    > run
    send @0 5 more = 5
    sendfile 0 100000 = 100000
    Done sent 100000`,
  );

  row(
    "a header of header_max is sent",
    `
    > open header=16384 count=100000 native probe
    > run
    read @16384 0 1 = 1
    send @0 16384 more = 16384
    sendfile 0 100000 = 100000
    Done sent 100000`,
  );

  row(
    "a header that does not fit into scratch is copied; the body is not",
    `
    > open header=16385 count=100000 trailer=9 native only
    > run
    Copy 16385 at 0 Copied
    > copied 16385
    > run
    sendfile 0 100000 = 100000
    Copy 9 at ${16385 + 100000} Copied
    > copied 9
    > run
    Done sent 100000
    > open header=${2 * MiB} count=100000 native
    > run
    Copy ${MiB} at 0 Copied
    > copied ${MiB}
    > run
    Copy ${MiB} at ${MiB} Copied
    > copied ${MiB - 7}
    > run
    send @0 7 more = 7
    sendfile 0 100000 = 100000
    Done sent 100000`,
  );

  row(
    "EAGAIN at the header: nothing is corked, because nothing was sent",
    `
    > open header=10 offset=1 count=100000 native
    > run
    send @0 10 more = WouldBlock
    Copy ${10 + 511} at 0 Doorbell
    > copied ${10 + 511}
    > run
    sendfile 512 ${100000 - 511} = ${100000 - 511}
    Done sent 100000`,
  );

  for (const [offset, want] of [
    [0, 512],
    [1, 511],
    [511, 1],
    [512, 512],
    [4095, 1],
    [2 ** 32 - 1, 1],
    [2 ** 53 - 8192, 512],
  ]) {
    row(
      `EAGAIN at the body: from ${offset} to the next multiple of 512`,
      `
      > open offset=${offset} count=8000 native
      > run
      sendfile ${offset} 8000 = WouldBlock
      Copy ${want} at 0 Doorbell`,
    );
  }

  row(
    "EAGAIN near the end: no more than is left",
    `
    > open count=100 native
    > run
    sendfile 0 100 = 40
    sendfile 40 60 = WouldBlock
    Copy 60 at 40 Doorbell`,
  );

  row(
    "EAGAIN after the header: it is held back by MSG_MORE until the doorbell's bytes follow",
    `
    > open header=10 count=100000 native
    > run
    send @0 10 more = 10
    sendfile 0 100000 = WouldBlock
    Copy 512 at 10 Doorbell corked
    > moved 1
    > copied 511
    > run
    sendfile 512 ${100000 - 512} = ${100000 - 512}
    Done sent 100000`,
  );

  row(
    "a copy may be of fewer bytes than were wanted, or of more, the rest of the header included",
    `
    > open header=10 count=100000 native
    > run
    send @0 10 more = WouldBlock
    Copy 522 at 0 Doorbell
    > copied 65546
    > run
    sendfile 65536 ${100000 - 65536} = WouldBlock
    Copy 512 at 65546 Doorbell
    > copied 100
    > run
    sendfile ${65536 + 100} ${100000 - 65536 - 100} = ${100000 - 65536 - 100}
    Done sent 100000`,
  );

  // The page cache.

  row(
    "a cold first byte: header and 256 KiB, up to a page boundary, are copied",
    `
    > open header=10 offset=5 count=${MiB} native probe
    > run
    read @10 5 1 = WouldBlock
    Copy ${10 + 256 * KiB - 5} at 0 Cold
    > copied ${10 + 256 * KiB - 5}
    > run
    Copy ${256 * KiB} at ${10 + 256 * KiB - 5} Cold`,
  );

  row(
    "a cold first byte near the end: no more than is left",
    `
    > open count=100000 native probe
    > run
    read @0 0 1 = WouldBlock
    Copy 100000 at 0 Cold`,
  );

  row(
    "a cold byte: 4 MiB are taken to be cold, and a rest of 32 MiB or less altogether",
    `
    > open count=${32 * MiB} native probe
    > run
    read @0 0 1 = WouldBlock
    Copy ${256 * KiB} at 0 Cold
    > copied ${4 * MiB - 1}
    > run
    Copy ${256 * KiB - 4095} at ${4 * MiB - 1} Cold
    > copied 1
    > run
    Copy ${256 * KiB} at ${4 * MiB} Cold
    > copied ${12 * MiB}
    > run
    Copy ${256 * KiB} at ${16 * MiB} Cold`,
  );

  row(
    "behind 4 cold MiB a byte 32 MiB ahead is asked: cold",
    `
    > open offset=7 count=${64 * MiB} native probe
    > run
    read @0 7 1 = WouldBlock
    Copy ${256 * KiB - 7} at 0 Cold
    > copied ${4 * MiB}
    > run
    read @0 ${7 + 36 * MiB} 1 = WouldBlock
    Copy ${256 * KiB - 7} at ${4 * MiB} Cold
    > copied 4096
    > run
    Copy ${256 * KiB - 7} at ${4 * MiB + 4096} Cold`,
  );

  row(
    "behind 4 cold MiB a byte 32 MiB ahead is asked: warm, so the next one is asked, and all goes natively",
    `
    > open count=${64 * MiB} native probe
    > run
    read @0 0 1 = WouldBlock
    Copy ${256 * KiB} at 0 Cold
    > copied ${4 * MiB}
    > run
    read @0 ${36 * MiB} 1 = 1
    read @0 ${4 * MiB} 1 = 1
    sendfile ${4 * MiB} ${MiB} = ${MiB}
    Yield at ${5 * MiB}`,
  );

  // What is not to be had.

  row(
    "read Missing: never asked again, by no transfer of the instance",
    `
    > open count=100 native probe
    > run
    read @0 0 100 = Missing
    sendfile 0 100 = 100
    Done sent 100
    > open count=100000 native probe
    > run
    sendfile 0 100000 = 100000
    Done sent 100000`,
  );

  row(
    "read Unsupported: not asked again by this transfer",
    `
    > open count=100 native probe
    > run
    read @0 0 100 = Unsupported
    sendfile 0 100 = 40
    sendfile 40 60 = 60
    Done sent 100
    > open count=100 native probe
    > run
    read @0 0 100 = 100
    send @0 100 = 100
    Done sent 100`,
  );

  for (const fault of ["Closed", "System"]) {
    row(
      `read ${fault}: the transfer fails`,
      `
      > open header=10 count=100 native probe
      > run
      read @10 0 100 = ${fault}
      Fail ${fault} sent 0
      > open count=100000 native probe
      > run
      read @0 0 1 = ${fault}
      Fail ${fault} sent 0`,
    );
    row(
      `send ${fault}: the transfer fails`,
      `
      > open header=10 count=100 native probe
      > run
      read @10 0 100 = 100
      send @0 110 = ${fault}
      Fail ${fault} sent 0
      > open header=10 count=100000 native
      > run
      send @0 10 more = 5
      send @5 5 more = ${fault}
      Fail ${fault} sent 0 corked`,
    );
    row(
      `sendfile ${fault}: the transfer fails, and says what was sent`,
      `
      > open header=10 count=100000 native
      > run
      send @0 10 more = 10
      sendfile 0 100000 = ${fault}
      Fail ${fault} sent 0 corked
      > open header=10 count=100000 native
      > run
      send @0 10 more = 10
      sendfile 0 100000 = 60000
      sendfile 60000 40000 = ${fault}
      Fail ${fault} sent 60000`,
    );
  }

  row(
    "sendfile Missing: copied from here on, and never called again by the instance",
    `
    > open offset=1 count=${MiB} native
    > run
    sendfile 1 ${MiB} = 99
    sendfile 100 ${MiB - 99} = Missing
    Copy ${512 * KiB - 100} at 99 Copied
    > copied ${512 * KiB - 100}
    > run
    Copy ${512 * KiB} at ${512 * KiB - 1} Copied
    > copied ${512 * KiB}
    > run
    Copy 1 at ${MiB - 1} Copied
    > copied 1
    > run
    Done sent ${MiB}
    > open header=10 count=100 native probe
    > run
    Copy 110 at 0 Copied
    > open count=100 native only
    > run
    Fail NotAvailable sent 0`,
  );

  row(
    "sendfile Unsupported: copied from here on, by this transfer",
    `
    > open header=10 count=100000 trailer=5 native
    > run
    send @0 10 more = 10
    sendfile 0 100000 = 60000
    sendfile 60000 40000 = Unsupported
    Copy 40005 at 60010 Copied
    > copied 40005
    > run
    Done sent 100000
    > tally
    Native 60010, Doorbell 0, Cold 0, Copied 40005
    > open count=100 native
    > run
    sendfile 0 100 = 100
    Done sent 100`,
  );

  row(
    "send Unsupported, Missing: the same",
    `
    > open header=10 count=100 native probe
    > run
    read @10 0 100 = 100
    send @0 110 = Unsupported
    Copy 110 at 0 Copied
    > open header=10 count=100 native
    > run
    send @0 10 more = Missing
    Copy 110 at 0 Copied
    > open count=100 native probe
    > run
    Copy 100 at 0 Copied`,
  );

  row(
    "Flag.Only: NotAvailable where the kernel's way is not to be had, at any point",
    `
    > open count=100 only
    > run
    Fail NotAvailable sent 0
    > open header=10 count=100000 native only
    > run
    send @0 10 more = 10
    sendfile 0 100000 = Unsupported
    Fail NotAvailable sent 0 corked
    > open count=100000 native only
    > run
    sendfile 0 100000 = 60000
    sendfile 60000 40000 = Unsupported
    Fail NotAvailable sent 60000
    > open count=100000 native only
    > run
    sendfile 0 100000 = Missing
    Fail NotAvailable sent 0
    > open only
    > run
    Done sent 0`,
  );

  row(
    "Flag.Only: a doorbell and cold bytes are no fallback",
    `
    > open count=100000 native probe only
    > run
    read @0 0 1 = 1
    sendfile 0 100000 = WouldBlock
    Copy 512 at 0 Doorbell
    > copied 512
    > run
    read @0 512 1 = WouldBlock
    Copy ${100000 - 512} at 512 Cold
    > copied ${100000 - 512}
    > run
    Done sent 100000`,
  );

  // EINTR.

  row(
    "EINTR at each call: made again",
    `
    > open header=10 count=300000 native probe
    > run
    read @10 0 1 = Interrupted
    read @10 0 1 = 1
    send @0 10 more = Interrupted
    read @10 0 1 = 1
    send @0 10 more = 10
    sendfile 0 300000 = Interrupted
    read @0 0 1 = 1
    sendfile 0 300000 = 300000
    Done sent 300000
    > open count=100 native probe
    > run
    read @0 0 100 = Interrupted
    read @0 0 100 = 100
    send @0 100 = Interrupted
    read @0 0 100 = 100
    send @0 100 = 100
    Done sent 100`,
  );

  for (const [name, open, call] of [
    ["read", "count=100 native probe", "read @0 0 100 = Interrupted"],
    ["send", "header=10 count=100 native", "send @0 10 more = Interrupted"],
    ["sendfile", "count=100 native", "sendfile 0 100 = Interrupted"],
  ]) {
    row(
      `EINTR for ever at ${name}: a run gives up after 16`,
      `
      > open ${open}
      > run
      ${`${call}\n`.repeat(16)}
      Yield at 0
      > failed Aborted
      Fail Aborted sent 0`,
    );
  }

  row(
    "tiny writes end a run too; all of it at the 16th is Done",
    `
    > open count=17 native
    > run
    ${Array.from({ length: 16 }, (_, i) => `sendfile ${i} ${17 - i} = 1`).join("\n")}
    Yield at 16
    > run
    sendfile 16 1 = 1
    Done sent 17
    > open count=16 native
    > run
    ${Array.from({ length: 16 }, (_, i) => `sendfile ${i} ${16 - i} = 1`).join("\n")}
    Done sent 16`,
  );

  // The end of the file.

  row(
    "0 from sendfile is not believed: a read has the last word",
    `
    > open count=100 native
    > run
    sendfile 0 100 = 60
    sendfile 60 40 = 0
    Copy 40 at 60 Copied
    > ended
    Fail Truncated sent 60
    > open offset=4000 count=10000 native
    > run
    sendfile 4000 10000 = 0
    Copy 96 at 0 Copied
    > copied 96
    > run
    sendfile 4096 9904 = 9904
    Done sent 10000`,
  );

  row(
    "truncation, seen by the probe",
    `
    > open header=10 count=100000 native probe
    > run
    read @10 0 1 = 1
    send @0 10 more = 10
    sendfile 0 100000 = 60000
    read @0 60000 1 = 0
    Fail Truncated sent 60000
    > open header=10 count=100 native probe
    > run
    read @10 0 100 = 60
    send @0 70 more = 70
    read @0 60 40 = 0
    Fail Truncated sent 60 corked
    > open header=10 count=100 native probe
    > run
    read @10 0 100 = 0
    Fail Truncated sent 0`,
  );

  row(
    "truncation, seen by the host in the middle of a copy",
    `
    > open header=10 count=100 trailer=5
    > run
    Copy 115 at 0 Copied
    > moved 60
    > ended
    Fail Truncated sent 50
    > tally
    Native 0, Doorbell 0, Cold 0, Copied 60`,
  );

  row(
    "Flag.Eof: the end of the source ends the body well",
    `
    > open header=10 count=9007199254740991 trailer=5 eof
    > run
    Copy ${10 + 512 * KiB} at 0 Copied
    > copied 70
    > run
    Copy ${512 * KiB - 60} at 70 Copied
    > ended
    > run
    Copy 5 at 70 Copied
    > copied 5
    > run
    Done sent 60`,
  );

  row(
    "Flag.Eof: an empty source, its header still to be sent",
    `
    > open header=10 count=100 trailer=5 eof
    > run
    Copy 115 at 0 Copied
    > ended
    > run
    Copy 15 at 0 Copied
    > copied 15
    > run
    Done sent 0`,
  );

  row(
    "Flag.Eof, seen by the probe",
    `
    > open count=100000 trailer=5 native probe eof
    > run
    read @0 0 1 = 1
    sendfile 0 100000 = 60000
    read @0 60000 1 = 0
    Copy 5 at 60000 Copied
    > copied 5
    > run
    Done sent 60000`,
  );

  row(
    "Flag.Eof after a short read: Done, and the host is told that the bytes are held back",
    `
    > open header=10 count=100 native probe eof
    > run
    read @10 0 100 = 60
    send @0 70 more = 70
    read @0 60 40 = 0
    Done sent 60 corked`,
  );

  // Header and trailer.

  row(
    "a trailer, short copies of it, and never more than is left",
    `
    > open count=100 trailer=50
    > run
    Copy 150 at 0 Copied
    > copied 120
    > run
    Copy 30 at 120 Copied
    > copied 29
    > run
    Copy 1 at 149 Copied
    > copied 1
    > run
    Done sent 100`,
  );

  row(
    "a trailer after a native body, copied in pieces of 1 MiB",
    `
    > open count=100 trailer=${MiB + 5} native
    > run
    sendfile 0 100 = 100
    Copy ${MiB} at 100 Copied
    > copied ${MiB}
    > run
    Copy 5 at ${MiB + 100} Copied
    > copied 5
    > run
    Done sent 100`,
  );

  row(
    "an empty body: header and trailer are copied, native or not",
    `
    > open header=10 trailer=5 native probe
    > run
    Copy 15 at 0 Copied
    > copied 15
    > run
    Done sent 0
    > open header=10 trailer=5
    > run
    Copy 15 at 0 Copied
    > copied 12
    > run
    Copy 3 at 12 Copied
    > copied 3
    > run
    Done sent 0
    > open
    > run
    Done sent 0`,
  );

  row(
    "a header and a trailer of 2^31 - 1 bytes: what is wanted at once is still a count",
    `
    > open header=2147483647 count=100 trailer=2147483647
    > run
    Copy 2147483647 at 0 Copied
    > copied 2147483647
    > run
    Copy 2147483647 at 2147483647 Copied
    > copied 2147483647
    > run
    Copy 100 at 4294967294 Copied
    > copied 100
    > run
    Done sent 100`,
  );

  row(
    "the copy path: up to a multiple of 512 KiB, so that reads stay aligned",
    `
    > open header=10 offset=${512 * KiB - 1} count=${MiB}
    > run
    Copy 11 at 0 Copied
    > copied 11
    > run
    Copy ${512 * KiB} at 11 Copied
    > copied ${512 * KiB}
    > run
    Copy ${512 * KiB - 1} at ${512 * KiB + 11} Copied
    > copied ${512 * KiB - 1}
    > run
    Done sent ${MiB}`,
  );

  // Fairness.

  row(
    "Yield after 1 MiB in one run",
    `
    > open count=${2 * MiB + 5} native
    > run
    sendfile 0 ${MiB} = ${MiB}
    Yield at ${MiB}
    > run
    sendfile ${MiB} ${MiB} = 1000
    sendfile ${MiB + 1000} ${MiB - 1000} = ${MiB - 1000}
    Yield at ${2 * MiB}
    > run
    sendfile ${2 * MiB} 5 = 5
    Done sent ${2 * MiB + 5}`,
  );

  row(
    "1 MiB that is all: Done, or the trailer, without a Yield",
    `
    > open count=${MiB} native
    > run
    sendfile 0 ${MiB} = ${MiB}
    Done sent ${MiB}
    > open count=${MiB} trailer=5 native
    > run
    sendfile 0 ${MiB} = ${MiB}
    Copy 5 at ${MiB} Copied`,
  );

  row(
    "Yield where the turn's 1 ms is spent, by whom it may be, and no call is made",
    `
    > now 100
    > turn
    > open count=${2 * MiB} native
    > now 100.99
    > run
    sendfile 0 ${MiB} = ${MiB}
    Yield at ${MiB}
    > now 101
    > run
    Yield at ${MiB}
    > open count=5
    > run
    Yield at 0
    > open
    > run
    Done sent 0
    > turn
    > use 2
    > run
    Copy 5 at 0 Copied
    > use 1
    > run
    sendfile ${MiB} ${MiB} = ${MiB}
    Done sent ${2 * MiB}`,
  );

  // Time.

  row(
    "timeout: milliseconds without progress, from the call of limit",
    `
    > now 1000
    > turn
    > open count=100 native
    > now 1001
    > limit timeout=50
    > due
    1051
    > now 1050.999
    > tick
    fine
    > now 1051
    > tick
    Fail Stalled sent 0
    > tick
    trap`,
  );

  row(
    "timeout: progress puts it off, in a run, in a copy and in a piece of it; an attempt does not",
    `
    > now 1000
    > turn
    > open count=100000 native
    > limit timeout=50
    > now 1000.5
    > run
    sendfile 0 100000 = 10
    sendfile 10 99990 = WouldBlock
    Copy 502 at 10 Doorbell
    > due
    1050.5
    > now 1020
    > moved 1
    > due
    1070
    > now 1030
    > copied 1
    > due
    1080
    > now 1079
    > turn
    > run
    sendfile 12 99988 = WouldBlock
    Copy 500 at 12 Doorbell
    > due
    1080
    > now 1080
    > tick
    Fail Stalled sent 12`,
  );

  row(
    "timeout: a run looks at it first, and makes no call",
    `
    > open count=100 native
    > limit timeout=1
    > now 1
    > run
    Fail Stalled sent 0`,
  );

  row(
    "deadline: a last moment, whatever the progress",
    `
    > now 1000
    > turn
    > open count=100
    > limit timeout=20 deadline=1030
    > due
    1020
    > run
    Copy 100 at 0 Copied
    > now 1015
    > moved 50
    > due
    1030
    > now 1029.999
    > tick
    fine
    > now 1030
    > tick
    Fail Expired sent 50`,
  );

  row(
    "deadline: named where both have passed; a run looks at it too",
    `
    > open count=100
    > limit timeout=1 deadline=1
    > now 1
    > run
    Fail Expired sent 0`,
  );

  row(
    "no limit: never due",
    `
    > open count=100
    > due
    Infinity
    > limit timeout=0
    > due
    Infinity
    > now 9007199254740991
    > tick
    fine`,
  );

  row(
    "all bytes out is Done, however late",
    `
    > open count=100
    > limit timeout=1 deadline=1
    > run
    Copy 100 at 0 Copied
    > copied 100
    > now 5
    > run
    Done sent 100`,
  );

  // How the bytes went.

  row(
    "the tally is by Way, header and trailer included",
    `
    > open header=10 count=${40 * MiB} trailer=5 native probe
    > run
    read @10 0 1 = WouldBlock
    Copy ${10 + 256 * KiB} at 0 Cold
    > moved 10
    > copied ${4 * MiB}
    > run
    read @0 ${36 * MiB} 1 = 1
    read @0 ${4 * MiB} 1 = 1
    sendfile ${4 * MiB} ${MiB} = 1000
    read @0 ${4 * MiB + 1000} 1 = 1
    sendfile ${4 * MiB + 1000} ${MiB - 1000} = WouldBlock
    Copy 24 at ${10 + 4 * MiB + 1000} Doorbell
    > copied 24
    > run
    read @0 ${4 * MiB + 1024} 1 = 1
    sendfile ${4 * MiB + 1024} ${MiB} = Unsupported
    Copy ${511 * KiB} at ${10 + 4 * MiB + 1024} Copied
    > copied ${511 * KiB}
    > tally
    Native 1000, Doorbell 24, Cold ${10 + 4 * MiB}, Copied ${511 * KiB}`,
  );
});
