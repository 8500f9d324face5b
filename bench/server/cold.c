// A client of a cold disk: it asks 127.0.0.1:PORT for one file again and again, until stdin ends, and drops it from the
// page cache before each time. What comes is thrown away unread.
//
//   cold PORT PATH FILE    the same file
//
// Prints {"pages":n,"resident":n}, of which so many were still in the cache, when its first answer has begun; then, for
// each line on stdin, {"bytes":n,"files":n,"resident":n}: what it has read so far, and the most pages that were still there.

#include "../lib/client.h"
#include "../lib/evict.h"

#include <poll.h>
#include <string.h>

#define AT_ONCE (1 << 20)

static long long bytes, files;
static size_t resident;

// Answers the lines on stdin; its end is that of the program.
static void answer(void) {
  char line[64];
  ssize_t got = read(0, line, sizeof line);
  if (got <= 0) exit(0);
  for (int i = 0; i < got; i++)
    if (line[i] == '\n') printf("{\"bytes\":%lld,\"files\":%lld,\"resident\":%zu}\n", bytes, files, resident);
  fflush(stdout);
}

// Takes the next bytes of a connection, and shows those that `into` has room for, if it is not NULL.
static ssize_t take(int fd, char *into, size_t room) {
  for (;;) {
    struct pollfd in[] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    if (poll(in, 2, -1) < 0) die("poll");
    if (in[1].revents) answer();
    if (!in[0].revents) continue;
    ssize_t got = recv(fd, into, room, into == NULL ? MSG_TRUNC : 0);
    if (got > 0) return bytes += got, got;
    fprintf(stderr, "cut off\n");
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "cold PORT PATH FILE\n"), 2;
  for (;; files++) {
    struct pages pages = evict(argv[3]);
    if (pages.resident > resident) resident = pages.resident;
    int fd = client(atoi(argv[1]), argv[2]);
    char first[4096];
    ssize_t got = take(fd, first, sizeof first - 1);
    first[got] = 0;
    char *body = strstr(first, "\r\n\r\n");
    if (memcmp(first, "HTTP/1.1 200 OK", 15) || body == NULL) return fprintf(stderr, "not 200\n"), 1;
    if (files == 0) printf("{\"pages\":%zu,\"resident\":%zu}\n", pages.all, pages.resident);
    fflush(stdout);
    long long left = body + 4 - first + pages.size - got;
    while (left > 0) left -= take(fd, NULL, AT_ONCE);
    close(fd);
  }
}
