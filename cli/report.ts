// The output of a transfer for people: the progress bar, the line at the end.

import cliProgress from "cli-progress";
import type { Progress } from "sendoff";
import { twoDigits } from "../host/calendar.js";
import { atEnd } from "./cleanup.js";
import { units } from "./units.js";

/** A bar on stderr if that is a terminal; else nothing. */
export interface Meter {
  /** Takes the progress; it is drawn ten times a second. */
  moved(progress: Progress): void;
  /** Clears the bar. */
  stop(): void;
}

/** Characters of the bar itself. */
const LONGEST = 24;
const SHORTEST = 8;

/** What is drawn, in so many columns as there are, from 40 on. */
function drawn({ sent, total }: Progress, seconds: number, options: cliProgress.Options): string {
  const rate = sent / Math.max(0.001, seconds);
  const speed = `${units(rate)}/s`;
  if (!Number.isFinite(total)) return `${units(sent)}  ${speed}`;
  const part = total === 0 ? 1 : sent / total;
  const percent = `${Math.floor(part * 100)} %`.padStart(5);
  const left = sent === total ? "waiting for the receiver" : `${clock((total - sent) / rate)} left`;
  const words = sent === 0 ? [percent] : [percent, left];
  const room = (process.stderr.columns ?? 80) - SHORTEST - 1;
  const length = (more: string) => [...words, more].join("  ").length;
  // What is left out first stands in the middle.
  for (const more of [speed, `${units(sent)} of ${units(total)}`]) if (length(more) <= room) words.splice(1, 0, more);
  const text = words.join("  ");
  const barsize = Math.min(LONGEST, room - text.length + SHORTEST);
  return `${cliProgress.Format.BarFormat(part, { ...options, barsize })} ${text}`;
}

export function meter(): Meter {
  if (!process.stderr.isTTY) return { moved() {}, stop() {} };
  const start = performance.now();
  let latest: Progress | null = null;
  const bar = new cliProgress.SingleBar({
    format: (options) => (latest === null ? "" : drawn(latest, (performance.now() - start) / 1000, options)),
    stream: process.stderr,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: LONGEST,
    fps: 10,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: false,
    gracefulExit: false, // signals are cleanup.ts's
  });
  const stop = atEnd(() => {
    if (latest !== null) bar.stop();
  });
  return {
    moved(progress) {
      const first = latest === null;
      latest = progress;
      if (first) bar.start(1, 0); // from here on the bar draws itself, in the words of `format`
    },
    stop,
  };
}

/** The result of a transfer. */
export interface Outcome {
  /** Bytes of the file that arrived. */
  sent: number;
  seconds: number;
  /** User and system time of this process. */
  cpuSeconds: number;
  /** How the bytes were sent: the transfer's last progress report. */
  ways: Pick<Progress, "native" | "doorbell" | "cold" | "copied">;
}

/** The line at the end. `digest` describes the SHA-256 in words. */
export function summary(outcome: Outcome, digest: string): string {
  const { native, doorbell, cold, copied } = outcome.ways;
  const how = `native ${native}, doorbell ${doorbell}, cold ${cold}, copied ${copied} bytes`;
  return `${pace(outcome)}; ${how}; sha256 ${digest}\n`;
}

/** The line behind it: the same by pipe(). */
export function comparison(ours: Outcome, theirs: Outcome): string {
  const times = (theirs.seconds / ours.seconds).toFixed(2);
  const cpu = (ours.cpuSeconds / theirs.cpuSeconds).toFixed(2);
  const ratios = `${times} times as fast, for ${cpu} of the CPU time`;
  return `${pace(theirs)} by pipe()${ours.sent > 0 ? `; sendfile: ${ratios}` : ""}\n`;
}

function pace({ sent, seconds, cpuSeconds }: Outcome): string {
  const rate = sent / 1e6 / seconds;
  return `${sent} bytes in ${seconds.toFixed(3)} s, ${rate.toFixed(1)} MB/s, ${cpuSeconds.toFixed(3)} CPU s`;
}

/** 1:05, or 1:00:05. */
function clock(seconds: number): string {
  const s = Math.ceil(seconds);
  const minutes = Math.floor(s / 60);
  return minutes < 60
    ? `${minutes}:${twoDigits(s % 60)}`
    : `${Math.floor(minutes / 60)}:${twoDigits(minutes % 60)}:${twoDigits(s % 60)}`;
}
