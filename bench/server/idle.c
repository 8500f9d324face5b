// Clients that are idle: each asks 127.0.0.1:PORT for one file, reads the answer, and keeps its connection, until stdin ends.
//
//   idle PORT PATH SIZE    of the file
//
// For each number on stdin it opens connections until there are so many, and prints {"open":n}.

#include "../lib/client.h"

#include <string.h>

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "idle PORT PATH SIZE\n"), 2;
  long size = atol(argv[3]);
  int open = 0, wanted;
  while (scanf("%d", &wanted) == 1) {
    for (; open < wanted; open++) {
      int fd = client(atoi(argv[1]), argv[2]);
      static char answer[64 << 10];
      long got = 0, whole = 0; // whole: with the head, once it is known
      while (whole == 0 || got < whole) {
        ssize_t more = recv(fd, answer + got, sizeof answer - 1 - got, 0);
        if (more <= 0) return fprintf(stderr, "cut off\n"), 1;
        answer[got += more] = 0;
        char *body = strstr(answer, "\r\n\r\n");
        if (whole == 0 && body != NULL) whole = body + 4 - answer + size;
      }
      if (memcmp(answer, "HTTP/1.1 200 OK", 15)) return fprintf(stderr, "not 200\n"), 1;
    }
    printf("{\"open\":%d}\n", open);
    fflush(stdout);
  }
}
