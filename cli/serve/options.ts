// The options of `sendoff serve`: what --help tells of them, and their types. A file of options has the same.

import type { parse } from "../arguments.js";

export const help = `sendoff serve: serve a folder over HTTP

Usage:
  sendoff serve [OPTION]... [DIR]

DIR       the folder (default: the one you are in)

Options:
  -o, --open            open it in the browser once it serves
  -p, --port PORT       the port (default: 8080; 0: any free port)
      --host HOST       the address (default: 127.0.0.1, so from this machine only;
                        0.0.0.0 or :: listens on all of them)
      --engine ENGINE   loop: a thread with an epoll loop answers requests for files,
                        and node:http the rest; node: node:http answers all;
                        auto (default): loop where it can run, else node
      --threads N       the number of loops, each in a thread (default: 1); where no
                        loop serves, the number of processes
  -w, --workers N       the number of processes of engine node (default: 1); one that
                        dies is replaced
      --tls             HTTPS, with these two:
      --cert FILE       the certificate, and those above it, in PEM
      --key FILE        its private key, in PEM
      --auth USER:PASSWORD
                        want a user and a password (HTTP Basic) for all but --health and
                        --metrics. SENDOFF_AUTH hides them from other users of this machine
      --auth-allow-cleartext
                        let passwords come from other machines without --tls: on a
                        network that you trust, or behind a proxy that has HTTPS
      --precompressed   send FILE.br, .zst or .gz in place of FILE, if they exist and
                        the client accepts them
      --cache CACHE     how long clients may cache a file: seconds (default: 0), or the
                        whole Cache-Control: 'public, max-age=31536000, immutable'
      --header 'NAME: VALUE'
                        a header field of each answer; may be repeated
      --cors            let pages of other sites read the files
      --mime EXT=TYPE   the media type of an extension; may be repeated
      --single          send index.html for what is missing, with 200, and no pages for
                        folders: for an app with a router of its own
      --404 FILE        send FILE, which is in DIR, for what is missing, with 404
      --dotfiles        serve and list names that begin with a dot, too
      --no-listing      no pages for folders: those without an index.html are 404
      --log-format FORMAT
                        common (default), combined (with Referer and User-Agent), or
                        json: an object in each line. A terminal gets lines for people
                        unless a format is given, in colour unless NO_COLOR is set
      --trust-proxy PROXIES
                        log the address that X-Forwarded-For tells, if a trusted proxy
                        has sent it: addresses and ranges (10.0.0.0/8,::1), loopback,
                        linklocal, uniquelocal; a number of proxies; or true: anybody
  -q, --quiet           no log, and no QR code
      --timeout TIME    how long running downloads get when it is stopped (default: 5s)
      --drain-delay TIME
                        how long SIGTERM lets it take connections, so that a balancer sees
                        that --health fails (default: 0)
      --health PATH     a target that is answered with 200, and with 503 once it is told to
                        stop: /healthz
      --metrics PORT    metrics in the format of OpenMetrics at
                        http://127.0.0.1:PORT/metrics
      --config FILE     the file of options (default: sendoff.json in the folder that you
                        are in, if it is there)
  -h, --help            this text
  -v, --version         the version

TIME is in milliseconds, or with a unit: 500, 500ms, 10s, 2m.

A folder is answered with its index.html, or else with a page that lists it, sorted and
filtered as you like; with ?tar as a tar archive. Ranges and conditional requests work.
Always 404: dotfiles, anything but regular files, and files outside of DIR behind a
symbolic link.

Addresses, whether sendfile is used, and the engine go to stderr. A terminal also gets a QR
code of the first address that other machines can reach. The log goes to stdout, a line
for each response when it is over, by default in the NCSA common log format:
  host - user [time] "request" status bytes
user is - without --auth; bytes are those of the body that were sent, also if the client
disconnected.

A file of options has them in JSON by their long names: { "port": 80, "single": true,
"header": ["X-A: 1", "X-B: 2"] }. The command line comes before it. It is never sent.

A socket of systemd's (LISTEN_FDS) takes the place of --port and --host, one that is named
'metrics' that of --metrics.

Environment:
  SENDOFF_AUTH    USER:PASSWORD, as --auth, which comes before it
  SENDOFF_MODE    auto (default), native or copy: copy never calls the kernel's sendfile
  SENDOFF_FFI     koffi, node or none: how the C library is called

Exit status:
  1  DIR or another file can't be read, it can't listen there, or workers die as
     soon as they have started
  2  the arguments are wrong
  Ctrl-C, SIGTERM and SIGHUP stop it: no new connections, and running downloads get
  their time; a second one stops at once. Then it dies by the signal.
  SIGUSR2 starts it anew, with the same arguments, on the same socket; once that serves
  this one stops, with 0.

Examples:
  sendoff serve
  sendoff serve -p 0 ~/Videos
  sendoff serve --host :: --threads 4 /srv/files > access.log
  sendoff serve --tls --cert cert.pem --key key.pem
  sendoff serve --single --cache no-cache dist
  SENDOFF_AUTH=me:secret sendoff serve --host :: --tls --cert cert.pem --key key.pem
  curl -r 0-99 http://127.0.0.1:8080/film.mp4
`;

/** By their long names. */
export const OPTIONS = {
  open: { type: "boolean", short: "o" },
  port: { type: "string", short: "p" },
  host: { type: "string" },
  engine: { type: "string" },
  threads: { type: "string" },
  workers: { type: "string", short: "w" },
  tls: { type: "boolean" },
  cert: { type: "string" },
  key: { type: "string" },
  auth: { type: "string" },
  "auth-allow-cleartext": { type: "boolean" },
  precompressed: { type: "boolean" },
  cache: { type: "string" },
  header: { type: "string", multiple: true },
  cors: { type: "boolean" },
  mime: { type: "string", multiple: true },
  single: { type: "boolean" },
  "404": { type: "string" },
  "trust-proxy": { type: "string" },
  dotfiles: { type: "boolean" },
  "no-listing": { type: "boolean" },
  "log-format": { type: "string" },
  quiet: { type: "boolean", short: "q" },
  timeout: { type: "string" },
  "drain-delay": { type: "string" },
  health: { type: "string" },
  metrics: { type: "string" },
  config: { type: "string" },
} as const;

export type Values = ReturnType<typeof parse<typeof OPTIONS>>["values"];
