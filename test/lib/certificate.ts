// A self-signed certificate, made once in a run, by openssl.

import { execFileSync } from "node:child_process";

let made: { key: string; cert: string } | undefined;

export function certificate(): { key: string; cert: string } {
  if (made !== undefined) return made;
  const args =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout - -out -";
  const pem = execFileSync("openssl", args.split(" "), { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const part = (name: string) => pem.match(new RegExp(`-----BEGIN ${name}-----[^]*?-----END ${name}-----`))?.[0] ?? "";
  made = { key: part("PRIVATE KEY"), cert: part("CERTIFICATE") };
  return made;
}
