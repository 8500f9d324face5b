// Drops a file from the page cache, and looks whether it is gone.

#include "die.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct pages {
  size_t all, resident;
  off_t size; // of the file, in bytes
};

static struct pages evict(const char *path) {
  int fd = open(path, O_RDONLY);
  struct stat stat;
  if (fd < 0 || fstat(fd, &stat) < 0) die(path);
  if (fdatasync(fd) < 0) die("fdatasync");
  struct pages pages = {.all = (stat.st_size + 4095) / 4096, .size = stat.st_size};
  void *map = mmap(NULL, stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
  unsigned char *in = malloc(pages.all);
  if (map == MAP_FAILED || in == NULL) die("mmap");
  // Several times: pages that a readahead is still filling stay.
  for (int i = 0; i == 0 || (pages.resident > 0 && i < 10); i++) {
    if (i > 0) usleep(50000);
    if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) die("posix_fadvise");
    if (mincore(map, stat.st_size, in) < 0) die("mincore");
    pages.resident = 0;
    for (size_t k = 0; k < pages.all; k++) pages.resident += in[k] & 1;
  }
  free(in);
  munmap(map, stat.st_size);
  close(fd);
  return pages;
}
