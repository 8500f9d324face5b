// A self-signed certificate for localhost, made once in a process: X.509 in DER (RFC 5280, RFC 5480), as little as TLS
// takes.

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** A value of ASN.1: tag, length, and content. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

const sequence = (...parts: Uint8Array[]) => der(0x30, ...parts);
const oid = (...bytes: number[]) => der(0x06, Buffer.from(bytes));
const text = (tag: number, words: string) => der(tag, Buffer.from(words, "latin1"));
/** YYMMDDHHMMSSZ. */
const time = (ms: number) => text(0x17, `${new Date(ms).toISOString().replace(/\D/g, "").slice(2, 14)}Z`);

const COMMON_NAME = oid(0x55, 0x04, 0x03);
const ECDSA_WITH_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const DAY_MS = 86_400_000;

let made: { key: string; cert: string } | undefined;

export function certificate(): { key: string; cert: string } {
  if (made !== undefined) return made;
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = sequence(der(0x31, sequence(COMMON_NAME, text(0x0c, "localhost"))));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3: Deno takes no other
    der(0x02, Buffer.from([1]), randomBytes(8)), // the serial number
    ECDSA_WITH_SHA256,
    name,
    sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", body, privateKey));
  const lines = sequence(body, ECDSA_WITH_SHA256, signature).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  const cert = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  made = { key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert };
  return made;
}

/** The options of `sendoff serve` that name it, made in the folder. */
export function pem(folder: string): string[] {
  return Object.entries(certificate()).flatMap(([name, text]) => {
    const path = join(folder, `${name}.pem`);
    writeFileSync(path, text);
    return [`--${name}`, path];
  });
}
