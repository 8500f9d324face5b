// Clients on slow lines: each asks 127.0.0.1:PORT for one long file and reads 50 KB/s of it, until stdin ends. In C, so
// that their own work hardly takes a processor from who is measured beside them: what comes is thrown away unread.
//
//   slow PORT PATH CLIENTS
//
// Prints {"connected":n} once every one of them has got its first bytes; then, for each line on stdin,
// {"bytes":n}: what all of them have read so far.

#include "../lib/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST 10000
#define BYTES_PER_SECOND 50000
#define AT_ONCE (16 << 10)
/** How often those whose turn has come are served, in s: of 500 clients about eight. */
#define TICK 0.005

static int fds[MOST];
static double due[MOST];

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "slow PORT PATH CLIENTS\n"), 2;
  int clients = atoi(argv[3]);
  if (clients < 1 || clients > MOST) return fprintf(stderr, "1 to %d clients\n", MOST), 2;

  double every = (double)AT_ONCE / BYTES_PER_SECOND;
  for (int i = 0; i < clients; i++) {
    fds[i] = client(atoi(argv[1]), argv[2]);
    due[i] = now() + every * i / clients; // evenly, not all at once
  }
  long long bytes = 0;
  int connected = 0;
  char first[AT_ONCE];
  for (; connected < clients; connected++) {
    ssize_t got = recv(fds[connected], first, sizeof first, 0);
    if (got < 15 || memcmp(first, "HTTP/1.1 200 OK", 15)) return fprintf(stderr, "not 200\n"), 1;
    bytes += got;
  }
  printf("{\"connected\":%d}\n", connected);
  fflush(stdout);

  for (double tick = now();; tick += TICK) {
    for (int i = 0; i < clients; i++) {
      if (due[i] > tick) continue;
      ssize_t got = recv(fds[i], NULL, AT_ONCE, MSG_TRUNC | MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        return fprintf(stderr, "a slow client was cut off\n"), 1;
      }
      if (got > 0) bytes += got;
      due[i] += got > 0 ? (double)got / BYTES_PER_SECOND : TICK;
    }
    // Until the next tick, or the next line.
    for (double left; (left = tick + TICK - now()) > 0;) {
      struct pollfd in = {.fd = 0, .events = POLLIN};
      if (poll(&in, 1, 1 + (int)(left * 1000)) <= 0) continue;
      char line[64];
      ssize_t got = read(0, line, sizeof line);
      if (got <= 0) return 0;
      for (int i = 0; i < got; i++)
        if (line[i] == '\n') printf("{\"bytes\":%lld}\n", bytes);
      fflush(stdout);
    }
  }
}
