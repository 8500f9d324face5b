// npm test -- http: Chromium with files that `sendoff serve` serves: media, and a download. Without Chromium it is skipped.

import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { Chromium, findChromium, type Page } from "./lib/chromium.js";
import { until } from "./lib/command.js";
import { type Serving, serving } from "./lib/serving.js";
import { suite } from "./lib/suite.js";

const test = suite("browser");
const found = findChromium();
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let browser: Chromium;
let root: string;
let downloads: string;
let server: Serving;
const big = randomBytes(5_000_001);

/** Mono, 8 bit: a tone that every browser can decode, of so many seconds. */
function wav(seconds: number): Buffer {
  const rate = 22_050;
  const samples = Buffer.alloc(seconds * rate);
  for (let i = 0; i < samples.length; i++) samples[i] = 128 + Math.round(40 * Math.sin((i / rate) * 440 * 2 * Math.PI));
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20); // PCM
  head.writeUInt16LE(1, 22); // one channel
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

/** A WebM that the browser itself records from a canvas: real frames, real key frames. */
async function film(page: Page): Promise<Buffer> {
  const base64 = await page.evaluate<string>(`(async () => {
    const canvas = document.createElement("canvas");
    canvas.width = 640; canvas.height = 360;
    const paint = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm;codecs=vp8", videoBitsPerSecond: 16e6 });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    const noise = paint.createImageData(640, 360);
    for (let i = 0; i < 100; i++) {
      // Noise, because it can't be compressed away: the file has to be too long to be fetched at once.
      const words = new Uint32Array(noise.data.buffer);
      for (let at = 0; at < words.length; at += 16384) crypto.getRandomValues(words.subarray(at, at + 16384));
      paint.putImageData(noise, 0, 0);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    recorder.stop();
    await stopped;
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(new Blob(parts));
    });
    return url.slice(url.indexOf(",") + 1);
  })()`);
  return Buffer.from(base64, "base64");
}

test.before(async () => {
  if ("missing" in found) return;
  root = await mkdtemp(join(tmpdir(), "sendoff-browser-"));
  downloads = await mkdtemp(join(tmpdir(), "sendoff-downloads-"));
  await writeFile(join(root, "big.bin"), big);
  await writeFile(join(root, "tone.wav"), wav(600));
  server = await serving([root]);
  browser = await Chromium.launch(found.path);
});

test.after(async () => {
  if ("missing" in found) return;
  await browser?.close();
  await server?.stop();
  for (const folder of [root, downloads]) await rm(folder, { recursive: true, force: true });
});

function browsing(name: string, run: (page: Page) => Promise<void>): void {
  if ("missing" in found) return test.skip(`${name} (${found.missing})`);
  test(name, async () => run(await browser.page()));
}

/** Opens a media file, seeks in it, and returns the ranges that the server answered. */
async function seek(page: Page, name: string, element: string, to: number): Promise<string[]> {
  const ranges: string[] = [];
  page.on("Network.responseReceived", ({ response }) => {
    const { url, status, headers } = response as { url: string; status: number; headers: Record<string, string> };
    assert.is(headers["Content-Disposition"], undefined);
    if (url.endsWith(name)) ranges.push(`${status} ${headers["Content-Range"]}`);
  });
  await page.goto(server.url + name);
  const at = await page.evaluate<number>(`(async () => {
    const media = document.querySelector("${element}");
    const event = (name) => new Promise((resolve, reject) => {
      media.addEventListener(name, resolve, { once: true });
      media.addEventListener("error", () => reject(new Error("error")), { once: true });
    });
    media.muted = true;
    if (media.readyState < 2) await event("loadeddata");
    const seeked = event("seeked");
    media.currentTime = ${to};
    await seeked;
    const playing = event("timeupdate");
    await media.play();
    await playing;
    media.pause();
    return media.currentTime;
  })()`);
  assert.ok(at >= to, `${at} of ${to}`);
  return ranges;
}

browsing("a video that the browser has recorded plays, and is sought in by ranges", async (page) => {
  await page.goto(server.url);
  const bytes = await film(page);
  await writeFile(join(root, "film.webm"), bytes);
  const ranges = await seek(page, "film.webm", "video", 2);
  // The first answer, to the address bar, is 200: only then it is known to be a video.
  assert.ok(
    ranges.some((range) => range.startsWith("206 bytes ")),
    ranges.join(),
  );
  await server.logged(/"GET \/film\.webm HTTP\/1\.1" 206 \d+/);
});

browsing("ten minutes of sound, sought at the ninth: a range from there, and not all before it", async (page) => {
  const ranges = await seek(page, "tone.wav", "video, audio", 540);
  const starts = ranges.map((range) => Number(/^206 bytes (\d+)-/.exec(range)?.[1]));
  assert.ok(
    starts.some((start) => start > 22_050 * 500),
    ranges.join(),
  );
  await server.logged(/"GET \/tone\.wav HTTP\/1\.1" 206 \d+/);
});

browsing("a download has the bytes of the file", async (page) => {
  await browser.send("Browser.setDownloadBehavior", {
    behavior: "allow",
    downloadPath: downloads,
    eventsEnabled: true,
  });
  await page.goto(server.url);
  await page.evaluate(`document.querySelector('a[href="./big.bin"]').click()`);
  // Its name comes before its bytes.
  const size = () =>
    stat(join(downloads, "big.bin")).then(
      ({ size }) => size,
      () => 0,
    );
  await until("the download", async () => (await size()) === big.length);
  assert.is(sha256(await readFile(join(downloads, "big.bin"))), sha256(big));
  await server.logged(/"GET \/big\.bin HTTP\/1\.1" 200 5000001\n/);
});

test.run();
