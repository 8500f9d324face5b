// Drops a file from the page cache, and looks whether it is gone.
//
//   evict FILE    prints {"pages":n,"resident":n}

#include "../lib/evict.h"

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "evict FILE\n"), 2;
  struct pages pages = evict(argv[1]);
  printf("{\"pages\":%zu,\"resident\":%zu}\n", pages.all, pages.resident);
}
