// Drops a file from the page cache, and looks whether it is gone.
//
//   evict FILE    prints {"pages":n,"resident":n}

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "evict FILE\n"), 2;
  int fd = open(argv[1], O_RDONLY);
  struct stat stat;
  if (fd < 0 || fstat(fd, &stat) < 0) die(argv[1]);
  if (fdatasync(fd) < 0) die("fdatasync");
  size_t pages = (stat.st_size + 4095) / 4096, resident = 0;
  void *map = mmap(NULL, stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
  unsigned char *in = malloc(pages);
  if (map == MAP_FAILED || in == NULL) die("mmap");
  // Several times: pages that a readahead is still filling stay.
  for (int i = 0; i == 0 || (resident > 0 && i < 10); i++) {
    if (i > 0) usleep(50000);
    if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) die("posix_fadvise");
    if (mincore(map, stat.st_size, in) < 0) die("mincore");
    resident = 0;
    for (size_t k = 0; k < pages; k++) resident += in[k] & 1;
  }
  printf("{\"pages\":%zu,\"resident\":%zu}\n", pages, resident);
  return 0;
}
