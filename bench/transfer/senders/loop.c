// The C loop: sendfile(2) for all that is left, poll(2) on EAGAIN. One client.
//
//   loop FILE

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "loop FILE\n"), 2;
  alarm(600);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t length = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&at, length) < 0 || listen(listener, 1) < 0) die("listen");
  getsockname(listener, (struct sockaddr *)&at, &length);
  printf("{\"port\":%d}\n", ntohs(at.sin_port));
  fflush(stdout);
  int out = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (out < 0) die("accept4");

  struct timespec t0, t1;
  struct rusage r0, r1;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  getrusage(RUSAGE_SELF, &r0);

  int file = open(argv[1], O_RDONLY);
  struct stat stat;
  if (file < 0 || fstat(file, &stat) < 0) die(argv[1]);
  off_t offset = 0;
  while (offset < stat.st_size) {
    ssize_t n = sendfile(out, file, &offset, stat.st_size - offset);
    if (n == 0) break;
    if (n < 0 && errno == EAGAIN) {
      struct pollfd fd = {.fd = out, .events = POLLOUT};
      if (poll(&fd, 1, -1) < 0 && errno != EINTR) die("poll");
    } else if (n < 0 && errno != EINTR) die("sendfile");
  }
  shutdown(out, SHUT_WR);
  char c;
  struct pollfd fd = {.fd = out, .events = POLLIN};
  while (poll(&fd, 1, -1) < 0 || read(out, &c, 1) > 0) {}

  getrusage(RUSAGE_SELF, &r1);
  clock_gettime(CLOCK_MONOTONIC, &t1);
  printf("{\"wall\":%.6f,\"user\":%.6f,\"system\":%.6f,\"rss\":%ld}\n",
         (t1.tv_sec - t0.tv_sec) + (t1.tv_nsec - t0.tv_nsec) / 1e9,
         seconds(r1.ru_utime) - seconds(r0.ru_utime), seconds(r1.ru_stime) - seconds(r0.ru_stime), r1.ru_maxrss << 10);
  return 0;
}
