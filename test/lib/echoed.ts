// What an app behind files has to answer: its own, a file, and what is missing.

import * as assert from "uvu/assert";
import { type Answered, answersOf, first, get, talk, undated } from "./file-server.js";

const BODY = "x".repeat(70_000);
const POST = `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

/** Asked at once, and behind a file on the same connection: the answers of each. */
export async function echoed(port: number): Promise<Answered[][]> {
  const all: Answered[][] = [];
  for (const before of ["", first("/static/small.bin")]) {
    const text = undated(await talk(port, [before + POST + first("/static/sub/") + get("/static/none")]));
    const answers = answersOf(text).slice(before === "" ? 0 : 1);
    assert.equal(
      answers.map(({ status }) => status),
      [200, 200, 404],
    );
    assert.equal(JSON.parse(answers[0]?.body as string), { body: BODY, ip: "127.0.0.1" });
    assert.is(answers[1]?.body, "<p>sub</p>\n");
    all.push(answers);
  }
  return all;
}
