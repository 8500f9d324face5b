// Plays schedules, and makes of one that fails the shortest row that still does.

import { Assertion } from "uvu/assert";
import type { Event, Schedule } from "./schedule.js";
import { type Module, Violation, World } from "./world.js";

/** Compiles once what is instantiated for each schedule. */
export function compile(bytes: Uint8Array): Module {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => Module } };
  return new WebAssembly.Module(bytes);
}

/** What is wrong; null where nothing is. Anything thrown counts: a trap, or the host's own astonishment. */
export function play(core: Module, schedule: Schedule, row: string[] | null = null): string | null {
  try {
    new World(core, schedule, row).play();
    return null;
  } catch (error) {
    const { name, message } = error as Error;
    if (error instanceof Violation) return message;
    if (error instanceof Assertion && error.generated)
      return `counted otherwise: ${error.actual}, not ${error.expects}`;
    return `${name}: ${message}`;
  }
}

/** A failing schedule with as little in it as still fails: delta debugging (Zeller's ddmin), then smaller numbers. */
export function shrink(core: Module, schedule: Schedule): Schedule {
  const fails = (events: Event[]) => play(core, { ...schedule, events }) !== null;
  let { events } = schedule;
  for (let size = events.length; size >= 1; ) {
    let shorter = false;
    for (let at = 0; at < events.length; at += size) {
      const rest = events.toSpliced(at, size);
      if (!fails(rest)) continue;
      events = rest;
      shorter = true;
      at -= size;
    }
    if (!shorter || size > events.length)
      size = size === 1 ? 0 : Math.min(Math.ceil(size / 2), Math.max(events.length, 1));
  }
  for (let smaller = true; smaller; ) {
    smaller = false;
    events.forEach((event, i) => {
      for (const [key, value] of Object.entries(event)) {
        if (typeof value !== "number" || value === 0) continue;
        for (const less of [0, 1, Math.floor(value / 2), 2 ** Math.floor(Math.log2(value))]) {
          if (!(less < value) || (key === "reason" && less !== value)) continue;
          const changed = events.with(i, { ...event, [key]: less } as Event);
          if (!fails(changed)) continue;
          events = changed;
          smaller = true;
          return;
        }
      }
    });
  }
  return { ...schedule, events };
}

/** A row for test/core.transitions.test.ts, and what was wrong in it. */
export function report(core: Module, schedule: Schedule): string {
  const row: string[] = [];
  const wrong = play(core, schedule, row);
  return [
    "  row(",
    `    ${JSON.stringify(wrong)},`,
    "    `",
    ...row.map((line) => `    ${line}`),
    "    `,",
    "  );",
  ].join("\n");
}
