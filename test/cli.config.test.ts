// sendoff.json, and --config: what is taken from such a file, what is refused, and that nobody gets it.

import { chown, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { blame, config, merged } from "../cli/serve/config.js";
import { help, OPTIONS, type Values } from "../cli/serve/options.js";
import { call, inFolder, shell } from "./lib/command.js";
import { ENGINES } from "./lib/file-server.js";
import { serving } from "./lib/serving.js";
import { ask } from "./lib/site.js";
import { suite } from "./lib/suite.js";

const test = suite("sendoff serve's file of options");

/** A value as the file has it, and as the command line would. */
function example({ type, multiple }: { type: string; multiple?: boolean }): [given: unknown, taken: unknown] {
  if (type === "boolean") return [true, true];
  return multiple === true
    ? [
        ["a", "b"],
        ["a", "b"],
      ]
    : ["/x", "/x"];
}

test("each option of --help is taken, and no other", () =>
  inFolder(async (folder) => {
    const told = Array.from(help.matchAll(/^ {2}(?:-\w, | {4})--([\w-]+)/gm), ([, name = ""]) => name);
    assert.equal([...told].sort(), [...Object.keys(OPTIONS), "help", "version"].sort());
    const file = join(folder, "options.json");
    const own = ["config", "help", "version"]; // of the command line alone
    for (const name of told) {
      const option = OPTIONS[name as keyof typeof OPTIONS] ?? { type: "boolean" };
      const [given, taken] = example(option);
      await writeFile(file, JSON.stringify({ [name]: given }));
      if (own.includes(name)) assert.throws(() => config(file), new RegExp(`unknown option "${name}"`));
      else assert.equal({ ...config(file)?.values }, { [name]: taken }, name);
    }
  }));

const WRONG: readonly [text: string, words: RegExp][] = [
  ['{ "prot": 80 }', /sendoff\.json: unknown option "prot"/],
  ['{ "logFormat": "json" }', /sendoff\.json: unknown option "logFormat"/],
  ['{ "__proto__": 1 }', /sendoff\.json: unknown option "__proto__"/],
  ['{ "constructor": 1 }', /sendoff\.json: unknown option "constructor"/],
  ['{ "--port": 80 }', /sendoff\.json: unknown option "--port"/],
  ['{ "config": "x.json" }', /sendoff\.json: unknown option "config"/],
  ['{ "\\u001b[31m\\n": 1 }', /sendoff\.json: unknown option "\\u001b\[31m\\n"/],
  ['{ "port": true }', /sendoff\.json: port must be text, or a number/],
  ['{ "port": null }', /sendoff\.json: port must be text, or a number/],
  ['{ "port": [80] }', /sendoff\.json: port must be text, or a number/],
  ['{ "port": 99999 }', /sendoff\.json: --port must be a whole number from 0 to 65535 \(got '99999'\)/],
  ['{ "port": 1.5 }', /sendoff\.json: --port must be a whole number/],
  ['{ "single": "yes" }', /sendoff\.json: single must be true or false/],
  ['{ "single": 1 }', /sendoff\.json: single must be true or false/],
  ['{ "header": [1] }', /sendoff\.json: header must be text, or an array of it/],
  ['{ "header": { "a": "b" } }', /sendoff\.json: header must be text, or an array of it/],
  ['{ "header": "x" }', /sendoff\.json: --header must be 'Name: value' \(got 'x'\)/],
  ['{ "auth": "secret" }', /sendoff\.json: --auth must be USER:PASSWORD/],
  ['{ "auth": "a:secret", "host": "::" }', /sendoff\.json: --auth would take passwords in clear text at ::/],
  ['{ "auth": "a:secret" ', /sendoff\.json is no JSON/],
  ['{ "auth": "a:secret }', /sendoff\.json is no JSON/],
  ['"a:secret"', /sendoff\.json must be an object/],
  ["[]", /sendoff\.json must be an object/],
  ["null", /sendoff\.json must be an object/],
];

test("wrong files: status 2, and file and option are named", () =>
  inFolder(async (folder) => {
    const file = join(folder, "sendoff.json");
    for (const [text, words] of WRONG) {
      await writeFile(file, text);
      const { status, stderr } = await call(["serve", "--config", file, folder]);
      assert.is(status, 2, `${text}: ${stderr}`);
      assert.match(stderr, words);
      assert.match(stderr, /^sendoff: [\x20-\x7e]+\n$/);
      assert.not.match(stderr, /secret/);
    }
    // What the command line says is not the file's fault.
    await writeFile(file, '{ "port": 80 }');
    assert.match((await call(["serve", "--config", file, "--port", "x", folder])).stderr, /^sendoff: --port must be/);
    const missing = await call(["serve", "--config", join(folder, "none.json"), folder]);
    assert.is(missing.status, 1);
    assert.match(missing.stderr, /^sendoff: --config can't be read: ENOENT/);
  }));

test("the command line comes first; paths are from the file's folder; an empty file has nothing", () =>
  inFolder(async (folder) => {
    const file = join(folder, "x.json");
    const read = async (text: string) => {
      await writeFile(file, text);
      return config(file);
    };
    const some = await read(
      '\ufeff{ "port": 80, "host": "::1", "header": "A: 1", "cors": false, "quiet": true, "key": "a/key.pem", "cert": "/c" }',
    );
    const given = { port: "1", header: ["B: 2"] } as Values;
    assert.equal(
      { ...merged(given, some) },
      { port: "1", host: "::1", header: ["B: 2"], quiet: true, key: join(folder, "a", "key.pem"), cert: "/c" },
    );
    for (const text of ["", " \n", "{}"]) assert.equal({ ...(await read(text))?.values }, {});
    assert.equal(merged(given, null), given);
    const error = new Error("--host is busy");
    assert.is(blame(error, given, some), error, "no usage error");
  }));

test.unless(process.geteuid?.() === 0 ? null : "not root", "one of another user is not taken unasked", () =>
  inFolder(async (folder) => {
    const file = join(folder, "sendoff.json");
    await writeFile(file, '{ "nothing": true }');
    const back = process.cwd();
    try {
      process.chdir(folder);
      assert.throws(() => config(undefined), /unknown option "nothing"/);
      await chown(file, 12345, 12345);
      assert.throws(
        () => config(undefined),
        /sendoff\.json is a file of another user: --config sendoff\.json takes it/,
      );
      assert.throws(() => config("sendoff.json"), /unknown option "nothing"/);
      assert.equal({ ...config("/dev/null")?.values }, {});
    } finally {
      process.chdir(back);
    }
    assert.is(config(undefined), null, "none where the tests run");
  }),
);

test.unless(
  process.platform === "win32" ? "no links" : null,
  "sendoff.json of the working directory, which is served: its options count, and nobody gets it",
  () =>
    inFolder(async (folder) => {
      const root = join(folder, "root");
      await mkdir(join(root, "sub"), { recursive: true });
      await writeFile(join(root, "a.txt"), "hello");
      await writeFile(join(root, "sendoff.json"), '{ "header": "X-Own: 1", "log-format": "json", "engine": "auto" }');
      await writeFile(join(root, "sub", "sendoff.json"), "another file");
      await symlink("../sendoff.json", join(root, "sub", "link"));
      await symlink("sendoff.json", join(root, "link.json"));
      for (const engine of ENGINES) {
        const server = await serving(["--engine", engine], {}, shell(`cd '${root}' && exec "$@"`));
        try {
          assert.match(server.stderr(), /^options: .*root\/sendoff\.json$/m);
          for (const target of [
            "/sendoff.json",
            "/sendoff.json?x",
            "//sendoff.json",
            "/%73endoff%2ejson",
            "/sub/../sendoff.json",
            "/link.json",
            "/sub/link",
          ]) {
            for (const fields of [[], [], ["Range: bytes=0-1"], ['If-None-Match: "x"']]) {
              const { status, body } = await ask(server, target, fields);
              assert.match(status, / 404 /, `${engine} ${target}`);
              assert.not.match(body.toString(), /X-Own/);
            }
          }
          assert.is((await ask(server, "/sub/sendoff.json")).body.toString(), "another file");
          const file = await ask(server, "/a.txt");
          assert.equal([file.body.toString(), file.headers.includes("X-Own: 1")], ["hello", true]);
          for (const query of ["", "?sort=size"]) {
            const page = (await ask(server, `/${query}`)).body.toString();
            assert.match(page, /a\.txt/);
            assert.match(page, /\b1 file\b/, "not counted either");
            assert.not.match(page, /sendoff\.json|link\.json/);
          }
          assert.not.match((await ask(server, "/?q=sendoff")).body.toString(), /sendoff\.json"/);
          const archive = (await ask(server, "/?tar")).body.toString("latin1");
          assert.ok(archive.includes("hello") && archive.includes("another file"));
          assert.not.match(archive, /X-Own/);
          assert.match((await ask(server, "/sub/")).body.toString(), /sendoff\.json/);
        } finally {
          assert.match((await server.stop()).stdout, /^\{"time"/);
        }
      }
    }),
);

test.run();
