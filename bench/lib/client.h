// What clients in C have in common: a blocking connection to 127.0.0.1 that asks for one path.

#include "die.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static int client(int port, const char *path) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  char request[1024];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
  if (send(fd, request, length, MSG_NOSIGNAL) != length) die("send");
  return fd;
}
