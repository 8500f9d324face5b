// What the system calls themselves cost: sendfile(2) of one byte to /dev/null, alone and behind a
// preadv2(2) with RWF_NOWAIT of one byte. Nanoseconds, the median of BATCHES.
//
//   call FILE

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 21
#define CALLS 10000

static int ascending(const void *a, const void *b) {
  return *(double *)a > *(double *)b ? 1 : *(double *)a < *(double *)b ? -1 : 0;
}

static double measure(int out, int file, int probe) {
  double took[BATCHES];
  for (int batch = 0; batch < BATCHES; batch++) {
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    for (int i = 0; i < CALLS; i++) {
      char byte;
      struct iovec iov = {&byte, 1};
      if (probe && preadv2(file, &iov, 1, i & 4095, RWF_NOWAIT) != 1) perror("preadv2"), exit(1);
      off_t offset = i & 4095;
      if (sendfile(out, file, &offset, 1) != 1) perror("sendfile"), exit(1);
    }
    clock_gettime(CLOCK_MONOTONIC, &t1);
    took[batch] = ((t1.tv_sec - t0.tv_sec) * 1e9 + (t1.tv_nsec - t0.tv_nsec)) / CALLS;
  }
  qsort(took, BATCHES, sizeof *took, ascending);
  return took[BATCHES / 2];
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "call FILE\n"), 2;
  alarm(600);
  int out = open("/dev/null", O_WRONLY), file = open(argv[1], O_RDONLY);
  if (out < 0 || file < 0) return perror(argv[1]), 1;
  printf("{\"core\":%.1f,\"probed\":%.1f}\n", measure(out, file, 0), measure(out, file, 1));
  return 0;
}
