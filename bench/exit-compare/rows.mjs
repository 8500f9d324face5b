// The rows: a program in a few lines, what happens to it, and what must come of it. `said` are the lines in
// their order; `status` a signal's name or an exit code.

import process from "node:process";

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const kill = (signal) => (child) => void child.kill(signal);
const slowly = (say, ms) => async () => {
  say("begins");
  await sleep(ms);
  say("ends");
};

function hooks(signal, status = signal) {
  return { program: ({ sync }, say) => void sync(() => say("1")), act: kill(signal), said: ["1"], status };
}

export const rows = {
  "E1 SIGTERM": { ...hooks("SIGTERM"), status: null },
  "E1 SIGINT": { ...hooks("SIGINT"), status: null },
  "E1 SIGHUP": { ...hooks("SIGHUP"), status: null },
  "E1 last registered runs first": {
    program({ sync }, say) {
      sync(() => say("1"));
      sync(() => say("2"));
    },
    act: kill("SIGTERM"),
    said: ["2", "1"],
    status: null,
  },
  "E2 dies by the signal": hooks("SIGINT"),
  "E2 async is awaited": {
    program: ({ async }, say) => void async(slowly(say, 50)),
    act: kill("SIGTERM"),
    said: ["begins", "ends"],
    status: null,
  },
  "E4 the same signal twice": {
    program: ({ async }, say) => void async(slowly(say, 50)),
    act(child) {
      child.kill("SIGINT");
      child.kill("SIGINT");
    },
    said: ["begins", "ends"],
    status: null,
  },
  "E4 again 1 ms later": {
    program: ({ async }, say) => void async(slowly(say, 50)),
    async act(child) {
      child.kill("SIGINT");
      await sleep(1);
      child.kill("SIGINT");
    },
    said: ["begins", "ends"],
    status: null,
  },
  "E5 a second signal, later, forces": {
    program: ({ slow }, say) => void slow(slowly(say, 60_000)),
    async act(child, said) {
      child.kill("SIGTERM");
      await said("begins");
      await sleep(700);
      child.kill("SIGTERM");
    },
    // Also where the package's own half second was over before.
    said: ["begins"],
    status: null,
  },
  "E6 a burst of 15, ten times": {
    times: 10,
    program: ({ sync }, say) => void sync(() => say("1")),
    act(child) {
      let next = performance.now();
      for (let i = 0; i < 15; i++) {
        while (performance.now() < next);
        child.kill("SIGTERM");
        next += 0.2;
      }
    },
    said: ["1"],
    status: null,
  },
  "E6 … with an async function": {
    times: 10,
    program: ({ async }, say) => void async(slowly(say, 30)),
    act(child) {
      let next = performance.now();
      for (let i = 0; i < 15; i++) {
        while (performance.now() < next);
        child.kill("SIGTERM");
        next += 0.2;
      }
    },
    said: ["begins", "ends"],
    status: null,
  },
  "E7 throws: the rest run, status 1": {
    program({ sync }, say) {
      const fail = () => {
        throw new Error("boo");
      };
      // Before and after it, whatever the order is.
      sync(() => say("1"));
      sync(fail);
      sync(() => say("1"));
    },
    act: kill("SIGTERM"),
    said: ["1", "1"],
    status: 1,
  },
  "E7 throws at a natural end": {
    natural: true,
    program({ sync }, say) {
      const fail = () => {
        throw new Error("boo");
      };
      sync(() => say("1"));
      sync(fail);
      sync(() => say("1"));
    },
    said: ["1", "1"],
    status: 1,
  },
  "E8 never settles: dies": {
    program({ slow, sync }, say) {
      sync(() => say("1"));
      slow(() => new Promise(() => {}));
      sync(() => say("1"));
    },
    act: kill("SIGTERM"),
    said: ["1", "1"],
    status: null,
  },
  "E9 process.exit(7): the rest run": {
    program({ sync }, say) {
      sync(() => say("1"));
      sync(() => process.exit(7));
      sync(() => say("1"));
    },
    act: kill("SIGTERM"),
    said: ["1", "1"],
    status: 7,
  },
  "E10 one registers another": {
    program({ sync }, say) {
      sync(() => {
        say("1");
        sync(() => say("2"));
      });
    },
    act: kill("SIGTERM"),
    said: ["1", "2"],
    status: null,
  },
  "E10 the same function twice": {
    program({ sync }, say) {
      const fn = () => say("1");
      sync(fn);
      sync(fn);
    },
    act: kill("SIGTERM"),
    said: ["1"],
    status: null,
  },
  "E11 a listener of another, before": {
    program({ sync }, say) {
      process.on("SIGTERM", (signal) => say(signal));
      sync(() => say("ours"));
    },
    act: kill("SIGTERM"),
    said: ["ours", "SIGTERM"],
    status: "SIGTERM",
  },
  "E11 a once listener, after": {
    program({ sync }, say) {
      sync(() => say("ours"));
      process.once("SIGTERM", (signal) => say(signal));
    },
    act: kill("SIGTERM"),
    said: ["ours", "SIGTERM"],
    status: "SIGTERM",
  },
  "E12 another's process.exit(5)": {
    program({ async }, say) {
      async(slowly(say, 30));
      process.on("SIGTERM", () => process.exit(5));
    },
    act: kill("SIGTERM"),
    said: ["begins", "ends"],
    status: 5,
  },
  "E12 another's async handler": {
    program({ sync }, say) {
      sync(() => say("ours"));
      process.on("SIGTERM", async () => {
        await sleep(50);
        say("other");
      });
    },
    act: kill("SIGTERM"),
    said: ["ours", "other"],
    status: null,
  },
  "E13 uncaught error, status 1, printed": {
    natural: true,
    program({ sync }, say) {
      sync(() => say("1"));
      setTimeout(() => {
        throw new Error("boo");
      });
    },
    said: ["1"],
    status: 1,
    stderr: /Error: boo/,
  },
  "E13 not where somebody catches it": {
    program({ sync }, say) {
      sync(() => say("ours"));
      process.on("uncaughtException", () => setTimeout(() => say("alive"), 100));
      setTimeout(() => {
        throw new Error("boo");
      });
    },
    async act(child, said) {
      await said("alive");
      child.kill("SIGKILL");
    },
    said: ["alive"],
    status: "SIGKILL",
  },
  "E14 process.exit(3)": {
    natural: true,
    program({ sync }, say) {
      sync(() => say("1"));
      process.exit(3);
    },
    said: ["1"],
    status: 3,
  },
  "E14 process.exitCode = 42": {
    natural: true,
    program({ sync }, say) {
      sync(() => say("1"));
      process.exitCode = 42;
    },
    said: ["1"],
    status: 42,
  },
  "E14 a natural end, async": {
    natural: true,
    program: ({ async }, say) => void async(slowly(say, 20)),
    said: ["begins", "ends"],
    status: 0,
  },
  "E15 1 MB of pending stdout": {
    program: ({ sync }) => void sync(() => process.stdout.write("x".repeat(1 << 20))),
    pause: true,
    act: kill("SIGTERM"),
    said: [],
    status: null,
    stdout: (1 << 20) + "ready\n".length,
  },
  "E18 50 functions, no warning": {
    program({ sync }, say) {
      for (let i = 0; i < 50; i++) sync(() => i === 0 && say("1"));
    },
    act: kill("SIGTERM"),
    said: ["1"],
    status: null,
    stderr: /^((?!MaxListeners).)*$/s,
  },
  "E19 taken back: the default": {
    program({ sync }, say) {
      const before = process.eventNames().map((name) => [name, process.listenerCount(name)]);
      const off = sync(() => say("ours"));
      off();
      const after = process.eventNames().map((name) => [name, process.listenerCount(name)]);
      if (JSON.stringify(before) !== JSON.stringify(after)) say("listeners left");
    },
    act: kill("SIGTERM"),
    said: [],
    status: "SIGTERM",
  },
};
